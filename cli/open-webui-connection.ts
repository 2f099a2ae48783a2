// What a connection of Open WebUI to Toolgate looks like. Nothing here asks anybody anything.
import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { everyone, type ToolServer } from './open-webui-api.ts';

export type ConnectionKind = 'mcp' | 'openapi';

/** What of Toolgate a connection offers: everything, one server, one tenant's view, or a group's tools. */
export interface Scope {
  readonly server?: string | undefined;
  readonly tenant?: string | undefined;
  readonly group?: string | undefined;
}

/** The path on Toolgate that offers it. */
export function pathOf(kind: ConnectionKind, { server, tenant, group }: Scope): string {
  const front = tenant === undefined ? '' : `/t/${encodeURIComponent(tenant)}`;
  const set = group === undefined ? '' : `/g/${encodeURIComponent(group)}`;
  const back = server === undefined ? '' : `/${encodeURIComponent(server)}`;
  return `${front}${set}/${kind === 'mcp' ? 'mcp' : 'tools'}${back}`;
}

/**
 * The connection's id. Open WebUI puts it and "_" before every MCP tool name, and models take 64 characters in all:
 * with the gate's 47 there are 16 left.
 */
export function connectionId(kind: ConnectionKind, { server, tenant, group }: Scope): string {
  const what = [tenant, group, server].filter((part) => part !== undefined).join('-');
  const words = what.toLowerCase().replace(/[^a-z0-9-]+/g, '-');
  const id = [kind === 'mcp' ? 'toolgate' : 'toolgate-api', words].filter((part) => part !== '').join('-');
  if (id.length <= 16 && words === what) return id;
  return `tg-${createHash('sha256').update(`${kind} ${what}`).digest('hex').slice(0, 12)}`;
}

export interface Wanted {
  readonly kind: ConnectionKind;
  readonly gateUrl: string;
  readonly scope: Scope;
  readonly key: string;
  /** Of the OpenAPI document, below the URL. */
  readonly document: string;
}

/**
 * `was` is the entry that has this id already: everything that is not Toolgate's business in it stays, also whom an
 * administrator lets use it. A first one is for everybody, because Toolgate decides for each person.
 */
export function connectionFor({ kind, gateUrl, scope, key, document }: Wanted, was?: ToolServer): ToolServer {
  const name = ['Toolgate', scope.tenant, scope.group, scope.server].filter(Boolean).join(' ');
  const description = 'The tools that each person may use, through Toolgate.';
  return {
    ...was,
    type: kind,
    url: `${gateUrl}${pathOf(kind, scope)}`,
    path: kind === 'mcp' ? '' : document,
    auth_type: 'bearer',
    key,
    config: was === undefined ? { enable: true, access_grants: everyone } : { ...was.config, enable: true },
    info: { name, description, ...was?.info, id: connectionId(kind, scope) },
  };
}

export interface Merged {
  readonly list: readonly ToolServer[];
  readonly change: 'add' | 'update' | 'none';
}

/** The list with this connection in it, all others as they were. */
export function mergeInto(list: readonly ToolServer[], one: ToolServer): Merged {
  const at = list.findIndex(({ info }) => info?.id === one.info?.id);
  const was = list[at];
  if (was === undefined) return { list: [...list, one], change: 'add' };
  if (isDeepStrictEqual(was, one)) return { list, change: 'none' };
  return { list: list.with(at, one), change: 'update' };
}
