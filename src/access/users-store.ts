// Every statement about users, their memberships and their own grants.
import { sql } from 'kysely';
import type { z } from 'zod';
import type { Page } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import type { api, userPatch, userView } from './contract.ts';
import { iso } from './store-time.ts';
import { contains, decodeCursor, pageOf } from './paging.ts';

export type UserView = z.infer<typeof userView>;

const view = sql`
  u.email, u.display_name as "displayName", u.disabled, u.default_tenant as "defaultTenant",
  coalesce((
    select json_agg(json_build_object('group', m.group_name, 'source', m.source, 'expiresAt', ${iso('m.expires_at')})
                    order by m.group_name, m.source)
    from mcp_proxy.memberships m where m.user_email = u.email), '[]') as groups,
  coalesce((
    select json_agg(json_build_object('server', g.server_id, 'tools', g.tools) order by g.server_id)
    from mcp_proxy.user_grants g where g.user_email = u.email), '[]') as servers,
  u.source, ${iso('u.created_at')} as "createdAt", ${iso('u.last_seen_at')} as "lastSeenAt"`;

export async function listUsers(
  db: Db,
  query: z.infer<(typeof api.listUsers)['query']>,
): Promise<Page<UserView>> {
  const after = decodeCursor(query.cursor);
  const search = contains(query.search);
  const group = query.group ?? null;
  const disabled = query.disabled ?? null;
  const { rows } = await sql<UserView>`
    select ${view} from mcp_proxy.users u
    where (${after}::text is null or u.email > ${after})
      and (${search}::text is null or u.email ilike ${search} or u.display_name ilike ${search})
      and (${disabled}::boolean is null or u.disabled = ${disabled})
      and (${group}::text is null or exists (
        select from mcp_proxy.memberships m where m.user_email = u.email and m.group_name = ${group}))
    order by u.email limit ${query.limit + 1}`.execute(db);
  return pageOf(
    rows,
    query.limit,
    (user) => user.email,
    (user) => user,
  );
}

export async function findUser(db: Db, email: string): Promise<UserView | undefined> {
  const { rows } = await sql<UserView>`
    select ${view} from mcp_proxy.users u where u.email = ${email}`.execute(db);
  return rows[0];
}

/**
 * To be called before anything is written: sign-ins lock the user first and bump the version of the snapshot
 * later, so whoever does it the other way round waits for them while they wait for him.
 */
export async function lockUsers(db: Db, emails: readonly string[]): Promise<void> {
  await sql`
    select from mcp_proxy.users where email = any(${emails}::text[]) order by email for update`.execute(db);
}

/** False when there is one already, which is left as it is. */
export async function insertUser(db: Db, email: string, source: string): Promise<boolean> {
  const { rows } = await sql`
    insert into mcp_proxy.users (email, source) values (${email}, ${source})
    on conflict (email) do nothing returning email`.execute(db);
  return rows.length > 0;
}

/** What is left out of the patch stays; a tenant that does not exist counts as none. */
export async function updateUser(db: Db, email: string, patch: z.infer<typeof userPatch>): Promise<void> {
  await sql`
    update mcp_proxy.users set
      display_name = coalesce(${patch.displayName ?? null}, display_name),
      disabled = coalesce(${patch.disabled ?? null}, disabled),
      default_tenant = case when ${patch.defaultTenant !== undefined}
        then (select id from mcp_proxy.tenants where id = ${patch.defaultTenant ?? null}) else default_tenant end
    where email = ${email}`.execute(db);
}

/** An administrator's membership: it stays whatever other sources say, until an administrator ends it. */
export async function addMembership(db: Db, email: string, group: string): Promise<void> {
  await sql`
    insert into mcp_proxy.memberships (user_email, group_name, source) values (${email}, ${group}, 'admin')
    on conflict (user_email, group_name, source) do update set expires_at = null`.execute(db);
}

/** Removes what any source but a sign-in provider's tokens states; false when there was no such membership. */
export async function removeMembership(db: Db, email: string, group: string): Promise<boolean> {
  const { rows } = await sql`
    delete from mcp_proxy.memberships
    where user_email = ${email} and group_name = ${group} and source not like 'oidc:%'
    returning source`.execute(db);
  return rows.length > 0;
}

export async function putUserGrant(
  db: Db,
  email: string,
  server: string,
  tools: readonly string[],
): Promise<void> {
  await sql`
    insert into mcp_proxy.user_grants (user_email, server_id, tools) values (${email}, ${server}, ${tools}::text[])
    on conflict (user_email, server_id) do update set tools = excluded.tools, source = 'admin'`.execute(db);
}

/** False when there was none. */
export async function deleteUserGrant(db: Db, email: string, server: string): Promise<boolean> {
  const { rows } = await sql`
    delete from mcp_proxy.user_grants where user_email = ${email} and server_id = ${server}
    returning server_id`.execute(db);
  return rows.length > 0;
}
