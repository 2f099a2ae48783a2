import type { AuditEntry } from '../../audit/contract.ts';
import { writeAudit } from '../../audit/index.ts';
import type { Actor } from '../../platform/contract.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { didYouMean } from '../../platform/mistakes.ts';
import { type Binding, groupOwner } from '../binding.ts';
import {
  credentialMalformed,
  credentialNotFound,
  groupNotFound,
  serverNotFound,
  tenantNotFound,
  userNotFound,
} from '../errors.ts';
import type { Needs } from '../needs.ts';
import { scope } from '../scope.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import * as store from './store.ts';

export interface KeyDeps {
  readonly database: Pick<Database, 'db' | 'forTenant'>;
  readonly box: SecretBox;
  readonly needs: Needs;
  /** Called after each committed change; usually the vault's `refresh`. */
  readonly changed: () => Promise<void>;
}

/** What a change knows of a key before the owner is looked up. */
export interface KeyPlace {
  readonly server: string;
  readonly name: string;
}

export interface KeyAnswer {
  readonly ok: true;
  readonly warnings: string[];
}

/** Seals and stores a value, with its audit entry. The value goes no further than this. */
export async function setKey(
  deps: KeyDeps,
  binding: Binding,
  value: string,
  actor: Actor,
): Promise<KeyAnswer> {
  refuseUnsendable(value);
  await requireUser(deps, binding);
  await scope(deps.database, binding.tenant)
    .transaction()
    .execute(async (trx) => {
      await requirePlace(trx, binding);
      await putKey(trx, { ...deps, actor }, binding, value);
    });
  await deps.changed();
  return { ok: true, warnings: warningsOf(deps.needs, binding, value) };
}

/** A group's key belongs to the tenant that the group belongs to at this moment. */
export async function setGroupKey(
  deps: KeyDeps,
  { group, ...place }: KeyPlace & { group: string },
  value: string,
  actor: Actor,
): Promise<KeyAnswer> {
  refuseUnsendable(value);
  // Whose it is turns out in here, so this is the operator's scope.
  const binding = await deps.database.db.transaction().execute(async (trx) => {
    const tenant = await store.groupTenant(trx, group);
    if (tenant === undefined) throw groupNotFound(group);
    const found = { ...place, tenant, owner: groupOwner(group) };
    await requirePlace(trx, found);
    await putKey(trx, { ...deps, actor }, found, value);
    return found;
  });
  await deps.changed();
  return { ok: true, warnings: warningsOf(deps.needs, binding, value) };
}

export async function removeKey(deps: KeyDeps, binding: Binding, actor: Actor): Promise<undefined> {
  await requireUser(deps, binding);
  await scope(deps.database, binding.tenant)
    .transaction()
    .execute(async (trx) => {
      if (await takeKey(trx, binding, actor)) return;
      await requirePlace(trx, binding);
      throw credentialNotFound(binding);
    });
  await deps.changed();
}

/** Of whichever tenants the group had: what is asked to be gone must not come back when a group moves. */
export async function removeGroupKey(
  deps: KeyDeps,
  { group, ...place }: KeyPlace & { group: string },
  actor: Actor,
): Promise<undefined> {
  await deps.database.db.transaction().execute(async (trx) => {
    const current = await store.groupTenant(trx, group);
    if (current === undefined) throw groupNotFound(group);
    const tenants = await store.tenantsOfGroupKey(trx, { group, ...place });
    const bindings = tenants.map((tenant) => ({ ...place, tenant, owner: groupOwner(group) }));
    for (const binding of bindings) await takeKey(trx, binding, actor);
    if (bindings.length > 0) return;
    const missing = { ...place, tenant: current, owner: groupOwner(group) };
    await requirePlace(trx, missing);
    throw credentialNotFound(missing);
  });
  await deps.changed();
}

async function putKey(
  trx: Db,
  { box, actor }: Pick<KeyDeps, 'box'> & { actor: Actor },
  binding: Binding,
  value: string,
): Promise<void> {
  const lastFour = lastFourOf(value);
  const sealed = box.seal(value, binding);
  const { previousLastFour } = await store.putSealed(trx, {
    ...binding,
    sealed,
    lastFour,
    updatedBy: actor.id,
  });
  await auditSet(trx, { binding, actor }, { before: previousLastFour, after: lastFour });
}

/** The record of a key that was set: the last four characters before, null for none, and after. */
export async function auditSet(
  trx: Db,
  { binding, actor, via }: { binding: Binding; actor: Actor; via?: string },
  { before, after }: { before: string | null; after: string },
): Promise<void> {
  await audit(trx, binding, actor, {
    action: 'credential.set',
    before: before === null ? null : shown(binding, before),
    after: { ...shown(binding, after), ...(via !== undefined && { via }) },
  });
}

/** Throws `credential_malformed` (400) for what no header, argument or environment can carry. */
export function refuseUnsendable(value: string): void {
  if (value.includes('\0')) throw credentialMalformed('holds a NUL character');
  if (!value.isWellFormed()) throw credentialMalformed('holds half a character');
}

/** Few enough characters of a long enough secret that they help to recognise it and not to guess it. */
export function lastFourOf(value: string): string {
  const characters = [...value];
  return characters.length >= 12 ? characters.slice(-4).join('') : '';
}

/** What may be a mistake, without saying anything of the value. */
export function warningsOf(needs: Needs, { server, name }: KeyPlace, value: string): string[] {
  const names = needs.namesOf(server);
  const unknown =
    names === undefined || names.includes(name)
      ? []
      : [`${server} asks for no key "${name}"${asksFor(names, name)}`];
  const isPadded = value !== value.trim();
  return [...unknown, ...(isPadded ? ['The key begins or ends with white space, which is sent along.'] : [])];
}

function asksFor(names: readonly string[], name: string): string {
  if (names.length === 0) return ', or for any: its definition holds no ${credential}.';
  return didYouMean(name, names) || `; it asks for ${names.map((one) => `"${one}"`).join(', ')}.`;
}

async function takeKey(trx: Db, binding: Binding, actor: Actor): Promise<boolean> {
  const deleted = await store.deleteSealed(trx, binding);
  if (!deleted) return false;
  const before = shown(binding, deleted.lastFour);
  await audit(trx, binding, actor, { action: 'credential.delete', before, after: null });
  return true;
}

function shown({ name, owner }: Binding, lastFour: string) {
  const isPersonal = owner.level === 'user' || owner.level === 'group';
  return { name, lastFour, ...(isPersonal && { [owner.level]: owner.id }) };
}

async function audit(
  trx: Db,
  { tenant, server }: Binding,
  actor: Actor,
  change: Pick<AuditEntry, 'action' | 'before' | 'after'>,
): Promise<void> {
  await writeAudit(trx, {
    actor: actor.id,
    targetKind: 'credential',
    targetId: server,
    tenant,
    ...change,
    requestId: actor.requestId,
    clientIp: actor.clientIp,
  });
}

/** Users belong to no tenant, so they are looked up in the operator's scope. */
async function requireUser({ database }: KeyDeps, { owner }: Binding): Promise<void> {
  if (owner.level !== 'user' || owner.id === null) return;
  if (!(await store.userExists(database.db, owner.id))) throw userNotFound(owner.id);
}

async function requirePlace(trx: Db, { tenant, server }: Binding): Promise<void> {
  if (tenant !== null && !(await store.tenantExists(trx, tenant))) throw tenantNotFound(tenant);
  if (!(await store.serverExists(trx, server))) throw serverNotFound(server);
}
