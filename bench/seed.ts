import { sql } from 'kysely';
import { type Db, migrate, openDatabase } from '../src/platform/db/index.ts';
import { createLog } from '../src/platform/log.ts';
import { calledServer, groups, serverName, servers, users } from './scenario.ts';

/**
 * Fills a database with an organisation of a usual size: everybody is in eight groups; one of them grants every
 * server but what deletes, the others grant a few servers each, by patterns. Everybody has a token.
 */
export async function seed(o: { url: string | undefined; dataDir: string; upstream: string }): Promise<void> {
  const database = await openDatabase({ url: o.url, dataDir: o.dataDir, log: createLog('silent') });
  try {
    await migrate(database, new URL('../migrations/', import.meta.url));
    await database.withoutTimeLimit(async (db) => {
      await addServers(db, o.upstream);
      await addGroups(db);
      await addUsers(db);
    });
  } finally {
    await database.close();
  }
}

async function addServers(db: Db, upstream: string): Promise<void> {
  for (let n = 0; n < servers; n++) {
    const era = n === calledServer.modern ? 'modern' : 'legacy';
    const definition = { type: 'http', url: `${upstream}/${era}/${n}` };
    await sql`insert into mcp_proxy.servers (id, definition, managed_by)
      values (${serverName(n)}, ${JSON.stringify(definition)}::jsonb, 'file')`.execute(db);
  }
}

async function addGroups(db: Db): Promise<void> {
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme')`.execute(db);
  await sql`insert into mcp_proxy.groups (name, display_name, tenant_id)
    select 'group-' || n, 'Group ' || n, case when n = 0 then 'acme' end from generate_series(0, ${groups - 1}::int) n`.execute(
    db,
  );
  await sql`insert into mcp_proxy.group_grants (group_name, server_id, tools)
    select 'group-0', id, '{*,!delete_*}' from mcp_proxy.servers`.execute(db);
  await sql`insert into mcp_proxy.group_grants (group_name, server_id, tools)
    select 'group-' || n, s.id, '{get_*,list_*,search_*,!get_secret*}'
    from generate_series(1, ${groups - 1}::int) n
    join (select id, row_number() over (order by id) as at from mcp_proxy.servers) s on (s.at + n) % 14 = 0`.execute(
    db,
  );
}

async function addUsers(db: Db): Promise<void> {
  await sql`insert into mcp_proxy.users (email, display_name)
    select 'person' || n || '@acme.com', 'Person ' || n from generate_series(0, ${users - 1}::int) n`.execute(
    db,
  );
  await sql`insert into mcp_proxy.memberships (user_email, group_name)
    select 'person' || n || '@acme.com', 'group-' || case when k = 0 then 0 else 1 + k * 40 + n % 10 end
    from generate_series(0, ${users - 1}::int) n, generate_series(0, 7) k`.execute(db);
  // The hash that `digestOf` makes of `tokenOf(n)`: SHA-256 as base64url.
  await sql`insert into mcp_proxy.api_tokens (id, hash, prefix, name, user_email, created_by)
    select gen_random_uuid(), rtrim(translate(encode(sha256(convert_to('tg_bench_' || n, 'UTF8')), 'base64'), '+/', '-_'), '='),
      'tg_bench', 'bench', 'person' || n || '@acme.com', 'bench' from generate_series(0, ${users - 1}::int) n`.execute(
    db,
  );
}
