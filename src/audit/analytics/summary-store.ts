import { type RawBuilder, sql } from 'kysely';
import type { z } from 'zod';
import type { Db } from '../../platform/db/index.ts';
import { clean } from '../clean.ts';
import type { api } from '../contract.ts';

type Query = z.infer<typeof api.summary.query>;
type Line = z.input<typeof api.summary.output>['items'][number];

const limits = [10, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000];
const hourlyUpToMs = 15 * 86_400_000;

const failed = sql`outcome in ('upstream_error', 'timeout', 'error')`;
const refused = sql`outcome in ('denied', 'unauthenticated', 'rate_limited', 'no_credential', 'bad_request')`;

/** Requests of a span, counted by time or name: the most first, or by time the oldest first. */
export async function summarize(db: Db, query: Query): Promise<Line[]> {
  const { rows } = await (query.by === 'user' ? byUser(query) : counted(query)).execute(db);
  return rows.map(({ took, ...line }) => ({ ...line, p95Ms: percentile(took, 0.95) }));
}

type Row = Omit<Line, 'p95Ms'> & { readonly took: readonly number[] };

function counted({ from, to, by, tenant, server, limit }: Query): RawBuilder<Row> {
  const isShort = Date.parse(to) - Date.parse(from) <= hourlyUpToMs;
  const [table, time] =
    by === 'hour' || (isShort && by !== 'day') ? (['hourly', 'hour'] as const) : (['daily', 'day'] as const);
  const isTime = by === 'hour' || by === 'day';
  const key = isTime
    ? sql`to_char(${sql.id(time)} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')`
    : sql.id(by);
  return sql<Row>`
    select ${key} as key, sum(requests)::double precision as requests,
      coalesce(sum(requests) filter (where ${failed}), 0)::double precision as failed,
      coalesce(sum(requests) filter (where ${refused}), 0)::double precision as refused,
      sum(milliseconds) / greatest(sum(requests), 1) as "averageMs",
      array[${sql.join([...limits, 0].map((_, at) => sql`sum(took[${sql.lit(at + 1)}])`))}]::double precision[] as took,
      sum(bytes_in)::double precision as "bytesIn", sum(bytes_out)::double precision as "bytesOut"
    from ${sql.id('mcp_proxy', `analytics_${table}`)}
    where ${sql.id(time)} >= date_trunc(${time}, ${from}::timestamptz, 'UTC') and ${sql.id(time)} < ${to}::timestamptz
      and ${only('tenant', tenant)} and ${only('server', server)}
    group by 1 order by ${isTime ? sql`1` : sql`2 desc, 1`} limit ${isTime ? 20_000 : limit}`;
}

/** Nobody's name is in the counts: this counts the records themselves, as long as they are kept. */
function byUser({ from, to, tenant, server, limit }: Query): RawBuilder<Row> {
  return sql<Row>`
    select coalesce(user_email, '') as key, count(*)::double precision as requests,
      count(*) filter (where ${failed})::double precision as failed,
      count(*) filter (where ${refused})::double precision as refused, avg(response_time_ms) as "averageMs",
      array[${sql.join(
        limits.map(
          (limit, at) =>
            sql`count(*) filter (where response_time_ms <= ${limit} and response_time_ms > ${limits[at - 1] ?? -1})`,
        ),
      )}, count(*) filter (where response_time_ms > 10000)]::double precision[] as took,
      sum(bytes_in)::double precision as "bytesIn", sum(bytes_out)::double precision as "bytesOut"
    from mcp_proxy.api_analytics
    where timestamp >= ${from}::timestamptz and timestamp < ${to}::timestamptz
      and ${only('tenant_id', tenant)} and ${only('server_id', server)}
    group by 1 order by 2 desc, 1 limit ${limit}`;
}

function only(column: string, wanted: string | undefined): RawBuilder<unknown> {
  return wanted === undefined ? sql`true` : sql`${sql.id(column)} = ${clean(wanted)}`;
}

/** The limit that so many are at or below; null when it is above all of them. */
function percentile(took: readonly number[], part: number): number | null {
  const all = took.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [at, count] of took.entries()) {
    seen += count;
    if (seen >= all * part) return limits[at] ?? null;
  }
  return null;
}
