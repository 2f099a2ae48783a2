import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';

/** Makes the partitions of the weeks from then to then that are missing; returns how many. For the owner of the tables. */
export async function makeWeeks(owner: Db, since: Date, until: Date): Promise<number> {
  const { rows } = await sql<{ made: number }>`
    select mcp_proxy.make_weeks(${since}, ${until}) as made`.execute(owner);
  return rows[0]?.made ?? 0;
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

/** Deletes the partition of one week. */
export async function dropWeek(owner: Db, week: Date): Promise<void> {
  const name = `api_analytics_${week.toISOString().slice(0, 10).replaceAll('-', '')}`;
  await sql`drop table mcp_proxy.${sql.id(name)}`.execute(owner);
}

/** Deletes up to `limit` of those records before then that are in no week; returns how many. */
export async function deleteRest(owner: Db, before: Date, limit: number): Promise<number> {
  const { numAffectedRows } = await sql`
    delete from mcp_proxy.api_analytics_rest where ctid = any(array(
      select ctid from mcp_proxy.api_analytics_rest where timestamp < ${before} limit ${limit}))`.execute(
    owner,
  );
  return Number(numAffectedRows ?? 0);
}
