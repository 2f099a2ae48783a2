// Accounts that went away with their user, server or tenant, until their tokens are taken back. The operator's scope.
import { sql } from 'kysely';
import type { Db } from '../../platform/db/index.ts';
import type { AccountPlace } from './accounts.ts';

export interface EndingRow extends AccountPlace {
  readonly id: string;
  readonly issuer: string;
  readonly clientId: string;
  readonly sealed: string;
  /** With this one. */
  readonly tries: number;
}

/** The next ones to be dealt with, for this process alone until the lease ends; then they are due again. */
export async function takeEndings(
  db: Db,
  o: { readonly limit: number; readonly leaseSeconds: number },
): Promise<EndingRow[]> {
  const { rows } = await sql<EndingRow>`
    update mcp_proxy.account_endings
    set tries = tries + 1, due_at = clock_timestamp() + make_interval(secs => ${o.leaseSeconds})
    where id in (select id from mcp_proxy.account_endings where kind = 'account' and due_at <= clock_timestamp()
      order by due_at limit ${o.limit} for update skip locked)
    returning id::text as id, tenant_id as tenant, user_email as "user", server_id as server, issuer,
      client_id as "clientId", sealed, tries`.execute(db);
  return rows;
}

/** Whether the same person has an account there again, of the same client at the same issuer. */
export async function isConnectedAnew(db: Db, ending: EndingRow): Promise<boolean> {
  const { rows } = await sql`
    select from mcp_proxy.user_accounts
    where tenant_id is not distinct from ${ending.tenant} and user_email = ${ending.user}
      and server_id = ${ending.server} and issuer = ${ending.issuer} and client_id = ${ending.clientId}`.execute(
    db,
  );
  return rows.length > 0;
}

export async function putOffEnding(db: Db, id: string, seconds: number): Promise<void> {
  await sql`
    update mcp_proxy.account_endings set due_at = clock_timestamp() + make_interval(secs => ${seconds})
    where id = ${id}::uuid`.execute(db);
}

export async function dropEnding(db: Db, id: string): Promise<void> {
  await sql`delete from mcp_proxy.account_endings where id = ${id}::uuid`.execute(db);
}

/** Removes what is too old to be tried, and clients that nothing waits for any more. */
export async function sweepEndings(db: Db, hours: number): Promise<void> {
  await sql`
    delete from mcp_proxy.account_endings
    where kind = 'account' and ended_at < now() - make_interval(hours => ${hours})`.execute(db);
  await sql`
    delete from mcp_proxy.account_endings as client
    where kind = 'client' and not exists (select from mcp_proxy.account_endings as account
      where account.kind = 'account' and account.server_id = client.server_id and account.issuer = client.issuer)`.execute(
    db,
  );
}

/** The stored client that went away together with an account of it, sealed; null: there was none with a secret. */
export async function endedClient(
  db: Db,
  o: { tenant: string | null; server: string; issuer: string; clientId: string },
): Promise<string | null> {
  const { rows } = await sql<{ sealed: string }>`
    select sealed from mcp_proxy.account_endings
    where kind = 'client' and tenant_id is not distinct from ${o.tenant} and server_id = ${o.server}
      and issuer = ${o.issuer} and client_id = ${o.clientId}
    order by ended_at desc limit 1`.execute(db);
  return rows[0]?.sealed ?? null;
}
