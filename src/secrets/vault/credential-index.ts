import type { Level } from '../binding.ts';
import type { CredentialQuestion } from '../credential.ts';
import { SealedCredential } from './sealed-credential.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import type { SealedRow } from './vault-store.ts';

/** What is stored under one name of one server. Most servers have keys of tenants alone, and pay for nothing else. */
interface Slot {
  shared: SealedCredential | null;
  tenants: Map<string, SealedCredential> | null;
  /** By owner; one for each tenant that it was set for, and one for none. */
  groups: Map<string, SealedCredential[]> | null;
  users: Map<string, SealedCredential[]> | null;
}

/** Every stored credential by where it is looked for. */
export class CredentialIndex {
  readonly #box: SecretBox;
  readonly #byId = new Map<string, SealedCredential>();
  readonly #servers = new Map<string, Map<string, Slot>>();
  /** Thousands of rows hold the same few ids of tenants and servers. */
  readonly #texts = new Map<string, string>();

  constructor(box: SecretBox) {
    this.#box = box;
  }

  get size(): number {
    return this.#byId.size;
  }

  /**
   * The one that applies: the user's, else a group's, else the tenant's, else the shared one. Within a level one of the
   * active tenant comes before one of no tenant, and then the first group by name. Those of no tenant stay away from an
   * address that the tenant set for itself, but for the shared one, which is meant for wherever the server is.
   */
  find(q: CredentialQuestion): SealedCredential | null {
    const slot = this.#servers.get(q.server)?.get(q.name);
    if (slot === undefined) return null;
    const own = slot.users && q.user !== null ? ofUser(slot.users, q.user, q) : undefined;
    const ofGroups = own ?? (slot.groups && ofGroup(slot.groups, q));
    const ofTenant = q.tenant === null ? undefined : slot.tenants?.get(q.tenant);
    return ofGroups ?? ofTenant ?? slot.shared;
  }

  /** Everything that is set at a level under one name of a server; of everybody when `owner` is left out. */
  *at(level: Level, { server, name }: { server: string; name: string }, owner?: string | null) {
    const slot = this.#servers.get(server)?.get(name);
    if (slot === undefined) return;
    if (level === 'shared' && slot.shared) yield slot.shared;
    if (level === 'tenant' && slot.tenants) yield* chosen(slot.tenants, owner);
    if (level === 'group' && slot.groups) for (const held of chosen(slot.groups, owner)) yield* held;
    if (level === 'user' && slot.users) for (const held of chosen(slot.users, owner)) yield* held;
  }

  /** Takes rows in, new or changed; an object that is the same as before stays the same. */
  put(rows: readonly SealedRow[]): void {
    for (const row of rows) {
      const before = this.#byId.get(row.id);
      if (before?.isOf(row)) continue;
      if (before) this.#remove(before);
      const made = new SealedCredential(this.#thrifty(row), this.#box);
      this.#byId.set(row.id, made);
      this.#place(made);
    }
  }

  /** How many there will be when these rows are taken in. */
  sizeWith(rows: readonly SealedRow[]): number {
    return this.size + rows.filter(({ id }) => !this.#byId.has(id)).length;
  }

  /** Forgets every one that is not among these. Comes before others are taken in. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, credential] of this.#byId) if (!ids.has(id)) this.#remove(credential);
  }

  #place(credential: SealedCredential): void {
    const { server, name, owner, ownerId } = credential;
    const names = this.#servers.get(server) ?? new Map<string, Slot>();
    this.#servers.set(server, names);
    const slot = names.get(name) ?? { shared: null, tenants: null, groups: null, users: null };
    names.set(name, slot);
    if (owner === 'tenant') (slot.tenants ??= new Map()).set(ownerId ?? '', credential);
    else if (owner === 'group') add((slot.groups ??= new Map()), ownerId ?? '', credential);
    else if (owner === 'user') add((slot.users ??= new Map()), ownerId ?? '', credential);
    else slot.shared = credential;
  }

  #remove(credential: SealedCredential): void {
    const { id, server, name, owner, ownerId } = credential;
    this.#byId.delete(id);
    const slot = this.#servers.get(server)?.get(name);
    if (slot === undefined) return;
    // Another one may have taken its place by then.
    const isThere = (one: SealedCredential | null | undefined) => one === credential;
    if (owner === 'tenant' && isThere(slot.tenants?.get(ownerId ?? ''))) slot.tenants?.delete(ownerId ?? '');
    else if (owner === 'shared' && isThere(slot.shared)) slot.shared = null;
    else if (owner === 'group') take(slot.groups, ownerId ?? '', credential);
    else if (owner === 'user') take(slot.users, ownerId ?? '', credential);
    if (slot.tenants?.size === 0) slot.tenants = null;
    if (slot.groups?.size === 0) slot.groups = null;
    if (slot.users?.size === 0) slot.users = null;
  }

  #thrifty(row: SealedRow): SealedRow {
    const { tenant, server, name, owner } = row;
    const id = owner.level === 'tenant' ? this.#once(owner.id) : owner.id;
    return {
      ...row,
      tenant: this.#once(tenant),
      server: this.#once(server),
      name: this.#once(name),
      owner: { ...owner, id },
    };
  }

  #once<T extends string | null>(text: T): T {
    if (text === null) return text;
    const known = this.#texts.get(text);
    if (known === undefined) this.#texts.set(text, text);
    return (known ?? text) as T; // The same characters.
  }
}

function ofUser(
  users: ReadonlyMap<string, readonly SealedCredential[]>,
  user: string,
  q: CredentialQuestion,
): SealedCredential | undefined {
  const held = users.get(user);
  return held && (inTenant(held, q.tenant) ?? (q.elsewhere ? undefined : inTenant(held, null)));
}

/** A key of the tenant in any group comes before one of no tenant: it was set for exactly this work. */
function ofGroup(
  groups: ReadonlyMap<string, readonly SealedCredential[]>,
  q: CredentialQuestion,
): SealedCredential | undefined {
  let ofNoTenant: SealedCredential | undefined;
  for (const group of q.groups) {
    const held = groups.get(group);
    if (held === undefined) continue;
    const own = q.tenant === null ? undefined : inTenant(held, q.tenant);
    if (own) return own;
    ofNoTenant ??= inTenant(held, null);
  }
  return q.elsewhere ? undefined : ofNoTenant;
}

function inTenant(held: readonly SealedCredential[], tenant: string | null): SealedCredential | undefined {
  for (const one of held) if (one.tenant === tenant) return one;
  return undefined;
}

function* chosen<T>(all: ReadonlyMap<string, T>, owner: string | null | undefined): Iterable<T> {
  if (owner === undefined) yield* all.values();
  const one = typeof owner === 'string' ? all.get(owner) : undefined;
  if (one !== undefined) yield one;
}

function add(all: Map<string, SealedCredential[]>, owner: string, credential: SealedCredential): void {
  const held = all.get(owner);
  if (held === undefined) all.set(owner, [credential]);
  else held.push(credential);
}

function take(
  all: Map<string, SealedCredential[]> | null,
  owner: string,
  credential: SealedCredential,
): void {
  const left = all?.get(owner)?.filter((one) => one !== credential) ?? [];
  if (left.length > 0) all?.set(owner, left);
  else all?.delete(owner);
}
