import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { z } from 'zod';
import type { TenantId } from '../access/contract.ts';
import type { Page, PageQuery } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import type { tokenInput, tokenView } from './contract.ts';
import { cursorInvalid, tenantNotFound, userNotFound } from './errors.ts';
import { digestOf, makeToken, visiblePart } from './token-format.ts';
import type { KnownTokens } from './known-token.ts';

export type TokenInput = z.infer<typeof tokenInput>;
type TokenView = z.infer<typeof tokenView>;
type Forwarding = 'signed' | 'plain' | null;

interface KnownRow {
  id: string;
  hash: string;
  member: string;
  is_service: boolean;
  tenant_id: string | null;
  may_forward_users: Forwarding;
  expires_at: Date | null;
  revoked_at: Date | null;
}

/** Every token that counts, by hash; those that ended lately too, so that the log can say why one is refused. */
export async function loadTokens(db: Db): Promise<KnownTokens> {
  const { rows } = await sql<KnownRow>`
    select id, hash, coalesce(user_email, 'service:' || service_name) as member, user_email is null as is_service,
      tenant_id, may_forward_users, expires_at, revoked_at
    from mcp_proxy.api_tokens
    where coalesce(least(revoked_at, expires_at), 'infinity') > now() - interval '30 days'`.execute(db);
  return new Map(
    rows.map((row) => [
      row.hash,
      {
        mayForwardUsers: row.may_forward_users,
        expiresAt: row.expires_at?.getTime() ?? null,
        revoked: row.revoked_at !== null,
        principal: {
          kind: row.is_service ? 'service' : 'user',
          id: row.member,
          assertedGroups: [],
          assertedBy: null,
          // A foreign key: every stored id was parsed when its tenant was made.
          tokenTenant: row.tenant_id as TenantId | null,
          authSource: row.may_forward_users === null ? 'api-token' : 'connection-key',
          credentialId: row.id,
        },
      },
    ]),
  );
}

/** Makes a token and, for a service, the row that lets it be a member of groups. Run it in a transaction. */
export async function insertToken(
  trx: Db,
  input: TokenInput,
  createdBy: string,
): Promise<{ id: string; token: string }> {
  await (input.user === null ? ensureService(trx, `service:${input.service}`) : requireUser(trx, input.user));
  if (input.tenant !== null) await requireTenant(trx, input.tenant);
  const token = makeToken();
  const id = randomUUID();
  await sql`
    insert into mcp_proxy.api_tokens
      (id, hash, prefix, name, user_email, service_name, tenant_id, may_forward_users, created_by, expires_at)
    values (${id}, ${digestOf(token)}, ${visiblePart(token)}, ${input.name}, ${input.user}, ${input.service},
      ${input.tenant}, ${input.mayForwardUsers}, ${createdBy}, ${input.expiresAt}::timestamptz)`.execute(trx);
  return { id, token };
}

async function requireUser(db: Db, email: string): Promise<void> {
  const { rows } = await sql`select from mcp_proxy.users where email = ${email} for share`.execute(db);
  if (rows.length === 0) throw userNotFound();
}

async function requireTenant(db: Db, tenant: string): Promise<void> {
  const { rows } = await sql`select from mcp_proxy.tenants where id = ${tenant} for share`.execute(db);
  if (rows.length === 0) throw tenantNotFound();
}

async function ensureService(db: Db, id: string): Promise<void> {
  await sql`
    insert into mcp_proxy.users (email, display_name) values (${id}, ${id.slice('service:'.length)})
    on conflict (email) do nothing`.execute(db);
}

/** `revoked` is false when it was revoked before; undefined when there is no such token. */
export async function revokeToken(
  db: Db,
  id: string,
): Promise<{ revoked: boolean; name: string } | undefined> {
  const { rows } = await sql<{ revoked: boolean; name: string }>`
    with ended as (
      update mcp_proxy.api_tokens set revoked_at = now() where id = ${id} and revoked_at is null returning id
    )
    select name, exists (select from ended) as revoked from mcp_proxy.api_tokens where id = ${id}`.execute(
    db,
  );
  return rows[0];
}

interface ViewRow extends Omit<TokenView, 'createdAt' | 'expiresAt' | 'lastUsedAt' | 'revokedAt'> {
  createdAt: Date;
  expiresAt: Date | null;
  lastUsedAt: Date | null;
  revokedAt: Date | null;
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/;

/** Newest first; the cursor is the id of the last one shown. Throws `cursor_invalid` (400). */
export async function listTokens(
  db: Db,
  query: PageQuery & { user?: string | undefined },
): Promise<Page<TokenView>> {
  const { cursor = null, user = null, limit } = query;
  // PostgreSQL takes no NUL.
  const search = (query.search ?? '').replaceAll('\0', '');
  if (cursor !== null && !uuid.test(cursor)) throw cursorInvalid();
  const { rows } = await sql<ViewRow>`
    select id, name, user_email as "user", service_name as service, tenant_id as tenant,
      may_forward_users as "mayForwardUsers", prefix, created_at as "createdAt", created_by as "createdBy",
      expires_at as "expiresAt", last_used_at as "lastUsedAt", revoked_at as "revokedAt"
    from mcp_proxy.api_tokens
    where (${user}::text is null or user_email = ${user})
      and strpos(lower(concat_ws(' ', name, user_email, service_name, prefix)), lower(${search})) > 0
      and (${cursor}::uuid is null
        or (created_at, id) < (select created_at, id from mcp_proxy.api_tokens where id = ${cursor}::uuid))
    order by created_at desc, id desc
    limit ${limit + 1}`.execute(db);
  const items = rows.slice(0, limit).map(toView);
  return { items, nextCursor: rows.length > limit ? (items.at(-1)?.id ?? null) : null };
}

function toView(row: ViewRow): TokenView {
  return {
    ...row,
    createdAt: row.createdAt.toISOString(),
    expiresAt: row.expiresAt?.toISOString() ?? null,
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
    revokedAt: row.revokedAt?.toISOString() ?? null,
  };
}

/** Notes when tokens were last used; a time that is older than the stored one changes nothing. */
export async function saveLastUsed(db: Db, used: ReadonlyMap<string, number>): Promise<void> {
  const times = [...used.values()].map((at) => new Date(at).toISOString());
  await sql`
    update mcp_proxy.api_tokens t set last_used_at = greatest(t.last_used_at, u.at)
    from unnest(${[...used.keys()]}::uuid[], ${times}::timestamptz[]) as u (id, at)
    where t.id = u.id`.execute(db);
}
