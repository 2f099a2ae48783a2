// Keys as administrators see and change them. Whoever calls says whose they are: by the scope of `db`, and by name.
import { randomUUID } from 'node:crypto';
import { type RawBuilder, sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { Binding, Level, Owner } from '../binding.ts';
import type { KeyView } from '../contract.ts';

/** Where the keys of a level lie, and what names their owner there: tenants' and shared ones have no column for it. */
const places: Readonly<Record<Level, { table: string; owner: string | null }>> = {
  user: { table: 'user_credentials', owner: 'user_email' },
  group: { table: 'group_credentials', owner: 'group_name' },
  tenant: { table: 'credentials', owner: null },
  shared: { table: 'credentials', owner: null },
};

interface ViewRow extends Omit<KeyView, 'level' | 'owner' | 'createdAt' | 'updatedAt' | 'lastUsedAt'> {
  createdAt: Date;
  updatedAt: Date;
  lastUsedAt: Date | null;
}

/** The keys of one owner, masked. `tenant` narrows those of a user to one; of the others it is part of the owner. */
export async function listKeys(
  db: Db,
  { level, id }: Owner,
  tenant: string | null = null,
): Promise<KeyView[]> {
  const { owner } = places[level];
  const { rows } = await sql<ViewRow>`
    select k.tenant_id as tenant, k.server_id as server, k.name, k.last_four as "lastFour",
      k.created_at as "createdAt", k.updated_at as "updatedAt", k.updated_by as "updatedBy",
      k.last_used_at as "lastUsedAt", ${isDormant(level)} as dormant
    from ${tableOf(level)} k
    where ${owner === null ? sql`k.tenant_id is not distinct from ${id}` : sql`${sql.ref(`k.${owner}`)} = ${id}`}
      and (${tenant}::text is null or k.tenant_id = ${tenant})
    order by k.server_id, k.name, k.tenant_id nulls first`.execute(db);
  return rows.map((row) => ({
    ...row,
    ...{ level, owner: id, createdAt: row.createdAt.toISOString(), updatedAt: row.updatedAt.toISOString() },
    lastUsedAt: row.lastUsedAt?.toISOString() ?? null,
  }));
}

/** Sets or replaces a credential of an owner and a server that exist. */
export async function putSealed(
  db: Db,
  key: Binding & { sealed: string; lastFour: string; updatedBy: string },
): Promise<{ previousLastFour: string | null }> {
  const { owner } = places[key.owner.level];
  // Locks the row, so that the audit entry tells what this very change replaced.
  const { rows } = await sql<{ lastFour: string }>`
    select last_four as "lastFour" from ${tableOf(key.owner.level)} where ${isAt(key)} for update`.execute(
    db,
  );
  const column = owner === null ? sql`` : sql`${sql.ref(owner)},`;
  await sql`
    insert into ${tableOf(key.owner.level)} (id, tenant_id, ${column} server_id, name, sealed, last_four, updated_by)
    values (${randomUUID()}, ${key.tenant}, ${owner === null ? sql`` : sql`${key.owner.id},`} ${key.server},
      ${key.name}, ${key.sealed}, ${key.lastFour}, ${key.updatedBy})
    on conflict (tenant_id, ${column} server_id, name) do update
      set sealed = excluded.sealed, last_four = excluded.last_four, updated_at = now(), updated_by = excluded.updated_by`.execute(
    db,
  );
  return { previousLastFour: rows[0]?.lastFour ?? null };
}

/** Removes a credential; null when there was none. */
export async function deleteSealed(db: Db, key: Binding): Promise<{ lastFour: string } | null> {
  const { rows } = await sql<{ lastFour: string }>`
    delete from ${tableOf(key.owner.level)} where ${isAt(key)} returning last_four as "lastFour"`.execute(db);
  return rows[0] ?? null;
}

/** Which tenants a group has a key for under one name of a server; null for one of no tenant. */
export async function tenantsOfGroupKey(
  db: Db,
  key: { group: string; server: string; name: string },
): Promise<(string | null)[]> {
  const { rows } = await sql<{ tenant: string | null }>`
    select tenant_id as tenant from mcp_proxy.group_credentials
    where group_name = ${key.group} and server_id = ${key.server} and name = ${key.name}
    order by tenant_id nulls first`.execute(db);
  return rows.map(({ tenant }) => tenant);
}

/** In a transaction the tenant then stays until its end. */
export async function tenantExists(db: Db, tenant: string): Promise<boolean> {
  const { rows } = await sql`select 1 from mcp_proxy.tenants where id = ${tenant} for key share`.execute(db);
  return rows.length > 0;
}

/** In a transaction the server then stays until its end. */
export async function serverExists(db: Db, server: string): Promise<boolean> {
  const { rows } = await sql`select 1 from mcp_proxy.servers where id = ${server} for key share`.execute(db);
  return rows.length > 0;
}

/** Users belong to no tenant, so this is the operator's scope. In a transaction the user then stays until its end. */
export async function userExists(db: Db, email: string): Promise<boolean> {
  const { rows } = await sql`select 1 from mcp_proxy.users where email = ${email} for key share`.execute(db);
  return rows.length > 0;
}

/** The tenant that a group belongs to; undefined: there is no such group. In a transaction both then stay so. */
export async function groupTenant(db: Db, group: string): Promise<string | null | undefined> {
  const { rows } = await sql<{ tenant: string | null }>`
    select tenant_id as tenant from mcp_proxy.groups where name = ${group} for share`.execute(db);
  return rows[0]?.tenant;
}

export interface Coverage {
  readonly level: Level;
  readonly tenant: string | null;
  readonly server: string;
  readonly name: string;
  readonly count: number;
}

/** How many keys there are, by where they are looked for; of all tenants, so the operator's scope. */
export async function countKeys(db: Db): Promise<Coverage[]> {
  const { rows } = await sql<Coverage>`
    select case when tenant_id is null then 'shared' else 'tenant' end as level, tenant_id as tenant,
      server_id as server, name, count(*)::int as count
    from mcp_proxy.credentials group by tenant_id, server_id, name
    union all
    select 'group', tenant_id, server_id, name, count(*)::int
    from mcp_proxy.group_credentials group by tenant_id, server_id, name
    union all
    select 'user', tenant_id, server_id, name, count(*)::int
    from mcp_proxy.user_credentials group by tenant_id, server_id, name`.execute(db);
  return rows;
}

/** Ids of the tenants that are enabled. */
export async function enabledTenants(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`
    select id from mcp_proxy.tenants where enabled order by id collate "C"`.execute(db);
  return rows.map(({ id }) => id);
}

function tableOf(level: Level): RawBuilder<unknown> {
  return sql.table(`mcp_proxy.${places[level].table}`);
}

/** The one row that a binding names. */
function isAt({ tenant, owner, server, name }: Binding): RawBuilder<unknown> {
  const column = places[owner.level].owner;
  const ofOwner = column === null ? sql`true` : sql`${sql.ref(column)} = ${owner.id}`;
  return sql`tenant_id is not distinct from ${tenant} and ${ofOwner} and server_id = ${server} and name = ${name}`;
}

/** Of a group that has moved to another tenant since. */
function isDormant(level: Level): RawBuilder<unknown> {
  if (level !== 'group') return sql`false`;
  return sql`exists (
    select 1 from mcp_proxy.groups g
    where g.name = k.group_name and g.tenant_id is not null and k.tenant_id is not null and g.tenant_id <> k.tenant_id)`;
}
