import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../platform/db/index.ts';
import {
  type AuditFilter,
  all,
  auditFilter,
  type CallFilter,
  callFilter,
  callsWithin,
  exactTime,
} from './conditions-store.ts';

/** One record, named as in the admin API; `chain` is what another program needs to verify its place. */
export type ExportRow = Readonly<Record<string, unknown>>;

const beforeAnything = '00000000-0000-0000-0000-000000000000';

/** Records of changes after that place of the chain, in its order. */
export async function auditAfter(
  db: Db,
  query: AuditFilter & { readonly limit: number },
  after: number,
): Promise<(ExportRow & { readonly chain: { readonly seq: number } })[]> {
  const { rows } = await sql<ExportRow & { chain: { seq: number } }>`
    select id::text as id, ${exactTime} as timestamp, actor, action, target_kind as "targetKind",
      target_id as "targetId", tenant_id as tenant, before, after, request_id as "requestId", client_ip as "clientIp",
      jsonb_build_object('seq', c.seq, 'previous', encode(c.previous, 'hex'), 'hash', encode(c.hash, 'hex'),
        'digest', encode(c.digest, 'hex'), 'commitments', array(select encode(x, 'hex') from unnest(c.commitments) x),
        'salts', c.salts, 'erasures', c.erasures, 'before', a.before::text, 'after', a.after::text) as chain
    from mcp_proxy.audit_chain c join mcp_proxy.audit_log a on a.id = c.audit_id
    where c.seq > ${after} and ${all(auditFilter(query))}
    order by c.seq limit ${query.limit}`.execute(db);
  return rows;
}

/** The place after which records of requests go on. */
export interface CallPlace {
  readonly timestamp: string;
  readonly id: string;
}

/** Records of requests after that place, oldest first. */
export async function callsAfter(
  db: Db,
  query: CallFilter & { readonly limit: number },
  after: CallPlace | null,
): Promise<(ExportRow & CallPlace)[]> {
  const { timestamp, id } = after ?? { timestamp: '-infinity', id: beforeAnything };
  const { rows } = await sql<ExportRow & CallPlace>`
    select ${callFields} from ${callsWithin({ ...query, from: after?.timestamp ?? query.from })}
    where ${all(callFilter(query))} and (timestamp, id) > (${timestamp}::timestamptz, ${id}::uuid)
    order by timestamp, id limit ${query.limit}`.execute(db);
  return rows;
}

/** The place after which stored records go on. */
export interface StoredPlace {
  readonly storedAt: string;
  readonly id: string;
}

/**
 * Up to when so many records go that were stored after that place. The last minute is left out: whoever stores takes
 * less, so that nothing can still turn up before what was read.
 */
export async function scanEnd(
  db: Db,
  { storedAt }: StoredPlace,
  records: number,
): Promise<{ readonly storedAt: string; readonly isLast: boolean }> {
  const { rows } = await sql<{ storedAt: string; isLast: boolean }>`
    select ${exactStored(sql`coalesce(found.stored_at, greatest(${storedAt}::timestamptz, now() - interval '60 seconds'))`)}
      as "storedAt", found.stored_at is null as "isLast"
    from (select) one left join lateral (
      select stored_at from mcp_proxy.api_analytics
      where stored_at > ${storedAt}::timestamptz and stored_at < now() - interval '60 seconds'
      order by stored_at offset ${records} limit 1) found on true`.execute(db);
  return rows[0] ?? { storedAt, isLast: true };
}

/** Records of requests in the order in which they were stored, up to where `scanEnd` says. */
export async function callsStoredAfter(
  db: Db,
  o: { readonly refusedOnly: boolean; readonly limit: number; readonly upTo: string },
  { storedAt, id }: StoredPlace,
): Promise<(ExportRow & StoredPlace)[]> {
  const { rows } = await sql<ExportRow & StoredPlace>`
    select ${callFields}, ${exactStored(sql`stored_at`)} as "storedAt"
    from mcp_proxy.api_analytics
    where stored_at >= ${storedAt}::timestamptz and (stored_at, id) > (${storedAt}::timestamptz, ${id}::uuid)
      and stored_at <= ${o.upTo}::timestamptz and (not ${o.refusedOnly}::boolean or outcome in (${refusedOutcomes}))
    order by stored_at, id limit ${o.limit}`.execute(db);
  return rows;
}

/** What Toolgate did not let through. */
export const refusedOutcomes = sql`'denied', 'unauthenticated', 'rate_limited', 'no_credential', 'bad_request'`;

/** With microseconds, as text that compares as the time does. */
function exactStored(time: RawBuilder<unknown>): RawBuilder<unknown> {
  return sql`to_char(${time} at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')`;
}

const callFields = sql`
  id::text as id, ${exactTime} as timestamp, request_id as "requestId", user_email as "user", auth_source as "authSource",
  tenant_id as tenant, face, method, endpoint, rpc_method as "rpcMethod", server_id as server, tool, outcome, reason,
  status_code as "statusCode", response_time_ms as "responseTimeMs", bytes_in::double precision as "bytesIn",
  bytes_out::double precision as "bytesOut", user_agent as "userAgent", client_ip as "clientIp",
  credential_id as "credentialId", arguments`;
