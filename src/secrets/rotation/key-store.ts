// Which master keys there are, which one is in force, and who is at a rotation. The operator's scope.
import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';

export interface KeyRow {
  readonly id: string;
  readonly isCurrent: boolean;
  readonly firstUsedAt: Date;
  readonly retiredAt: Date | null;
  /** Since when everything is to be sealed under it; null while nobody asked. */
  readonly rotationAskedAt: Date | null;
}

export async function loadKeys(db: Db): Promise<KeyRow[]> {
  const { rows } = await sql<KeyRow>`
    select id, is_current as "isCurrent", first_used_at as "firstUsedAt", retired_at as "retiredAt",
      rotation_asked_at as "rotationAskedAt"
    from mcp_proxy.master_keys order by first_used_at, id`.execute(db);
  return rows;
}

/** Puts the first key in force, unless one is: of several processes that start at once, one decides. */
export async function designateFirst(db: Db, id: string): Promise<void> {
  await sql`
    insert into mcp_proxy.master_keys (id, is_current)
    select ${id}, true where not exists (select 1 from mcp_proxy.master_keys where is_current)
    on conflict do nothing`.execute(db);
}

/** One rotation, or one change of the key file, at a time in the whole installation; until the transaction ends. */
export async function lockRotation(trx: Db): Promise<void> {
  await sql`select pg_advisory_xact_lock(hashtextextended('toolgate master keys', 0))`.execute(trx);
}

/**
 * Puts a key in force and asks that everything be sealed under it; false for one that was retired. Needs
 * `lockRotation`.
 */
export async function designate(trx: Db, id: string): Promise<boolean> {
  await sql`update mcp_proxy.master_keys set is_current = false where is_current and id <> ${id}`.execute(
    trx,
  );
  const { rows } = await sql`
    insert into mcp_proxy.master_keys as known (id, is_current, rotation_asked_at) values (${id}, true, now())
    on conflict (id) do update set is_current = true, rotation_asked_at = now() where known.retired_at is null
    returning 1`.execute(trx);
  return rows.length > 0;
}

/** The row of a key that was perhaps never in force, so that it can be locked. */
export async function knowKey(db: Db, id: string): Promise<void> {
  await sql`insert into mcp_proxy.master_keys (id) values (${id}) on conflict do nothing`.execute(db);
}

/** Waits for everybody who is sealing under the key at this moment, and makes those who come later wait. */
export async function lockKey(trx: Db, id: string): Promise<KeyRow | null> {
  const { rows } = await sql<KeyRow>`
    select id, is_current as "isCurrent", first_used_at as "firstUsedAt", retired_at as "retiredAt",
      rotation_asked_at as "rotationAskedAt"
    from mcp_proxy.master_keys where id = ${id} for update`.execute(trx);
  return rows[0] ?? null;
}

export async function markRetired(trx: Db, id: string): Promise<void> {
  await sql`update mcp_proxy.master_keys set retired_at = now() where id = ${id} and retired_at is null`.execute(
    trx,
  );
}

/** Takes or renews the lease of the rotation to this key: true when it is this process's for so long. */
export async function takeLease(db: Db, id: string, by: string, seconds: number): Promise<boolean> {
  const { rows } = await sql`
    update mcp_proxy.master_keys set lease_by = ${by}, lease_until = now() + make_interval(secs => ${seconds})
    where id = ${id} and is_current and (lease_by = ${by} or lease_until is null or lease_until < now())
    returning 1`.execute(db);
  return rows.length > 0;
}

export async function dropLease(db: Db, id: string, by: string): Promise<void> {
  await sql`
    update mcp_proxy.master_keys set lease_by = null, lease_until = null
    where id = ${id} and lease_by = ${by}`.execute(db);
}

/** Is a process at the rotation to the key in force? */
export async function isLeased(db: Db): Promise<boolean> {
  const { rows } = await sql`
    select 1 from mcp_proxy.master_keys where is_current and lease_until > now()`.execute(db);
  return rows.length > 0;
}
