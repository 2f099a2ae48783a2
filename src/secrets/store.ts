import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import type { z } from 'zod';
import type { Db } from '../platform/db/index.ts';
import type { keyView } from './contract.ts';
import { type Binding, sharedOwner, tenantOwner } from './binding.ts';

/** A credential as it lies in the database. */
export interface SealedRow extends Binding {
  readonly id: string;
  readonly sealed: string;
}

type Stored = Omit<SealedRow, 'owner'>;

/** Every sealed credential of every tenant, for the vault's memory. */
export async function loadSealed(db: Db): Promise<SealedRow[]> {
  const { rows } = await sql<Stored>`
    select id::text as id, tenant_id as tenant, server_id as server, name, sealed
    from mcp_proxy.credentials`.execute(db);
  return rows.map((row) => ({ ...row, owner: row.tenant === null ? sharedOwner : tenantOwner(row.tenant) }));
}

/** The keys of one tenant, or the shared ones for null, masked. */
export async function listKeys(db: Db, tenant: string | null): Promise<z.infer<typeof keyView>[]> {
  const { rows } = await sql<{
    server: string;
    name: string;
    lastFour: string;
    updatedAt: Date;
    updatedBy: string;
  }>`
    select server_id as server, name, last_four as "lastFour", updated_at as "updatedAt", updated_by as "updatedBy"
    from mcp_proxy.credentials
    where tenant_id is not distinct from ${tenant}
    order by server_id, name`.execute(db);
  return rows.map((row) => ({ ...row, updatedAt: row.updatedAt.toISOString() }));
}

/** Sets or replaces a credential of a tenant and a server that exist. */
export async function putSealed(
  db: Db,
  key: Binding & { sealed: string; lastFour: string; updatedBy: string },
): Promise<{ previousLastFour: string | null }> {
  // Locks the row, so that the audit entry tells what this very change replaced.
  const { rows } = await sql<{ lastFour: string }>`
    select last_four as "lastFour" from mcp_proxy.credentials
    where tenant_id is not distinct from ${key.tenant} and server_id = ${key.server} and name = ${key.name}
    for update`.execute(db);
  await sql`
    insert into mcp_proxy.credentials (id, tenant_id, server_id, name, sealed, last_four, updated_by)
    values (${randomUUID()}, ${key.tenant}, ${key.server}, ${key.name}, ${key.sealed}, ${key.lastFour}, ${key.updatedBy})
    on conflict (tenant_id, server_id, name) do update
      set sealed = excluded.sealed, last_four = excluded.last_four, updated_at = now(), updated_by = excluded.updated_by`.execute(
    db,
  );
  return { previousLastFour: rows[0]?.lastFour ?? null };
}

/** Removes a credential; null when there was none. */
export async function deleteSealed(db: Db, key: Binding): Promise<{ lastFour: string } | null> {
  const { rows } = await sql<{ lastFour: string }>`
    delete from mcp_proxy.credentials
    where tenant_id is not distinct from ${key.tenant} and server_id = ${key.server} and name = ${key.name}
    returning last_four as "lastFour"`.execute(db);
  return rows[0] ?? null;
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
