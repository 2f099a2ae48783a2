// Every statement about tenants and their endpoints.
import { sql } from 'kysely';
import type { z } from 'zod';
import type { Page, PageQuery } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import type { tenantInput, tenantPatch, tenantView } from './contract.ts';
import { maskUrl } from './mask.ts';
import { contains, decodeCursor, pageOf } from './paging.ts';

export type TenantView = z.infer<typeof tenantView>;

const view = sql`
  t.id, t.display_name as "displayName", t.email_domains as "emailDomains", t.enabled, t.managed_by as "managedBy",
  coalesce((
    select json_agg(json_build_object('server', e.server_id, 'url', e.endpoint_url) order by e.server_id)
    from mcp_proxy.tenant_server_endpoints e where e.tenant_id = t.id), '[]') as endpoints,
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
