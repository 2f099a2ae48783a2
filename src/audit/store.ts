import { type RawBuilder, sql } from 'kysely';
import type { z } from 'zod';
import type { Page } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import type { CallRow } from './call-row.ts';
import { clean, cleanJson } from './clean.ts';
import type { AuditEntry, api, auditView, callView } from './contract.ts';
import { all, auditFilter, callFilter, callsWithin, exactTime } from './conditions-store.ts';
import { type Cursor, decodeCursor, encodeCursor } from './cursor.ts';
import { auditJson } from './redact.ts';

/**
 * Writes one admin or security event. Give it the transaction of the change, so that there is never one
 * without the other. Values under keys such as `token`, `value` or `headers` are replaced before they are stored.
 */
export async function writeAudit(db: Db, entry: AuditEntry): Promise<void> {
  await addAudit(db, entry);
}

/** The same, with a number that was taken for it, if any; returns the number of the record. */
export async function addAudit(db: Db, entry: AuditEntry, id?: string): Promise<string> {
  const [column, number] = id === undefined ? [sql``, sql``] : [sql`id, `, sql`${id}::bigint, `];
  const { rows } = await sql<{ id: string }>`
    insert into mcp_proxy.audit_log
      (${column}actor, action, target_kind, target_id, tenant_id, before, after, request_id, client_ip)
    overriding system value values (
      ${number}${clean(entry.actor)}, ${entry.action}, ${entry.targetKind}, ${clean(entry.targetId)}, ${entry.tenant ?? null},
      ${auditJson(entry.before)}::jsonb, ${auditJson(entry.after)}::jsonb,
      ${entry.requestId ?? null}, ${entry.clientIp ?? null}
    ) returning id::text as id`.execute(db);
  return rows[0]?.id ?? '';
}

/** Writes a batch of calls in one statement; those that are stored already stay as they are. */
export async function insertCalls(db: Db, rows: readonly CallRow[]): Promise<void> {
  await sql`
    insert into mcp_proxy.api_analytics
      (id, timestamp, request_id, user_email, auth_source, tenant_id, face, method, endpoint, rpc_method, server_id,
       tool, outcome, reason, status_code, response_time_ms, bytes_in, bytes_out, user_agent, client_ip,
       credential_id, arguments)
    select id, to_timestamp(at / 1000), request_id, user_email, auth_source, tenant_id, face, method, endpoint, rpc_method,
           server_id, tool, outcome, reason, status_code, response_time_ms, bytes_in, bytes_out, user_agent, client_ip,
           credential_id, arguments::jsonb
    from jsonb_to_recordset(${cleanJson(rows)}::jsonb) as call(
      id uuid, at double precision, request_id text, user_email text, auth_source text, tenant_id text, face text,
      method text, endpoint text, rpc_method text, server_id text, tool text, outcome text, reason text,
      status_code integer, response_time_ms double precision, bytes_in bigint, bytes_out bigint, user_agent text,
      client_ip text, credential_id text, arguments text)
    on conflict (id) do nothing`.execute(db);
}

/** Admin and security events, newest first. For operators: it spans all tenants. */
export async function listAudit(
  db: Db,
  query: z.infer<typeof api.listAudit.query>,
): Promise<Page<AuditItem>> {
  const { rows } = await sql<AuditItem>`
    select id::text as id, ${exactTime} as timestamp, actor, action, target_kind as "targetKind",
           target_id as "targetId", tenant_id as tenant, before, after, request_id as "requestId",
           client_ip as "clientIp"
    from mcp_proxy.audit_log
    where ${all([...auditFilter(query), ...after(decodeCursor(query.cursor, 'integer'), sql`bigint`)])}
    order by audit_log.timestamp desc, audit_log.id desc
    limit ${query.limit + 1}`.execute(db);
  return toPage(rows, query.limit);
}

/** Requests through the gate, newest first. For operators: it spans all tenants. */
export async function listCalls(
  db: Db,
  query: z.infer<typeof api.listAnalytics.query>,
): Promise<Page<CallItem>> {
  const { rows } = await sql<CallItem>`
    select id::text as id, ${exactTime} as timestamp, request_id as "requestId", user_email as "user",
           auth_source as "authSource", tenant_id as tenant, face, method, endpoint, rpc_method as "rpcMethod",
           server_id as server, tool, outcome, reason, status_code as "statusCode",
           response_time_ms as "responseTimeMs", bytes_in::double precision as "bytesIn",
           bytes_out::double precision as "bytesOut", user_agent as "userAgent", client_ip as "clientIp",
           credential_id as "credentialId", arguments
    from ${callsWithin(query)}
    where ${all([...callFilter(query), ...after(decodeCursor(query.cursor, 'uuid'), sql`uuid`)])}
    order by call.timestamp desc, call.id desc
    limit ${query.limit + 1}`.execute(db);
  return toPage(rows, query.limit);
}

type AuditItem = z.infer<typeof auditView>;
type CallItem = z.infer<typeof callView>;

function after(cursor: Cursor | null, idType: RawBuilder<unknown>): RawBuilder<unknown>[] {
  if (cursor === null) return [];
  return [sql`(timestamp, id) < (${cursor.timestamp}::timestamptz, ${cursor.id}::${idType})`];
}

// One row more than asked for was fetched: it tells that there is a next page.
function toPage<Item extends Cursor>(rows: Item[], limit: number): Page<Item> {
  const items = rows.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: rows.length > limit && last ? encodeCursor(last) : null };
}
