// Which records a query is about.
import { type RawBuilder, sql } from 'kysely';
import { clean } from './clean.ts';

type Condition = RawBuilder<unknown>;
interface Span {
  readonly from?: string | undefined;
  readonly to?: string | undefined;
}

export interface AuditFilter extends Span {
  readonly search?: string | undefined;
  readonly actor?: string | undefined;
  readonly action?: string | undefined;
  readonly target?: string | undefined;
}

export interface CallFilter extends Span {
  readonly search?: string | undefined;
  readonly user?: string | undefined;
  readonly tenant?: string | undefined;
  readonly server?: string | undefined;
  readonly tool?: string | undefined;
  readonly outcome?: string | undefined;
  readonly requestId?: string | undefined;
}

// With microseconds, which a JavaScript Date loses: the cursor compares this very text with the column. An ORDER BY has
// to name the table beside the column: alone, `timestamp` and `id` mean these texts, which no index is sorted by.
export const exactTime = sql<string>`to_char(timestamp at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;

export function auditFilter(query: AuditFilter): Condition[] {
  return [
    ...span(query),
    ...equals({ actor: query.actor, action: query.action, target_id: query.target }),
    ...matches(query.search, ['actor', 'action', 'target_kind', 'target_id', 'tenant_id', 'request_id']),
  ];
}

export function callFilter(query: CallFilter): Condition[] {
  return [
    ...span(query),
    ...equals({
      user_email: query.user,
      tenant_id: query.tenant,
      server_id: query.server,
      tool: query.tool,
      outcome: query.outcome,
      request_id: query.requestId,
    }),
    ...matches(query.search, ['user_email', 'endpoint', 'server_id', 'tool', 'reason', 'request_id']),
  ];
}

/**
 * The records of requests, but for weeks that a span leaves out: ids begin with the time. Those whose ids do not are in
 * `api_analytics_rest`, which is looked through by time.
 */
export function callsWithin({ from, to }: Span): Condition {
  const bounds = [
    ...(from === undefined ? [] : [sql`id >= ${idAt(Date.parse(from))}::uuid`]),
    // Times have parts of a millisecond, ids have none.
    ...(to === undefined ? [] : [sql`id < ${idAt(Date.parse(to) + 1)}::uuid`]),
  ];
  if (bounds.length === 0) return sql`mcp_proxy.api_analytics as call`;
  return sql`(
    select * from mcp_proxy.api_analytics where ${all(bounds)}
    union all select * from mcp_proxy.api_analytics_rest where not (${all(bounds)})) as call`;
}

/** The lowest id of a time. */
function idAt(at: number): string {
  const time = Math.max(at, 0).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-0000-0000-000000000000`;
}

export function all(conditions: readonly Condition[]): Condition {
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` and `);
}

function equals(filters: Readonly<Record<string, string | undefined>>): Condition[] {
  return Object.entries(filters).flatMap(([column, wanted]) =>
    wanted === undefined ? [] : [sql`${sql.id(column)} = ${clean(wanted)}`],
  );
}

function matches(search: string | undefined, columns: readonly string[]): Condition[] {
  if (!search) return [];
  const pattern = `%${clean(search).replace(/[\\%_]/g, '\\$&')}%`;
  return [
    sql`(${sql.join(
      columns.map((column) => sql`${sql.id(column)} ilike ${pattern}`),
      sql` or `,
    )})`,
  ];
}

function span(query: Span): Condition[] {
  return [
    ...(query.from === undefined ? [] : [sql`timestamp >= ${query.from}::timestamptz`]),
    ...(query.to === undefined ? [] : [sql`timestamp < ${query.to}::timestamptz`]),
  ];
}
