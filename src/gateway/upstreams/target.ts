import { createHash } from 'node:crypto';
import path from 'node:path';
import type { Endpoint, SnapshotServer, Tenant } from '../../access/index.ts';
import {
  credentialNames,
  expandHeaders,
  expandText,
  expandUrl,
  type FoundCredential,
} from '../../secrets/index.ts';
import { expandEnvironment } from '../../platform/variables.ts';
import { type Destination, UpstreamError } from '../connectors/contract.ts';

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

/** What definitions lean on: variables, and the directory that relative paths of stdio servers begin at. */
export interface Surroundings {
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly directory: string;
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

/**
 * Fills every placeholder in; opens the sealed credentials. The result is for a connector and nobody else.
 * Throws UpstreamError where a value of the gate's own environment would go to an address that the operator did
 * not write.
 */
export function destinationOf(target: Target, around: Surroundings): Destination {
  const { env, directory } = around;
  const { definition } = target.server;
  const secret = (name: string) => {
    const found = target.credentials.get(name);
    // attachCredentials refuses a call whose server lacks a credential, so this is a fault of the gate.
    if (!found) throw new Error(`credential ${name} of ${target.server.id} was not attached`);
    return kept(found.open());
  };
  const secrets: string[] = [];
  const kept = (value: string) => {
    secrets.push(value);
    return value;
  };
  const own = (text: string) => expandEnvironment(text, (name) => kept(ownValue(name, target, env)));
  if (definition.type !== 'stdio') {
    const headers = Object.fromEntries(
      Object.entries(definition.headers).map(([name, value]) => [name, own(value)]),
    );
    return {
      type: definition.type,
      url: expandUrl(own(target.url ?? definition.url), secret),
      headers: expandHeaders(headers, secret),
    };
  }
  const fill = (text: string) => expandText(own(text), secret);
  return {
    type: 'stdio',
    command: own(definition.command),
    args: definition.args.map(fill),
    env: Object.fromEntries(Object.entries(definition.env).map(([name, value]) => [name, fill(value)])),
    cwd: path.resolve(directory, definition.cwd ?? '.'),
    secrets,
  };
}

/** A value of the gate's own environment, which goes only where the operator said. */
function ownValue(name: string, target: Target, env: Readonly<Record<string, string | undefined>>): string {
  const { id } = target.server;
  const refused = (why: string) => new UpstreamError('unauthorized', `The server "${id}" ${why}.`);
  if (!target.trusted) {
    throw refused('uses a key of the gate’s environment, which goes only to the address in the config file');
  }
  const value = Object.hasOwn(env, name) ? env[name] : undefined;
  if (value === undefined) throw refused(`needs the environment variable ${name}, which is not set`);
  return value;
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
