import type { CallPath } from '../call.ts';

const pattern = /^((?:\/t\/([^/]+))?(?:\/g\/([^/]+))?\/(mcp|sse))(?:\/([^/]+))?\/?$/;
const toolsPattern = /^((?:\/t\/([^/]+))?(?:\/g\/([^/]+))?\/tools)(\/.*)?$/;

/** `/mcp`, `/mcp/{server}`, and both under `/t/{tenant}`, `/g/{group}` or `/t/{tenant}/g/{group}`; else undefined. */
export function parsePath(path: string): CallPath | undefined {
  return parse(path, 'mcp');
}

/** The same for `/sse`. */
export function parseSsePath(path: string): CallPath | undefined {
  return parse(path, 'sse');
}

/** Is it the URL of a face that a client can sign in for? */
export function isResource(path: string): boolean {
  return pattern.test(path) || (/\/tools$/.test(path) && toolsPattern.test(path));
}

/** What a URL of the OpenAPI face stands for. */
type ToolsTarget = { readonly kind: 'document' | 'docs' } | { readonly kind: 'tool'; readonly tool: string };

export interface ToolsPath {
  readonly path: CallPath;
  readonly target: ToolsTarget;
}

const pages = new Map<string, 'document' | 'docs'>([
  ['openapi.json', 'document'],
  ['docs', 'docs'],
]);

/**
 * `/tools/openapi.json`, `/tools/docs`, the two of one server, and `/tools/{server}/{tool}`, with the prefixes of
 * `/mcp`. A tool may have any name: that of a page stands for the page when it is read and for the tool when it is called.
 */
export function parseToolsPath(path: string, method: string | undefined): ToolsPath | undefined {
  const match = toolsPattern.exec(path);
  if (!match) return undefined;
  const [, base = '', tenant, group, rest = ''] = match;
  const [first = '', ...others] = rest.slice(1).split('/');
  const place = (server: string | null, end: string): CallPath => ({
    tenant: tenant === undefined ? null : decoded(tenant),
    group: group === undefined ? null : decoded(group),
    server,
    template: `${prefixOf(tenant, group)}/tools${server === null ? '' : '/{server}'}${end}`,
    raw: base,
  });
  if (others.length === 0) {
    const kind = pages.get(first);
    return kind && { path: place(null, `/${first}`), target: { kind } };
  }
  const server = serverId(decoded(first));
  const name = others.join('/');
  const kind = method === 'POST' ? undefined : pages.get(name);
  if (kind) return { path: place(server, `/${name}`), target: { kind } };
  return name === ''
    ? undefined
    : { path: place(server, '/{tool}'), target: { kind: 'tool', tool: decoded(name) } };
}

/** What a path of the faces is called in records; undefined for any other. */
export function templateOf(path: string): string | undefined {
  const found = parsePath(path) ?? parseSsePath(path) ?? parseToolsPath(path, undefined)?.path;
  return found?.template ?? (path === '/servers' ? path : undefined);
}

function parse(path: string, face: 'mcp' | 'sse'): CallPath | undefined {
  const match = pattern.exec(path);
  const [, , tenant, group, found, server] = match ?? [];
  if (found !== face) return undefined;
  return {
    tenant: tenant === undefined ? null : decoded(tenant),
    group: group === undefined ? null : decoded(group),
    server: server === undefined ? null : decoded(server),
    template: `${prefixOf(tenant, group)}/${face}${server === undefined ? '' : '/{server}'}`,
    raw: path,
  };
}

function prefixOf(tenant: string | undefined, group: string | undefined): string {
  return `${tenant === undefined ? '' : '/t/{tenant}'}${group === undefined ? '' : '/g/{group}'}`;
}

/** mcpo takes any name for a server; the config file gives such a server the id that comes closest to it. */
function serverId(name: string): string {
  return name.toLowerCase().replaceAll('_', '-');
}

/** A broken escape names nothing that exists. */
function decoded(part: string): string {
  if (!part.includes('%')) return part;
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
