// Every statement about tenants, their endpoints and their variables.
import { sql } from 'kysely';
import type { z } from 'zod';
import type { Page, PageQuery } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { everyServer, type tenantInput, type tenantPatch, type tenantView } from './contract.ts';
import { maskUrl } from './mask.ts';
import { contains, decodeCursor, pageOf } from './paging.ts';

export type TenantView = z.infer<typeof tenantView>;

const view = sql`
  t.id, t.display_name as "displayName", t.email_domains as "emailDomains", t.enabled, t.managed_by as "managedBy",
  coalesce((
    select json_agg(json_build_object('server', e.server_id, 'url', e.endpoint_url) order by e.server_id)
    from mcp_proxy.tenant_server_endpoints e where e.tenant_id = t.id), '[]') as endpoints,
  coalesce((
    select json_object_agg(own.server, own.values order by own.server) from (
      select coalesce(v.server_id, ${everyServer}) as server, json_object_agg(v.name, v.value order by v.name) as values
      from mcp_proxy.tenant_variables v where v.tenant_id = t.id group by v.server_id) own), '{}') as variables,
  coalesce((
    select json_agg(g.name order by g.name) from mcp_proxy.groups g where g.tenant_id = t.id), '[]') as groups`;

export async function listTenants(db: Db, query: PageQuery): Promise<Page<TenantView>> {
  const after = decodeCursor(query.cursor);
  const search = contains(query.search);
  const { rows } = await sql<TenantView>`
    select ${view} from mcp_proxy.tenants t
    where (${after}::text is null or t.id > ${after})
      and (${search}::text is null or t.id ilike ${search} or t.display_name ilike ${search})
    order by t.id limit ${query.limit + 1}`.execute(db);
  return pageOf(rows, query.limit, (tenant) => tenant.id, shownTenant);
}

/** With its endpoint URLs as they are; `shownTenant` makes them fit to leave. */
export async function findTenant(db: Db, id: string): Promise<TenantView | undefined> {
  const { rows } = await sql<TenantView>`select ${view} from mcp_proxy.tenants t where t.id = ${id}`.execute(
    db,
  );
  return rows[0];
}

/** As the admin API shows it and the audit log keeps it: no keys in the URLs. */
export function shownTenant(tenant: TenantView): TenantView {
  return { ...tenant, endpoints: tenant.endpoints.map(({ server, url }) => ({ server, url: maskUrl(url) })) };
}

/** False when there is one of that id already, which is left as it is. */
export async function insertTenant(db: Db, tenant: z.infer<typeof tenantInput>): Promise<boolean> {
  const { rows } = await sql`
    insert into mcp_proxy.tenants (id, display_name, email_domains, enabled)
    values (${tenant.id}, ${tenant.displayName ?? tenant.id}, ${tenant.emailDomains}::text[], ${tenant.enabled})
    on conflict (id) do nothing returning id`.execute(db);
  return rows.length > 0;
}

/** What is left out of the patch stays. */
export async function updateTenant(db: Db, id: string, patch: z.infer<typeof tenantPatch>): Promise<void> {
  await sql`
    update mcp_proxy.tenants set
      display_name = coalesce(${patch.displayName ?? null}, display_name),
      email_domains = coalesce(${patch.emailDomains ?? null}::text[], email_domains),
      enabled = coalesce(${patch.enabled ?? null}, enabled),
      updated_at = now()
    where id = ${id}`.execute(db);
}

/** With its keys, endpoints and tokens; groups that named it stay without a tenant. */
export async function deleteTenant(db: Db, id: string): Promise<void> {
  await sql`delete from mcp_proxy.tenants where id = ${id}`.execute(db);
}

export async function putEndpoint(db: Db, tenant: string, server: string, url: string): Promise<void> {
  await sql`
    insert into mcp_proxy.tenant_server_endpoints (tenant_id, server_id, endpoint_url)
    values (${tenant}, ${server}, ${url})
    on conflict (tenant_id, server_id) do update
    set endpoint_url = excluded.endpoint_url, source = 'admin', updated_at = now()`.execute(db);
}

/** False when there was none. */
export async function deleteEndpoint(db: Db, tenant: string, server: string): Promise<boolean> {
  const { rows } = await sql`
    delete from mcp_proxy.tenant_server_endpoints where tenant_id = ${tenant} and server_id = ${server}
    returning server_id`.execute(db);
  return rows.length > 0;
}

/** Of one server, or of every server (`*`): these values and no others. */
export async function putVariables(
  db: Db,
  tenant: string,
  server: string,
  values: Readonly<Record<string, string>>,
): Promise<void> {
  await deleteVariables(db, tenant, server);
  await sql`
    insert into mcp_proxy.tenant_variables (tenant_id, server_id, name, value)
    select ${tenant}, ${serverColumn(server)}, key, value
    from jsonb_each_text(${JSON.stringify(values)}::jsonb)`.execute(db);
}

/** False when there were none. */
export async function deleteVariables(db: Db, tenant: string, server: string): Promise<boolean> {
  const { rows } = await sql`
    delete from mcp_proxy.tenant_variables
    where tenant_id = ${tenant} and server_id is not distinct from ${serverColumn(server)}
    returning name`.execute(db);
  return rows.length > 0;
}

function serverColumn(server: string) {
  return sql<string | null>`${server === everyServer ? null : server}::text`;
}
