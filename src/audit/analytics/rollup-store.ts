import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';

/** Different names of servers, and of tools of one server, that an hour keeps; the rest are one. Callers can make up any. */
const mostServers = 500;
const mostTools = 200;
/** The name of the rest: no server or tool can have it. */
const rest = '*';

/** Hours with records that were stored since then, oldest first, but none before `oldest`. */
export async function touchedHours(db: Db, since: Date, oldest: Date): Promise<Date[]> {
  const { rows } = await sql<{ hour: Date }>`
    select distinct date_trunc('hour', timestamp, 'UTC') as hour from mcp_proxy.api_analytics
    where stored_at >= ${since} and timestamp >= ${oldest} order by 1`.execute(db);
  return rows.map(({ hour }) => hour);
}

/** What the clock of the database says, which `stored_at` is of. */
export async function databaseTime(db: Db): Promise<Date> {
  const { rows } = await sql<{ now: Date }>`select now() as now`.execute(db);
  return rows[0]?.now ?? new Date(0);
}

/** Counts an hour anew, whatever was counted before. */
export async function rollUpHour(db: Db, hour: Date): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`delete from mcp_proxy.analytics_hourly where hour = ${hour}`.execute(trx);
    await sql`
      with calls as (
        select coalesce(tenant_id, '') as tenant, coalesce(server_id, '') as server, coalesce(tool, '') as tool, face, outcome,
          response_time_ms as ms, bytes_in, bytes_out
        from mcp_proxy.api_analytics where timestamp >= ${hour} and timestamp < ${hour}::timestamptz + interval '1 hour'),
      servers as (
        select tenant, server from (
          select tenant, server, row_number() over (partition by tenant order by count(*) desc, server) as place
          from calls group by 1, 2) ranked where place <= ${mostServers}),
      tools as (
        select tenant, server, tool from (
          select tenant, server, tool, row_number() over (partition by tenant, server order by count(*) desc, tool) as place
          from calls join servers using (tenant, server) group by 1, 2, 3) ranked where place <= ${mostTools})
      insert into mcp_proxy.analytics_hourly
        (hour, tenant, server, tool, face, outcome, requests, milliseconds, took, bytes_in, bytes_out)
      select ${hour}::timestamptz, c.tenant, case when s.server is null then ${rest} else c.server end,
        case when t.tool is null then ${rest} else c.tool end, c.face, c.outcome, count(*), sum(ms),
        array[count(*) filter (where ms <= 10), count(*) filter (where ms > 10 and ms <= 50),
          count(*) filter (where ms > 50 and ms <= 100), count(*) filter (where ms > 100 and ms <= 250),
          count(*) filter (where ms > 250 and ms <= 500), count(*) filter (where ms > 500 and ms <= 1000),
          count(*) filter (where ms > 1000 and ms <= 2500), count(*) filter (where ms > 2500 and ms <= 5000),
          count(*) filter (where ms > 5000 and ms <= 10000), count(*) filter (where ms > 10000)],
        sum(c.bytes_in), sum(c.bytes_out)
      from calls c left join servers s using (tenant, server) left join tools t using (tenant, server, tool)
      group by 2, 3, 4, 5, 6`.execute(trx);
  });
}

/** Adds up the hours of a day anew. */
export async function rollUpDay(db: Db, day: Date): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await sql`delete from mcp_proxy.analytics_daily where day = ${day}`.execute(trx);
    await sql`
      insert into mcp_proxy.analytics_daily
        (day, tenant, server, tool, face, outcome, requests, milliseconds, took, bytes_in, bytes_out)
      select ${day}::timestamptz, tenant, server, tool, face, outcome, sum(requests), sum(milliseconds),
        array[sum(took[1]), sum(took[2]), sum(took[3]), sum(took[4]), sum(took[5]), sum(took[6]), sum(took[7]),
          sum(took[8]), sum(took[9]), sum(took[10])]::bigint[],
        sum(bytes_in), sum(bytes_out)
      from mcp_proxy.analytics_hourly
      where hour >= ${day} and hour < ${day}::timestamptz + interval '1 day'
      group by tenant, server, tool, face, outcome`.execute(trx);
  });
}

export async function deleteRollups(db: Db, before: Date): Promise<void> {
  await sql`delete from mcp_proxy.analytics_hourly where hour < ${before}`.execute(db);
  await sql`delete from mcp_proxy.analytics_daily where day < ${before}`.execute(db);
}
