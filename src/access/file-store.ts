// Every statement that brings what the config file says into the tables. What others added stays; see apply-file.ts.
import { sql } from 'kysely';
import type { Db } from '../platform/db/index.ts';
import { type AccessFile, everyServer, type ServerDefinition, type TenantId } from './contract.ts';

export type RecordKind = 'server' | 'tenant' | 'group' | 'user';

type GroupEntry = AccessFile['groups'][string];
type TenantEntry = AccessFile['tenants'][TenantId];
type UserEntry = AccessFile['users'][string];

/** What was applied last, as one fingerprint for each entry. */
export async function appliedEntries(db: Db): Promise<{ record: RecordKind; id: string; hash: string }[]> {
  const { rows } = await sql<{ record: RecordKind; id: string; hash: string }>`
    select record, id, hash from mcp_proxy.file_entries order by record, id`.execute(db);
  return rows;
}

export async function saveEntry(db: Db, record: RecordKind, id: string, hash: string): Promise<void> {
  await sql`
    insert into mcp_proxy.file_entries (record, id, hash) values (${record}, ${id}, ${hash})
    on conflict (record, id) do update set hash = excluded.hash, applied_at = now()`.execute(db);
}

export async function forgetEntry(db: Db, record: RecordKind, id: string): Promise<void> {
  await sql`delete from mcp_proxy.file_entries where record = ${record} and id = ${id}`.execute(db);
}

export async function putServer(db: Db, id: string, definition: ServerDefinition): Promise<void> {
  await sql`
    insert into mcp_proxy.servers (id, definition, enabled, managed_by)
    values (${id}, ${JSON.stringify(definition)}::jsonb, ${definition.enabled}, 'file')
    on conflict (id) do update
    set definition = excluded.definition, enabled = excluded.enabled, managed_by = 'file', origin = null,
        updated_at = now()`.execute(db);
}

export async function putTenant(db: Db, id: string, entry: TenantEntry): Promise<void> {
  await sql`
    insert into mcp_proxy.tenants (id, display_name, email_domains, enabled, managed_by)
    values (${id}, ${entry.displayName ?? id}, ${entry.emailDomains}::text[], ${entry.enabled}, 'file')
    on conflict (id) do update
    set display_name = excluded.display_name, email_domains = excluded.email_domains, enabled = excluded.enabled,
        managed_by = 'file', updated_at = now()`.execute(db);
}

/** The stated endpoints, and no other one from the file. A server that an administrator has deleted is passed over. */
export async function setEndpoints(
  db: Db,
  tenant: string,
  endpoints: TenantEntry['endpoints'],
): Promise<void> {
  await sql`
    with stated as (select key as server_id, value as url from jsonb_each_text(${JSON.stringify(endpoints)}::jsonb)),
    gone as (
      delete from mcp_proxy.tenant_server_endpoints
      where tenant_id = ${tenant} and source = 'file' and server_id not in (select server_id from stated))
    insert into mcp_proxy.tenant_server_endpoints (tenant_id, server_id, endpoint_url, source)
    select ${tenant}, stated.server_id, stated.url, 'file'
    from stated join mcp_proxy.servers on servers.id = stated.server_id
    on conflict (tenant_id, server_id) do update
    set endpoint_url = excluded.endpoint_url, source = 'file', updated_at = now()`.execute(db);
}

/** The stated values, and no other ones from the file. A server that an administrator has deleted is passed over. */
export async function setVariables(
  db: Db,
  tenant: string,
  variables: NonNullable<TenantEntry['variables']>,
): Promise<void> {
  await sql`
    with stated as (
      select nullif(servers.key, ${everyServer}) as server_id, one.key as name, one.value
      from jsonb_each(${JSON.stringify(variables)}::jsonb) servers, jsonb_each_text(servers.value) one),
    gone as (
      delete from mcp_proxy.tenant_variables v
      where tenant_id = ${tenant} and source = 'file' and not exists (
        select from stated where stated.name = v.name and stated.server_id is not distinct from v.server_id))
    insert into mcp_proxy.tenant_variables (tenant_id, server_id, name, value, source)
    select ${tenant}, stated.server_id, stated.name, stated.value, 'file'
    from stated left join mcp_proxy.servers on servers.id = stated.server_id
    where stated.server_id is null or servers.id is not null
    on conflict (tenant_id, server_id, name) do update
    set value = excluded.value, source = 'file', updated_at = now()`.execute(db);
}

/** A tenant that an administrator has deleted counts as none. */
export async function putGroup(db: Db, name: string, entry: GroupEntry): Promise<void> {
  await sql`
    insert into mcp_proxy.groups (name, display_name, is_admin, tenant_id, external_ids, tool_overrides, managed_by)
    values (${name}, ${entry.displayName ?? name}, ${entry.admin},
            (select id from mcp_proxy.tenants where id = ${entry.tenant ?? null}), ${entry.externalIds}::text[],
            ${JSON.stringify(entry.toolOverrides ?? {})}::jsonb, 'file')
    on conflict (name) do update
    set display_name = excluded.display_name, is_admin = excluded.is_admin, tenant_id = excluded.tenant_id,
        external_ids = excluded.external_ids, tool_overrides = excluded.tool_overrides,
        managed_by = 'file', updated_at = now()`.execute(db);
}

/** The stated grants, and no other one from the file. A server that an administrator has deleted is passed over. */
export async function setGroupGrants(db: Db, group: string, grants: GroupEntry['servers']): Promise<void> {
  await sql`
    with stated as (${statedGrants(grants)}),
    gone as (
      delete from mcp_proxy.group_grants
      where group_name = ${group} and source = 'file' and server_id not in (select server_id from stated))
    insert into mcp_proxy.group_grants (group_name, server_id, tools, source)
    select ${group}, stated.server_id, stated.tools, 'file'
    from stated join mcp_proxy.servers on servers.id = stated.server_id
    on conflict (group_name, server_id) do update set tools = excluded.tools, source = 'file'`.execute(db);
}

/** What the entry does not state stays as it is; a tenant that an administrator has deleted counts as not stated. */
export async function putUser(db: Db, email: string, entry: UserEntry): Promise<void> {
  await sql`
    insert into mcp_proxy.users as u (email, display_name, disabled, default_tenant, source)
    values (${email}, ${entry.displayName ?? ''}, ${entry.disabled ?? false},
            (select id from mcp_proxy.tenants where id = ${entry.defaultTenant ?? null}), 'file')
    on conflict (email) do update
    set display_name = coalesce(${entry.displayName ?? null}, u.display_name),
        disabled = coalesce(${entry.disabled ?? null}, u.disabled),
        default_tenant = coalesce(excluded.default_tenant, u.default_tenant)`.execute(db);
}

/** The stated groups, and no other one from the file. A group that an administrator has deleted is passed over. */
export async function setMemberships(db: Db, email: string, groups: readonly string[]): Promise<void> {
  await sql`
    with gone as (
      delete from mcp_proxy.memberships
      where user_email = ${email} and source = 'file' and group_name <> all(${groups}::text[]))
    insert into mcp_proxy.memberships (user_email, group_name, source)
    select ${email}, name, 'file' from mcp_proxy.groups where name = any(${groups}::text[])
    on conflict (user_email, group_name, source) do nothing`.execute(db);
}

/** The stated grants, and no other one from the file. A server that an administrator has deleted is passed over. */
export async function setUserGrants(db: Db, email: string, grants: UserEntry['servers']): Promise<void> {
  await sql`
    with stated as (${statedGrants(grants)}),
    gone as (
      delete from mcp_proxy.user_grants
      where user_email = ${email} and source = 'file' and server_id not in (select server_id from stated))
    insert into mcp_proxy.user_grants (user_email, server_id, tools, source)
    select ${email}, stated.server_id, stated.tools, 'file'
    from stated join mcp_proxy.servers on servers.id = stated.server_id
    on conflict (user_email, server_id) do update set tools = excluded.tools, source = 'file'`.execute(db);
}

/** Removes a user whom nobody has seen and nobody else has given anything. */
export async function deleteUnusedUser(db: Db, email: string): Promise<void> {
  await sql`
    delete from mcp_proxy.users u
    where u.email = ${email} and u.source = 'file' and u.last_seen_at is null
      and not exists (select from mcp_proxy.memberships m where m.user_email = u.email)
      and not exists (select from mcp_proxy.user_grants g where g.user_email = u.email)
      and not exists (select from mcp_proxy.user_identities i where i.user_email = u.email)
      and not exists (select from mcp_proxy.api_tokens t where t.user_email = u.email)`.execute(db);
}

function statedGrants(grants: Readonly<Record<string, readonly string[]>>) {
  return sql`
    select key as server_id, array(select jsonb_array_elements_text(value)) as tools
    from jsonb_each(${JSON.stringify(grants)}::jsonb)`;
}
