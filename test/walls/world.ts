// Two tenants with rows in every table that holds tenants' rows, shared rows, and rows of the operator's.
import { isDeepStrictEqual } from 'node:util';
import { type RawBuilder, sql } from 'kysely';
import type { Database, Db } from '../../src/platform/db/index.ts';
import { asOwner, testDatabase } from '../database.ts';

/** What names the rows of one tenant; of `nowhere` there are none. */
export interface Target {
  readonly tenant: string;
  readonly group: string;
  readonly user: string;
  /** Of every row of this tenant that has an id of this form. */
  readonly id: string;
  /** Of what has a text as its id. */
  readonly text: string;
  /** In each of its secrets, addresses and names. */
  readonly canary: string;
}

const target = (tenant: string, letter: string): Target => ({
  tenant,
  group: `Tenant-${tenant}`,
  user: `alice@${tenant}.com`,
  id: `${letter.repeat(8)}-0000-4000-8000-000000000000`,
  text: `text-${tenant}`,
  canary: `canary-of-${tenant}`,
});

export const acme = target('acme', 'a');
export const globex = target('globex', 'b');
/** Names nobody: what is not yours has to look like it. */
export const nowhere = target('nowhere', 'c');

/** A server that everybody sees. */
export const server = 'github';
export const masterKey = '0a1b2c3d';
export const sealedOf = (canary: string) => `v2.${masterKey}.${canary}`;
/** Rows of nobody: the operator's. */
export const operatorCanary = 'canary-of-the-operator';

export interface World {
  readonly database: Database;
  /** Makes every row as it was at first. */
  reset(): Promise<void>;
  /** Every row of every table, as text, but for the versions that triggers count. */
  dump(): Promise<Map<string, string[]>>;
}

export async function wallsWorld(): Promise<World> {
  const database = await testDatabase();
  const asOwnerOf = <T>(work: (owner: Db) => Promise<T>) => asOwner(database.db, work);
  const tables = await asOwnerOf(tablesOf);
  const changing = tables.filter((name) => !['live_versions', 'schema_migrations'].includes(name));
  const world: World = {
    database,
    reset: () =>
      asOwnerOf(async (owner) => {
        await emptied(owner, changing);
        await seed(owner);
      }),
    dump: () => asOwnerOf((owner) => dumpOf(owner, changing)),
  };
  await world.reset();
  return world;
}

/** Not even an owner empties the records of changes, but for one who says that triggers do not count. */
export async function emptied(owner: Db, names: readonly string[]): Promise<void> {
  await owner.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx);
    await sql`truncate ${sql.join(names.map(inSchema))} cascade`.execute(trx);
  });
}

export async function tablesOf(owner: Db): Promise<string[]> {
  const { rows } = await sql<{ name: string }>`
    select relname as name from pg_class
    where relnamespace = 'mcp_proxy'::regnamespace and relkind in ('r', 'p') order by 1`.execute(owner);
  return rows.map(({ name }) => name);
}

export function inSchema(name: string): RawBuilder<unknown> {
  return sql.id('mcp_proxy', name);
}

async function dumpOf(owner: Db, names: readonly string[]): Promise<Map<string, string[]>> {
  const dump = new Map<string, string[]>();
  for (const name of names) {
    const { rows } = await sql<{ row: string }>`select t::text as row from ${inSchema(name)} t`.execute(
      owner,
    );
    dump.set(name, rows.map(({ row }) => row).sort());
  }
  return dump;
}

/** The tables that differ, but for rows of `except`. */
export function changedTables(
  before: Map<string, string[]>,
  after: Map<string, string[]>,
  except?: Target,
): string[] {
  const rowsIn = (dump: Map<string, string[]>, name: string) =>
    dump.get(name)?.filter((row) => except === undefined || !row.includes(except.tenant));
  return [...before.keys()].filter((name) => !isDeepStrictEqual(rowsIn(before, name), rowsIn(after, name)));
}

async function seed(owner: Db): Promise<void> {
  const definition = JSON.stringify({ type: 'http', url: 'https://mcp.example.com/' });
  await sql`insert into mcp_proxy.servers (id, definition) values (${server}, ${definition}::jsonb)`.execute(
    owner,
  );
  for (const it of [acme, globex]) await seedTenant(owner, it);
  await seedOperator(owner);
}

async function seedTenant(owner: Db, it: Target): Promise<void> {
  const { tenant, group, user, id, text, canary } = it;
  const sealed = sealedOf(canary);
  const statements = [
    sql`insert into mcp_proxy.tenants (id, display_name, email_domains) values (${tenant}, ${canary}, array[${tenant} || '.com'])`,
    sql`insert into mcp_proxy.groups (name, display_name, tenant_id) values (${group}, ${canary}, ${tenant})`,
    sql`insert into mcp_proxy.users (email, display_name, default_tenant, source) values (${user}, ${canary}, ${tenant}, 'file')`,
    sql`insert into mcp_proxy.users (email, display_name, source) values (${`unused@${tenant}.com`}, ${canary}, 'file')`,
    sql`insert into mcp_proxy.user_identities (issuer, subject, user_email) values ('https://idp.example.com', ${canary}, ${user})`,
    sql`insert into mcp_proxy.memberships (user_email, group_name) values (${user}, ${group})`,
    sql`insert into mcp_proxy.group_grants (group_name, server_id, tools, source) values (${group}, ${server}, array[${canary}], 'file')`,
    sql`insert into mcp_proxy.user_grants (user_email, server_id, tools, source) values (${user}, ${server}, array[${canary}], 'file')`,
    sql`insert into mcp_proxy.file_entries (record, id, hash) values ('tenant', ${tenant}, ${canary})`,
    sql`insert into mcp_proxy.tenant_server_endpoints (tenant_id, server_id, endpoint_url) values (${tenant}, ${server}, ${`https://${canary}.example.com/`})`,
    sql`insert into mcp_proxy.tenant_variables (tenant_id, server_id, name, value) values (${tenant}, ${server}, 'HOST', ${canary}), (${tenant}, null, 'HOST', ${canary})`,
    sql`insert into mcp_proxy.credentials (id, tenant_id, server_id, sealed, last_four) values (${id}, ${tenant}, ${server}, ${sealed}, ${canary})`,
    sql`insert into mcp_proxy.group_credentials (id, tenant_id, group_name, server_id, sealed, last_four, updated_by) values (${id}, ${tenant}, ${group}, ${server}, ${sealed}, ${canary}, ${canary})`,
    sql`insert into mcp_proxy.user_credentials (id, tenant_id, user_email, server_id, sealed, last_four, updated_by) values (${id}, ${tenant}, ${user}, ${server}, ${sealed}, ${canary}, ${canary})`,
    sql`insert into mcp_proxy.api_tokens (id, hash, prefix, name, user_email, tenant_id, created_by) values (${id}, ${canary}, 'tg', ${canary}, ${user}, ${tenant}, 'root')`,
    sql`insert into mcp_proxy.oauth_clients (id, tenant_id, server_id, issuer, source, client_id, sealed, updated_by) values (${id}, ${tenant}, ${server}, 'https://as.example.com', 'stored', ${canary}, ${sealed}, 'root')`,
    sql`insert into mcp_proxy.user_accounts (id, tenant_id, user_email, server_id, issuer, client_id, resource, state, sealed)
      values (${id}, ${tenant}, ${user}, ${server}, 'https://as.example.com', ${canary}, 'https://mcp.example.com/', 'connected', ${sealed})`,
    sql`insert into mcp_proxy.oauth_attempts (id, tenant_id, user_email, server_id, sealed, expires_at) values (${text}, ${tenant}, ${user}, ${server}, ${sealed}, now() + interval '1 hour')`,
    sql`insert into mcp_proxy.account_endings (id, kind, tenant_id, user_email, server_id, issuer, client_id, sealed)
      values (${id}, 'account', ${tenant}, ${user}, ${server}, 'https://as.example.com', ${canary}, ${sealed}),
        (md5(${id})::uuid, 'client', ${tenant}, null, ${server}, 'https://as.example.com', ${canary}, ${sealed})`,
    sql`insert into mcp_proxy.browser_sessions (id, user_email, how, expires_at) values (${text}, ${user}, 'api-token', now() + interval '1 hour')`,
    sql`insert into mcp_proxy.audit_log (actor, action, target_kind, target_id, tenant_id) values (${canary}, 'a.b', 'c', 'd', ${tenant})`,
    sql`insert into mcp_proxy.api_analytics (id, timestamp, request_id, tenant_id, face, method, endpoint, outcome, status_code, response_time_ms, bytes_in, bytes_out)
      values (${id}, now(), ${canary}, ${tenant}, 'stream', 'POST', '/mcp', 'ok', 200, 1, 1, 1)`,
    sql`insert into mcp_proxy.pin_places (server_id, place, reached_at) values (${server}, ${text}, ${canary})`,
    sql`insert into mcp_proxy.tool_pins (id, server_id, place, tool, hash, status, definition) values (${id}, ${server}, ${text}, ${canary}, ${canary}, 'pending', '{}')`,
  ];
  for (const statement of statements) await statement.execute(owner);
}

async function seedOperator(owner: Db): Promise<void> {
  const sealed = sealedOf(operatorCanary);
  const statements = [
    sql`insert into mcp_proxy.groups (name, display_name, is_admin) values ('MCP-Admin', ${operatorCanary}, true)`,
    sql`insert into mcp_proxy.credentials (server_id, sealed, last_four) values (${server}, ${sealed}, ${operatorCanary})`,
    sql`insert into mcp_proxy.oauth_clients (server_id, issuer, source, client_id, sealed, updated_by) values (${server}, 'https://as.example.com', 'registered', ${operatorCanary}, ${sealed}, 'root')`,
    sql`insert into mcp_proxy.oauth_secret_issuers (server_id, version, issuer) values (${server}, 'canary', ${operatorCanary})`,
    sql`insert into mcp_proxy.users (email, display_name) values ('service:all', ${operatorCanary})`,
    sql`insert into mcp_proxy.api_tokens (id, hash, prefix, name, service_name, created_by) values (gen_random_uuid(), ${operatorCanary}, 'tg', ${operatorCanary}, 'all', 'root')`,
    sql`insert into mcp_proxy.audit_log (actor, action, target_kind, target_id) values (${operatorCanary}, 'a.b', 'c', 'd')`,
    sql`insert into mcp_proxy.master_keys (id, is_current) values (${masterKey}, true)`,
    sql`insert into mcp_proxy.installation_secrets (name, sealed) values ('state', ${sealed})`,
  ];
  for (const statement of statements) await statement.execute(owner);
}
