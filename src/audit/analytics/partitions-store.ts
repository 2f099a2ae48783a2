import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import { refusedOutcomes } from '../export-store.ts';
import { writeAudit } from '../store.ts';

/** All of these are for the owner of the tables. Whoever waits for a lock keeps others waiting: each tries for so long. */
interface Brief {
  readonly lockMs: number;
}

const weekMs = 7 * 86_400_000;

/** The first days of the weeks from then to then that have no partition. */
export async function missingWeeks(owner: Db, since: Date, until: Date): Promise<Date[]> {
  const { rows } = await sql<{ week: Date }>`
    select week from generate_series(date_trunc('week', ${since}::timestamptz, 'UTC'), ${until}::timestamptz, interval '7 days') week
    where to_regclass('mcp_proxy.api_analytics_' || to_char(week at time zone 'UTC', 'YYYYMMDD')) is null
    order by 1`.execute(owner);
  return rows.map(({ week }) => week);
}

/** Makes all partitions of the weeks from then to then that are missing, where there was none; reading and writing wait. */
export async function makeWeeks(owner: Db, since: Date, until: Date, brief: Brief): Promise<void> {
  await briefly(owner, brief, async (trx) => {
    await sql`select mcp_proxy.make_weeks(${since}, ${until})`.execute(trx);
  });
}

/**
 * Makes one partition and puts it beside the others. What is stored meanwhile in another week waits for nothing; only what
 * uses the rest does, which is looked through for what belongs to that week, as `make_weeks` does.
 */
export async function attachWeek(owner: Db, week: Date, brief: Brief): Promise<void> {
  const table = tableOf(week);
  const [from, to] = [week, new Date(week.getTime() + weekMs)];
  await briefly(owner, brief, async (trx) => {
    await sql`create table ${table} (like mcp_proxy.api_analytics including defaults)`.execute(trx);
    await sql`alter table ${table} enable row level security`.execute(trx);
    await revokeWeek(trx, week);
    await sql`lock table mcp_proxy.api_analytics_rest in access exclusive mode`.execute(trx);
    const isOfWeek = sql`r.id >= mcp_proxy.first_id(${from}::timestamptz) and r.id < mcp_proxy.first_id(${to}::timestamptz)`;
    await sql`
      update mcp_proxy.api_analytics_rest r set id = overlay(r.id::text placing 'ffffffff-ffff-8' from 1)::uuid
      where ${isOfWeek} and (r.timestamp < ${from} or r.timestamp >= ${to})`.execute(trx);
    await sql`
      with moved as (delete from mcp_proxy.api_analytics_rest r where ${isOfWeek} returning r.*)
      insert into ${table} select * from moved`.execute(trx);
    await sql`
      alter table mcp_proxy.api_analytics attach partition ${table}
        for values from (${firstIdOf(from)}) to (${firstIdOf(to)})`.execute(trx);
  });
}

/** It is reached through the whole alone, whose walls hold. */
async function revokeWeek(trx: Db, week: Date): Promise<void> {
  const { rows } = await sql<{ role: string }>`
    select rolname as role from pg_roles where rolname = mcp_proxy.app_role()`.execute(trx);
  for (const { role } of rows) await sql`revoke all on ${tableOf(week)} from ${sql.id(role)}`.execute(trx);
}

/** The first days of the weeks that have a partition, oldest first. */
export async function listWeeks(owner: Db): Promise<Date[]> {
  const { rows } = await sql<{ week: Date }>`
    select to_date(substring(c.relname from '[0-9]{8}$'), 'YYYYMMDD')::timestamp at time zone 'UTC' as week
    from pg_inherits i join pg_class c on c.oid = i.inhrelid
    where i.inhparent = 'mcp_proxy.api_analytics'::regclass and c.relname ~ '_[0-9]{8}$' order by 1`.execute(
    owner,
  );
  return rows.map(({ week }) => week);
}

/** How far somebody has come with the records in the order in which they were stored. */
export interface Taken {
  readonly refusedOnly: boolean;
  readonly storedAt: string;
  readonly id: string;
}

/** How many records of a week, or of those before a time that are in no week, somebody has not taken. */
export async function countUntaken(
  owner: Db,
  of: { readonly week: Date } | { readonly restBefore: Date },
  { refusedOnly, storedAt, id }: Taken,
): Promise<number> {
  const [table, isMeant] =
    'week' in of
      ? [tableOf(of.week), sql`true`]
      : [sql`mcp_proxy.api_analytics_rest`, sql`timestamp < ${of.restBefore}`];
  const { rows } = await sql<{ count: number }>`
    select count(*)::double precision as count from ${table}
    where stored_at >= ${storedAt}::timestamptz and (stored_at, id) > (${storedAt}::timestamptz, ${id}::uuid)
      and ${isMeant} and (not ${refusedOnly}::boolean or outcome in (${refusedOutcomes}))`.execute(owner);
  return rows[0]?.count ?? 0;
}

export async function countWeek(owner: Db, week: Date): Promise<number> {
  const { rows } = await sql<{ count: number }>`
    select count(*)::double precision as count from ${tableOf(week)}`.execute(owner);
  return rows[0]?.count ?? 0;
}

/**
 * Deletes the partition of one week, and records `note` when there was something in it. False, and nothing is done, when something in it was stored since
 * `youngest`: then the time that says that the week is over is wrong.
 */
export async function dropWeek(
  owner: Db,
  o: { readonly week: Date; readonly youngest: Date; readonly note: { readonly records: number } },
  brief: Brief,
): Promise<boolean> {
  return briefly(owner, brief, async (trx) => {
    // Whoever reads locks the whole first, and so does this: the other way round each would wait for the other.
    await sql`lock table only mcp_proxy.api_analytics in access exclusive mode`.execute(trx);
    const { rows } = await sql<{ isYoung: boolean | null }>`
      select max(stored_at) > ${o.youngest} as "isYoung" from ${tableOf(o.week)}`.execute(trx);
    if (rows[0]?.isYoung) return false;
    await sql`drop table ${tableOf(o.week)}`.execute(trx);
    if (o.note.records > 0) await noteRetention(trx, o.note);
    return true;
  });
}

/**
 * Deletes up to `limit` of those records that are in no week: of before `before` those that were stored before
 * `takenUpTo`, of before `lastBefore` all; but none that was stored since `before`, whatever its own time says. Those from
 * before there were weeks all say that they were stored when the weeks came. Returns how many.
 */
export async function deleteRest(
  owner: Db,
  o: { readonly before: Date; readonly takenUpTo: string; readonly lastBefore: Date },
  limit: number,
): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from mcp_proxy.api_analytics_rest where ctid = any(array(
      select ctid from mcp_proxy.api_analytics_rest where timestamp < ${o.before}
        and (stored_at < ${o.takenUpTo}::timestamptz or timestamp < ${o.lastBefore})
        and (stored_at < ${o.before} or stored_at <= (
          select applied_at from mcp_proxy.schema_migrations where name = '0015_analytics_partitions.sql'))
      limit ${limit}))`.execute(owner);
  return Number(numAffectedRows ?? 0);
}

/** What was deleted because it is kept no longer. */
export async function noteRetention(db: Db, note: object): Promise<void> {
  await writeAudit(db, {
    ...{ actor: 'toolgate', action: 'records.retention', targetKind: 'table', targetId: 'api_analytics' },
    after: note,
  });
}

function tableOf(week: Date): RawBuilder<unknown> {
  return sql.id('mcp_proxy', `api_analytics_${week.toISOString().slice(0, 10).replaceAll('-', '')}`);
}

/** As a literal: bounds of partitions take no parameters. */
function firstIdOf(at: Date): RawBuilder<unknown> {
  const time = at.getTime().toString(16).padStart(12, '0');
  return sql.lit(`${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`);
}

function briefly<T>(owner: Db, { lockMs }: Brief, work: (trx: Db) => Promise<T>): Promise<T> {
  return owner.transaction().execute(async (trx) => {
    await sql`set local lock_timeout to ${sql.lit(lockMs)}`.execute(trx);
    return work(trx);
  });
}
