// Every statement about groups and what they grant.
import { sql } from 'kysely';
import type { z } from 'zod';
import type { Page, PageQuery } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import type { groupInput, groupPatch, groupView } from './contract.ts';
import { contains, decodeCursor, pageOf } from './paging.ts';

export type GroupView = z.infer<typeof groupView>;

const view = sql`
  g.name, g.display_name as "displayName", g.is_admin as admin, g.tenant_id as tenant,
  g.external_ids as "externalIds", g.managed_by as "managedBy",
  g.tool_overrides as "toolOverrides",
  coalesce((
    select json_agg(json_build_object('server', r.server_id, 'tools', r.tools) order by r.server_id)
    from mcp_proxy.group_grants r where r.group_name = g.name), '[]') as servers,
  (select count(distinct m.user_email)::int from mcp_proxy.memberships m
   where m.group_name = g.name and (m.expires_at is null or m.expires_at > now())) as "memberCount"`;

export async function listGroups(db: Db, query: PageQuery): Promise<Page<GroupView>> {
  const after = decodeCursor(query.cursor);
  const search = contains(query.search);
  const { rows } = await sql<GroupView>`
    select ${view} from mcp_proxy.groups g
    where (${after}::text is null or g.name > ${after})
      and (${search}::text is null or g.name ilike ${search} or g.display_name ilike ${search})
    order by g.name limit ${query.limit + 1}`.execute(db);
  return pageOf(
    rows,
    query.limit,
    (group) => group.name,
    (group) => group,
  );
}

export async function findGroup(db: Db, name: string): Promise<GroupView | undefined> {
  const { rows } = await sql<GroupView>`
    select ${view} from mcp_proxy.groups g where g.name = ${name}`.execute(db);
  return rows[0];
}

/** False when there is one of that name already, which is left as it is. */
export async function insertGroup(db: Db, group: z.infer<typeof groupInput>): Promise<boolean> {
  const { rows } = await sql`
    insert into mcp_proxy.groups (name, display_name, is_admin, tenant_id, external_ids, tool_overrides)
    values (${group.name}, ${group.displayName ?? group.name}, ${group.admin}, ${group.tenant},
            ${group.externalIds}::text[], ${JSON.stringify(group.toolOverrides)}::jsonb)
    on conflict (name) do nothing returning name`.execute(db);
  return rows.length > 0;
}

/** What is left out of the patch stays. */
export async function updateGroup(db: Db, name: string, patch: z.infer<typeof groupPatch>): Promise<void> {
  const overrides = patch.toolOverrides === undefined ? null : JSON.stringify(patch.toolOverrides);
  await sql`
    update mcp_proxy.groups set
      display_name = coalesce(${patch.displayName ?? null}, display_name),
      is_admin = coalesce(${patch.admin ?? null}, is_admin),
      tenant_id = case when ${patch.tenant !== undefined} then ${patch.tenant ?? null} else tenant_id end,
      external_ids = coalesce(${patch.externalIds ?? null}::text[], external_ids),
      tool_overrides = coalesce(${overrides}::jsonb, tool_overrides),
      updated_at = now()
    where name = ${name}`.execute(db);
}

/** With its grants and memberships. */
export async function deleteGroup(db: Db, name: string): Promise<void> {
  await sql`delete from mcp_proxy.groups where name = ${name}`.execute(db);
}

export async function putGroupGrant(
  db: Db,
  group: string,
  server: string,
  tools: readonly string[],
): Promise<void> {
  await sql`
    insert into mcp_proxy.group_grants (group_name, server_id, tools) values (${group}, ${server}, ${tools}::text[])
    on conflict (group_name, server_id) do update set tools = excluded.tools, source = 'admin'`.execute(db);
}

/** False when there was none. */
export async function deleteGroupGrant(db: Db, group: string, server: string): Promise<boolean> {
  const { rows } = await sql`
    delete from mcp_proxy.group_grants where group_name = ${group} and server_id = ${server}
    returning server_id`.execute(db);
  return rows.length > 0;
}
