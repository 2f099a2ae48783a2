import { sql } from 'kysely';
import type { Db } from '../../../platform/db/index.ts';

/** Whose client it is: the server's for one tenant, or for all of them. */
export interface ClientPlace {
  readonly tenant: string | null;
  readonly server: string;
}

export type StoredSource = 'stored' | 'registered' | 'configured';

export interface ClientRow extends ClientPlace {
  readonly id: string;
  readonly issuer: string;
  readonly source: StoredSource;
  readonly clientId: string;
  readonly sealed: string | null;
  readonly expiresAt: Date | null;
  readonly updatedAt: Date;
  readonly updatedBy: string;
}

const columns = sql`
  id::text as id, tenant_id as tenant, server_id as server, issuer, source, client_id as "clientId", sealed,
  expires_at as "expiresAt", updated_at as "updatedAt", updated_by as "updatedBy"`;

/** The one of this source for exactly this place; of registrations the one at `issuer`. */
export async function findClient(
  db: Db,
  { tenant, server }: ClientPlace,
  source: StoredSource,
  issuer: string | null = null,
): Promise<ClientRow | null> {
  const { rows } = await sql<ClientRow>`
    select ${columns} from mcp_proxy.oauth_clients
    where tenant_id is not distinct from ${tenant} and server_id = ${server} and source = ${source}
      and (${issuer}::text is null or issuer = ${issuer})`.execute(db);
  return rows[0] ?? null;
}

/** What administrators stored: of one tenant, or for all tenants with null. */
export async function listStoredClients(db: Db, tenant: string | null): Promise<ClientRow[]> {
  const { rows } = await sql<ClientRow>`
    select ${columns} from mcp_proxy.oauth_clients
    where tenant_id is not distinct from ${tenant} and source = 'stored' order by server_id`.execute(db);
  return rows;
}

/** What administrators stored, of all tenants and for everybody. Operator's scope. */
export async function loadStoredClients(db: Db): Promise<ClientRow[]> {
  const { rows } = await sql<ClientRow>`
    select ${columns} from mcp_proxy.oauth_clients where source = 'stored'`.execute(db);
  return rows;
}

export interface NewClient extends ClientPlace {
  readonly issuer: string;
  readonly source: StoredSource;
  readonly clientId: string;
  readonly sealed: string | null;
  readonly expiresAt: number | null;
  readonly by: string;
}

/** Sets or replaces it. */
export async function putClient(db: Db, c: NewClient): Promise<ClientRow> {
  const { rows } = await sql<ClientRow>`
    insert into mcp_proxy.oauth_clients
      (tenant_id, server_id, issuer, source, client_id, sealed, expires_at, updated_by)
    values (${c.tenant}, ${c.server}, ${c.issuer}, ${c.source}, ${c.clientId}, ${c.sealed},
            to_timestamp(${c.expiresAt}::double precision / 1000), ${c.by})
    on conflict (tenant_id, server_id, source, (case when source = 'registered' then issuer else '' end)) do update set
      issuer = excluded.issuer, client_id = excluded.client_id, sealed = excluded.sealed,
      expires_at = excluded.expires_at, updated_at = now(), updated_by = excluded.updated_by
    returning ${columns}`.execute(db);
  const [row] = rows;
  if (!row) throw new Error('the client was not stored');
  return row;
}

/** Sets it where there is none, or only the one with the id `replaced`; null when there is another one. */
export async function replaceClient(
  db: Db,
  c: NewClient,
  replaced: string | null,
): Promise<ClientRow | null> {
  const { rows } = await sql<ClientRow>`
    insert into mcp_proxy.oauth_clients
      (tenant_id, server_id, issuer, source, client_id, sealed, expires_at, updated_by)
    values (${c.tenant}, ${c.server}, ${c.issuer}, ${c.source}, ${c.clientId}, ${c.sealed},
            to_timestamp(${c.expiresAt}::double precision / 1000), ${c.by})
    on conflict (tenant_id, server_id, source, (case when source = 'registered' then issuer else '' end)) do update set
      issuer = excluded.issuer, client_id = excluded.client_id, sealed = excluded.sealed,
      expires_at = excluded.expires_at, updated_at = now(), updated_by = excluded.updated_by
      where oauth_clients.client_id = ${replaced}
    returning ${columns}`.execute(db);
  return rows[0] ?? null;
}

/** Removes what was stored for this place; for everybody also registrations, and what a definition's client was used at. */
export async function deleteClients(db: Db, { tenant, server }: ClientPlace): Promise<ClientRow[]> {
  const { rows } = await sql<ClientRow>`
    delete from mcp_proxy.oauth_clients
    where tenant_id is not distinct from ${tenant} and server_id = ${server}
    returning ${columns}`.execute(db);
  return rows;
}

/** A registration that its authorization server does not know any more; another one meanwhile stays. */
export async function forgetRegistration(
  db: Db,
  { server, issuer, clientId }: { server: string; issuer: string; clientId: string },
): Promise<void> {
  await sql`
    delete from mcp_proxy.oauth_clients
    where tenant_id is null and server_id = ${server} and source = 'registered' and issuer = ${issuer}
      and client_id = ${clientId}`.execute(db);
}
