import type { CallPath } from '../call.ts';

const pattern = /^(?:\/t\/([^/]+))?\/mcp(?:\/([^/]+))?\/?$/;

/** `/mcp`, `/mcp/{server}` and both under `/t/{tenant}`; undefined for any other path. */
export function parsePath(path: string): CallPath | undefined {
  const match = pattern.exec(path);
  if (!match) return undefined;
  const tenant = match[1] === undefined ? null : decoded(match[1]);
  const server = match[2] === undefined ? null : decoded(match[2]);
  const template = `${tenant === null ? '' : '/t/{tenant}'}/mcp${server === null ? '' : '/{server}'}`;
  return { tenant, server, group: null, template, raw: path };
}

/** A broken escape names nothing that exists. */
function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
