import { createHash } from 'node:crypto';
import { type Filled, fillIn, type SnapshotServer, type Tenant } from '../../access/index.ts';
import { credentialNames, type FoundCredential } from '../../secrets/index.ts';
import { headersOf } from '../connect/account-headers.ts';

/** One server as one caller reaches it: which address, whose credentials, shared with whom. */
export interface Target {
  readonly server: SnapshotServer;
  readonly tenant: string | null;
  /** Its definition for this tenant, but for credentials. */
  readonly filled: Filled;
  /** Where it is for this tenant; undefined for stdio. */
  readonly url: string | undefined;
  /** The credentials that its definition asks for, by name. */
  readonly credentials: ReadonlyMap<string, FoundCredential>;
  /** Who shares the connection: empty for everyone, else a tenant, a group within one, a user or a session. */
  readonly scope: string;
  /** The one person or program that has it alone; undefined where it is shared. */
  readonly holder: string | undefined;
  /** Identity of the connection: two targets with the same key may share one, any others never do. */
  readonly key: string;
  /** Whose lists it may be shown before it is connected to; undefined: nobody else's. */
  readonly kin: Kin | undefined;
  /** The operator wrote every part of the address, so it may be on a private network. */
  readonly trusted: boolean;
}

/** Targets that differ by nothing but whose session or person they are for. */
export interface Kin {
  /** The same for all of them. */
  readonly key: string;
  /** A process of theirs begins empty-handed each time; others have a directory that may hold what is its owner's. */
  readonly beginsEmpty: boolean;
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

/** `filled` is the server as the active tenant has it; undefined: as it stands. */
export function makeTarget(
  server: SnapshotServer,
  asking: Asking,
  filled: Filled | undefined,
  credentials: ReadonlyMap<string, FoundCredential>,
): Target {
  const there = filled ?? asItStands(server);
  const { url, mark, trusted } = there;
  const tenant = asking.tenant?.id ?? null;
  const scope = scopeOf(server, asking, credentials);
  const used = [...credentials.values()].map((credential) => `${credential.id}@${credential.version}`).sort();
  // Whoever acts for two tenants leaves nothing of one where the other finds it.
  const boundary = scope === '' ? null : tenant;
  const address = [url ?? '', mark, trusted, there.takesEnvironment];
  // JSON, because an address or a name may hold whatever separates two others.
  const keyWith = (whose: unknown) =>
    JSON.stringify([server.id, definitionKey(server), ...address, whose, boundary, ...used]);
  const key = keyWith(scope);
  const holder = /^(?:user|session):/.test(scope) ? asking.principal : undefined;
  const kin = holder === undefined ? undefined : kinOf(there, asking, { server, credentials, keyWith });
  return { server, tenant, filled: there, url, credentials, scope, holder, key, kin, trusted };
}

/** Text for the directory of its own that a process has. */
const ownDirectory = '${dataDir}';

function kinOf(
  { args, env }: Filled,
  { principal }: Asking,
  o: {
    readonly server: SnapshotServer;
    readonly credentials: ReadonlyMap<string, FoundCredential>;
    /** The key of the target, were it this one's. */
    keyWith(whose: unknown): string;
  },
): Kin | undefined {
  const { isolation } = o.server.definition;
  if (isolation !== 'session' && isolation !== 'user') return undefined;
  const hasDirectory = [...args, ...Object.values(env)].some((text) => text.includes(ownDirectory));
  const beginsEmpty = isolation === 'session' && !hasDirectory;
  // Some keys of people bear no id that tells one from another.
  const isPersonal = [...o.credentials.values()].some(({ owner }) => owner === 'user');
  if (isPersonal && isolation === 'user') return undefined;
  return { key: o.keyWith(['kin', beginsEmpty, isPersonal ? principal : null]), beginsEmpty };
}

function asItStands(server: SnapshotServer): Filled {
  const filled = fillIn(server, { tenant: null, override: undefined, variableOf: () => undefined });
  if (filled.ok) return filled;
  throw new Error(`the server ${server.id} was not filled in for a tenant`);
}

/**
 * Default: shared when no credential is used, else the owner of the most specific one. A server whose address differs
 * for this tenant is another server, which its URL in the key takes care of.
 */
function scopeOf(
  server: SnapshotServer,
  asking: Asking,
  credentials: ReadonlyMap<string, FoundCredential>,
): string {
  const chosen = server.definition.isolation ?? ownerOf(credentials);
  if (chosen === 'session') return `session:${asking.session ?? asking.principal}`;
  if (chosen === 'user') return `user:${asking.principal}`;
  if (chosen === 'tenant') return `tenant:${asking.tenant?.id ?? ''}`;
  if (chosen === 'shared') return '';
  return `group:${asking.tenant?.id ?? ''}:${chosen.group}`;
}

/** Whose the most specific of these credentials is. */
function ownerOf(
  credentials: ReadonlyMap<string, FoundCredential>,
): 'user' | 'tenant' | 'shared' | { readonly group: string } {
  const all = [...credentials.values()];
  const isThere = (level: FoundCredential['owner']) => all.some(({ owner }) => owner === level);
  if (isThere('user')) return 'user';
  const ofGroup = all.find(({ owner }) => owner === 'group');
  if (ofGroup) return { group: ofGroup.ownerId ?? '' };
  return isThere('tenant') ? 'tenant' : 'shared';
}

const needed = new WeakMap<SnapshotServer | Filled, readonly string[]>();

/** Names of the credentials that a server asks for as a tenant has it; undefined: as it stands. */
export function neededCredentials(server: SnapshotServer, filled: Filled | undefined): readonly string[] {
  const known = needed.get(filled ?? server);
  if (known) return known;
  const names = credentialNames(filled ? filledTexts(server, filled) : textsOf(server));
  needed.set(filled ?? server, names);
  return names;
}

function filledTexts(server: SnapshotServer, { url, headers, args, env }: Filled): string[] {
  return [url ?? '', ...Object.values(headersOf(server, headers, url)), ...args, ...Object.values(env)];
}

function textsOf(server: SnapshotServer): string[] {
  const { definition } = server;
  if (definition.type === 'stdio') return [...definition.args, ...Object.values(definition.env)];
  return [definition.url, ...Object.values(headersOf(server, definition.headers, definition.url))];
}
