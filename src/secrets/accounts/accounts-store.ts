import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { AccountPlace } from './accounts.ts';

/** An account as it lies in the database, without its lease. */
export interface AccountRow extends AccountPlace {
  readonly id: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly resource: string;
  readonly state: 'connected' | 'reconnect';
  readonly problem: string | null;
  readonly sealed: string;
  readonly scopes: readonly string[];
  readonly connectedAt: Date;
  readonly refreshedAt: Date | null;
  readonly generation: number;
}

const columns = sql`
  id::text as id, tenant_id as tenant, user_email as "user", server_id as server, issuer, client_id as "clientId",
  resource, state, problem, sealed, scopes, connected_at as "connectedAt", refreshed_at as "refreshedAt", generation`;

export interface ChangedAccounts {
  readonly rows: readonly AccountRow[];
  /** How many accounts there are in all. */
  readonly total: number;
  /** Every transaction before this one has been seen. */
  readonly horizon: string;
}

/** Accounts that transactions since `horizon` changed, all for null; some may be old news. Operator's scope. */
export async function loadChanged(db: Db, horizon: string | null): Promise<ChangedAccounts> {
  // One statement, so that the three belong together. After a restore from a dump, `changed` may lie in the future of
  // this database: what is visible and was written here lies before the snapshot's end.
  const { rows } = await sql<
    { [K in keyof AccountRow]: AccountRow[K] | null } & { total: string; horizon: string }
  >`
    select account.*, counted.total, pg_snapshot_xmin(pg_current_snapshot())::text as horizon
    from (select count(*) as total from mcp_proxy.user_accounts) as counted
    left join (
      select ${columns} from mcp_proxy.user_accounts
      where ${horizon === null ? sql`true` : sql`changed >= ${horizon}::xid8 and changed < pg_snapshot_xmax(pg_current_snapshot())`}
    ) as account on true`.execute(db);
  const [first] = rows;
  if (!first) throw new Error('the database counted nothing');
  const found = rows.filter((row): row is typeof row & AccountRow => row.id !== null);
  return {
    rows: found.map(({ total: _total, horizon: _horizon, ...row }) => row),
    total: Number(first.total),
    horizon: first.horizon,
  };
}

/** The ids of all accounts. Operator's scope. */
export async function loadIds(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`select id::text as id from mcp_proxy.user_accounts`.execute(db);
  return rows.map(({ id }) => id);
}

export interface NewAccount extends AccountPlace {
  readonly issuer: string;
  readonly clientId: string;
  readonly resource: string;
  readonly sealed: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number | null;
}

/** Connects, or connects anew: whatever was being done with the old tokens finds a newer generation. */
export async function putAccount(db: Db, a: NewAccount): Promise<AccountRow> {
  const { rows } = await sql<AccountRow>`
    insert into mcp_proxy.user_accounts
      (tenant_id, user_email, server_id, issuer, client_id, resource, state, sealed, scopes, expires_at)
    values (${a.tenant}, ${a.user}, ${a.server}, ${a.issuer}, ${a.clientId}, ${a.resource}, 'connected', ${a.sealed},
            ${a.scopes}::text[], to_timestamp(${a.expiresAt}::double precision / 1000))
    on conflict (tenant_id, user_email, server_id) do update set
      issuer = excluded.issuer, client_id = excluded.client_id, resource = excluded.resource, state = 'connected',
      problem = null, sealed = excluded.sealed, scopes = excluded.scopes, expires_at = excluded.expires_at,
      lease_until = null, lease_by = null, connected_at = clock_timestamp(), refreshed_at = null,
      generation = user_accounts.generation + 1
    returning ${columns}`.execute(db);
  const [row] = rows;
  if (!row) throw new Error('the account was not stored');
  return row;
}

/** The account as it is at this moment. */
export async function readAccount(db: Db, id: string): Promise<AccountRow | null> {
  const { rows } = await sql<AccountRow>`
    select ${columns} from mcp_proxy.user_accounts where id = ${id}::uuid`.execute(db);
  return rows[0] ?? null;
}

/** Whether somebody else left the lease that was taken: they may have new tokens that they could not store yet. */
export interface Taken {
  readonly row: AccountRow;
  readonly abandoned: boolean;
}

/** The right to renew this generation for `seconds`; null when somebody else has it, or it is not there any more. */
export async function takeLease(
  db: Db,
  o: { id: string; generation: number; holder: string; seconds: number },
): Promise<Taken | null> {
  const { rows } = await sql<AccountRow & { abandoned: boolean }>`
    with free as (
      select id as free_id, lease_by is not null as abandoned from mcp_proxy.user_accounts
      where id = ${o.id}::uuid and generation = ${o.generation} and state = 'connected'
        and (lease_until is null or lease_until < clock_timestamp())
      for update)
    update mcp_proxy.user_accounts
    set lease_until = clock_timestamp() + make_interval(secs => ${o.seconds}), lease_by = ${o.holder}
    from free where id = free_id
    returning ${columns}, abandoned`.execute(db);
  const [found] = rows;
  if (!found) return null;
  const { abandoned, ...row } = found;
  return { row, abandoned };
}

/** Gives the lease back without a result. */
export async function dropLease(db: Db, id: string, holder: string): Promise<void> {
  await sql`
    update mcp_proxy.user_accounts set lease_until = null, lease_by = null
    where id = ${id}::uuid and lease_by = ${holder}`.execute(db);
}

/** Keeps others from renewing this generation for `seconds`, whoever took the lease: its refresh token is used up. */
export async function keepLease(
  db: Db,
  o: { id: string; generation: number; seconds: number },
): Promise<void> {
  await sql`
    update mcp_proxy.user_accounts set lease_until = clock_timestamp() + make_interval(secs => ${o.seconds})
    where id = ${o.id}::uuid and generation = ${o.generation} and lease_by is not null`.execute(db);
}

/** Renewed tokens of one generation, ready to be stored. */
export interface Renewed {
  readonly id: string;
  /** The generation whose refresh token was used. */
  readonly generation: number;
  readonly sealed: string;
  readonly scopes: readonly string[];
  readonly expiresAt: number | null;
}

/** Stores them; null when the generation is over or the account is gone. */
export async function putRenewed(db: Db, r: Renewed): Promise<AccountRow | null> {
  const { rows } = await sql<AccountRow>`
    update mcp_proxy.user_accounts set
      sealed = ${r.sealed}, scopes = ${r.scopes}::text[], expires_at = to_timestamp(${r.expiresAt}::double precision / 1000),
      state = 'connected', problem = null, lease_until = null, lease_by = null, refreshed_at = clock_timestamp(),
      generation = generation + 1
    where id = ${r.id}::uuid and generation = ${r.generation}
    returning ${columns}`.execute(db);
  return rows[0] ?? null;
}

/** From here on the owner has to sign in again; null when that happened meanwhile. */
export async function putReconnect(
  db: Db,
  o: { id: string; generation: number; problem: string },
): Promise<AccountRow | null> {
  const { rows } = await sql<AccountRow>`
    update mcp_proxy.user_accounts
    set state = 'reconnect', problem = ${o.problem}, lease_until = null, lease_by = null
    where id = ${o.id}::uuid and generation = ${o.generation}
    returning ${columns}`.execute(db);
  return rows[0] ?? null;
}

/** Forgets the account, and says what it was. */
export async function deleteAccount(
  db: Db,
  { tenant, user, server }: AccountPlace,
): Promise<AccountRow | null> {
  const { rows } = await sql<AccountRow>`
    delete from mcp_proxy.user_accounts
    where tenant_id is not distinct from ${tenant} and user_email = ${user} and server_id = ${server}
    returning ${columns}`.execute(db);
  return rows[0] ?? null;
}

/** One page of all accounts, by id. Operator's scope. */
export async function listAccounts(
  db: Db,
  o: {
    user?: string | undefined;
    server?: string | undefined;
    state?: string | undefined;
    search?: string | undefined;
    after?: string | undefined;
    limit: number;
  },
): Promise<AccountRow[]> {
  const { rows } = await sql<AccountRow>`
    select ${columns} from mcp_proxy.user_accounts
    where (${o.user ?? null}::text is null or user_email = ${o.user ?? null})
      and (${o.server ?? null}::text is null or server_id = ${o.server ?? null})
      and (${o.state ?? null}::text is null or state = ${o.state ?? null})
      and (${o.search ?? null}::text is null or position(lower(${o.search ?? null}) in user_email) > 0)
      and (${o.after ?? null}::text is null or id > ${o.after ?? null}::uuid)
    order by id limit ${o.limit}`.execute(db);
  return rows;
}
