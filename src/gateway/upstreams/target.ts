import { createHash } from 'node:crypto';
import type { Endpoint, SnapshotServer, Tenant } from '../../access/index.ts';
import { credentialNames, type FoundCredential } from '../../secrets/index.ts';

/** One server as one caller reaches it: which address, whose credentials, shared with whom. */
export interface Target {
  readonly server: SnapshotServer;
  readonly tenant: string | null;
  /** Where it is for this tenant; undefined for stdio. */
  readonly url: string | undefined;
  /** The credentials that its definition asks for, by name. */
  readonly credentials: ReadonlyMap<string, FoundCredential>;
  /** Who shares the connection: empty for everyone, else a tenant, a user or a session. */
  readonly scope: string;
  /** Identity of the connection: two targets with the same key may share one, any others never do. */
  readonly key: string;
  /** The operator wrote the address himself, so it may be on a private network. */
  readonly trusted: boolean;
}

/** Who asks, as far as isolation looks at it. */
export interface Asking {
  readonly principal: string;
  readonly tenant: Tenant | null;
  readonly session: string | null;
}

const definitionKeys = new WeakMap<SnapshotServer, string>();

/** Changes whenever the server's definition does, but for what callers are told of its tools. */
export function definitionKey(server: SnapshotServer): string {
  const known = definitionKeys.get(server);
  if (known !== undefined) return known;
  const { toolOverrides: _texts, ...rest } = server.definition;
  const key = createHash('sha256').update(JSON.stringify(rest)).digest('base64url').slice(0, 16);
  definitionKeys.set(server, key);
  return key;
}

export function makeTarget(
  server: SnapshotServer,
  asking: Asking,
  override: Endpoint | undefined,
  credentials: ReadonlyMap<string, FoundCredential>,
): Target {
  const { definition } = server;
  const url = definition.type === 'stdio' ? undefined : (override?.url ?? definition.url);
  const tenant = asking.tenant?.id ?? null;
  const scope = scopeOf(server, asking, credentials);
  const used = [...credentials.values()].map((credential) => `${credential.id}@${credential.version}`).sort();
  const key = [server.id, definitionKey(server), url ?? '', scope, ...used].join('|');
  return { server, tenant, url, credentials, scope, key, trusted: (override ?? server).managedBy === 'file' };
}

/**
 * Default: shared when no credential is used, else the credential's owner. A server whose address differs for
 * this tenant is another server, which its URL in the key takes care of.
 */
function scopeOf(
  server: SnapshotServer,
  asking: Asking,
  credentials: ReadonlyMap<string, FoundCredential>,
): string {
  const owner = [...credentials.values()].find((credential) => credential.owner === 'tenant');
  const chosen = server.definition.isolation ?? (owner ? 'tenant' : 'shared');
  if (chosen === 'session') return `session:${asking.session ?? asking.principal}`;
  if (chosen === 'user') return `user:${asking.principal}`;
  if (chosen === 'tenant') return `tenant:${asking.tenant?.id ?? ''}`;
  return '';
}

const needed = new WeakMap<SnapshotServer, readonly string[]>();

/** Names of the credentials that a server's definition, and its address for this tenant, ask for. */
export function neededCredentials(server: SnapshotServer, override: Endpoint | undefined): readonly string[] {
  const own = needed.get(server) ?? credentialNames(textsOf(server));
  needed.set(server, own);
  return override?.url.includes('${') ? [...new Set([...own, ...credentialNames([override.url])])] : own;
}

function textsOf({ definition }: SnapshotServer): string[] {
  if (definition.type === 'stdio') return [...definition.args, ...Object.values(definition.env)];
  return [definition.url, ...Object.values(definition.headers)];
}
