// What row-level security holds back when a statement itself asks for too much.
import { globSync, readFileSync } from 'node:fs';
import { type RawBuilder, sql } from 'kysely';
import { beforeEach, describe, expect, test } from 'vitest';
import type { Db } from '../src/platform/db/index.ts';
import { asOwner } from './database.ts';
import { acme, globex, inSchema, operatorCanary, type World, wallsWorld } from './walls/world.ts';

const world: World = await wallsWorld();
const { db } = world.database;
const asGlobex = world.database.forTenant(globex.tenant);
const asNobody = world.database.forTenant('');
beforeEach(() => world.reset());

const ask = <Row>(query: RawBuilder<Row>, on: Db) => query.execute(on).then(({ rows }) => rows);
const fromCatalog = <Row>(query: RawBuilder<Row>) => asOwner(db, (owner) => ask(query, owner));
const textsOf = async (name: string, on: Db) =>
  (await ask(sql<{ row: string }>`select t::text as row from ${inSchema(name)} t`, on)).map(({ row }) => row);

const tables = (
  await fromCatalog(
    sql<{ name: string; ofTenants: boolean; walled: boolean; policies: number }>`
      select c.relname as name, c.relrowsecurity as walled,
        (select count(*)::int from pg_policy p where p.polrelid = c.oid) as policies,
        exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id') as "ofTenants"
      from pg_class c where c.relnamespace = 'mcp_proxy'::regnamespace and c.relkind in ('r', 'p', 'f') order by 1`,
  )
).map((table) => [table.name, table] as const);
const ofTenants = tables.filter(([, table]) => table.ofTenants);
const appendOnly = ['api_analytics', 'api_analytics_rest', 'audit_log'];
/** Which tenant's rows hold a `tenant_id`, but are changed by the operator alone. */
const readOnly = ['groups', ...appendOnly];
const changeable = ofTenants.filter(([name]) => !readOnly.includes(name));

test.each(tables)('%s has walls', (_, { walled, policies }) => {
  expect({ walled, policies: policies > 0 }).toEqual({ walled: true, policies: true });
});

test('no view sees more than who asks it', async () => {
  const views = await fromCatalog(sql`
    select relname from pg_class where relnamespace = 'mcp_proxy'::regnamespace
      and (relkind = 'm' or relkind = 'v' and not coalesce('security_invoker=true' = any(reloptions), false))`);
  expect(views).toEqual([]);
});

test('the role of the program can change nothing but rows', async () => {
  const [may] = await ask(
    sql`select rolsuper, rolbypassrls, rolcanlogin, rolcreaterole, rolcreatedb,
        has_schema_privilege('mcp_proxy', 'create') as "create",
        exists (select from pg_class c where c.relnamespace = 'mcp_proxy'::regnamespace and c.relkind in ('r', 'p')
          and has_table_privilege(c.oid, 'truncate, references, trigger')) as "more"
      from pg_roles where rolname = current_user`,
    db,
  );
  expect(new Set(Object.values(may ?? {}))).toEqual(new Set([false]));
});

test('the world of this test has rows of two tenants wherever tenants have rows', async () => {
  for (const [name] of ofTenants) {
    const rows = await ask(
      sql<{ tenant: string | null }>`select tenant_id as tenant from ${inSchema(name)}`,
      db,
    );
    expect([name, new Set(rows.map(({ tenant }) => tenant))]).toEqual([
      name,
      expect.toSatisfy((found: Set<string | null>) => found.has('acme') && found.has('globex')),
    ]);
  }
});

describe('without any condition', () => {
  test.each(ofTenants)('a tenant finds its own rows of %s and nobody else’s', async (name) => {
    const rows = await ask(
      sql<{ tenant: string }>`select tenant_id as tenant from ${inSchema(name)}`,
      asGlobex,
    );
    expect(new Set(rows.map(({ tenant }) => tenant))).toEqual(new Set(['globex']));
  });

  test.each(tables)('nobody finds a row of %s', async (name) => {
    expect(await textsOf(name, asNobody)).toEqual([]);
  });

  test.each(tables)('a tenant finds nothing of another one, or of the operator, in %s', async (name) => {
    const found = (await textsOf(name, asGlobex)).join('\n');
    for (const text of [acme.canary, acme.user, operatorCanary]) expect(found).not.toContain(text);
  });
});

describe('a tenant that changes everything it can name', () => {
  test.each(tables)('deletes nothing of %s that is not its own', async (name) => {
    const before = (await world.dump()).get(name)?.filter((row) => !row.includes('globex'));
    await sql`delete from ${inSchema(name)}`.execute(asGlobex).catch((error: unknown) => {
      expect(error).toMatchObject({ code: '42501' });
    });
    expect((await world.dump()).get(name)?.filter((row) => !row.includes('globex'))).toEqual(before);
  });

  test.each(changeable)('takes no row of %s to itself', async (name) => {
    const { numAffectedRows } = await sql`
      update ${inSchema(name)} set tenant_id = 'globex' where tenant_id is distinct from 'globex'`.execute(
      asGlobex,
    );
    expect(numAffectedRows).toBe(0n);
    const before = await world.dump();
    await sql`update ${inSchema(name)} set tenant_id = 'globex'`.execute(asGlobex);
    const others = (rows: string[] | undefined) => rows?.filter((row) => !row.includes('globex'));
    expect(others((await world.dump()).get(name))).toEqual(others(before.get(name)));
  });

  test.each(changeable)('gives no row of %s away, not to a tenant and not to the operator', async (name) => {
    for (const tenant of ['acme', null])
      await expect(
        sql`update ${inSchema(name)} set tenant_id = ${tenant}::text`.execute(asGlobex),
      ).rejects.toMatchObject({ code: '42501' });
  });

  test.each(ofTenants)('adds no row to %s in another’s name', async (name) => {
    for (const tenant of ['acme', null, '', '*']) {
      const copy = sql`
        insert into ${inSchema(name)} select (jsonb_populate_record(null::${inSchema(name)},
          to_jsonb(mine) || jsonb_build_object('tenant_id', ${tenant}::text, 'id', ${insertId(name)}))).*
        from ${inSchema(name)} mine`;
      // A column that the database counts itself cannot be given, so that statement fails before any policy.
      await expect(copy.execute(asGlobex)).rejects.toMatchObject({
        code: expect.stringMatching(name === 'audit_log' ? /^(42501|428C9)$/ : /^42501$/),
      });
    }
  });

  test.each(appendOnly)('cannot change what is in %s, and neither can the operator', async (name) => {
    for (const on of [asGlobex, db])
      for (const statement of [
        sql`update ${inSchema(name)} set tenant_id = 'globex'`,
        sql`delete from ${inSchema(name)}`,
        sql`truncate ${inSchema(name)}`,
      ])
        await expect(statement.execute(on)).rejects.toMatchObject({ code: '42501' });
  });

  test('writes no record in another’s name, or in nobody’s', async () => {
    for (const tenant of ['acme', null, '', '*'])
      await expect(
        sql`insert into mcp_proxy.audit_log (actor, action, target_kind, target_id, tenant_id)
          values ('a', 'b', 'c', 'd', ${tenant})`.execute(asGlobex),
      ).rejects.toMatchObject({ code: '42501' });
  });

  test('changes no tenant, group or server, though it may lock its own', async () => {
    for (const statement of [
      sql`update mcp_proxy.tenants set enabled = false`,
      sql`update mcp_proxy.groups set is_admin = true`,
      sql`update mcp_proxy.servers set definition = '{}'`,
    ])
      await expect(statement.execute(asGlobex)).rejects.toMatchObject({ code: '42501' });
    expect(await ask(sql`select id from mcp_proxy.tenants for update`, asGlobex)).toEqual([{ id: 'globex' }]);
    expect(await ask(sql`select name from mcp_proxy.groups for share`, asGlobex)).toEqual([
      { name: globex.group },
    ]);
    expect(await ask(sql`select id from mcp_proxy.servers for key share`, asGlobex)).toHaveLength(1);
  });

  test('learns nothing from a condition that fails on the rows of others', async () => {
    for (const [name] of ofTenants) {
      const trap = sql`select 1 from ${inSchema(name)} where 1 / (case when tenant_id = 'globex' then 1 else 0 end) > 0`;
      await expect(ask(trap, asGlobex)).resolves.not.toEqual([]);
    }
  });
});

test('whether another tenant has a row is told by no unique index, but for those of names nobody can guess', async () => {
  const indexes = await fromCatalog(
    sql<{ name: string }>`
      select i.indexrelid::regclass::text as name from pg_index i join pg_class c on c.oid = i.indrelid
      where i.indisunique and c.relnamespace = 'mcp_proxy'::regnamespace
        and exists (select from pg_attribute a where a.attrelid = c.oid and a.attname = 'tenant_id')
        and not exists (select from pg_attribute a
          where a.attrelid = c.oid and a.attname = 'tenant_id' and a.attnum = any(i.indkey::int2[]))
      order by 1`,
  );
  expect(indexes.map(({ name }) => name.replace('mcp_proxy.', ''))).toEqual([
    'account_endings_pkey', // Random.
    'api_analytics_pkey', // Random.
    'api_analytics_rest_pkey', // Random.
    'api_tokens_hash_key', // Of 256 random bits.
    'api_tokens_pkey', // Random.
    'audit_log_pkey', // Counted by the database.
    'credentials_pkey', // Random.
    'group_credentials_pkey', // Random.
    'groups_pkey', // The operator's to make.
    'oauth_attempts_pkey', // A hash of random bits.
    'oauth_clients_pkey', // Random.
    'user_accounts_pkey', // Random.
    'user_credentials_pkey', // Random.
  ]);
});

test('only the platform says in which scope a connection is', () => {
  const root = new URL('../', import.meta.url);
  const files = globSync('{src,cli}/**/*.ts', { cwd: root, exclude: ['**/*.test.ts'] });
  const naming = files.filter((file) =>
    /toolgate\.scope|set_config\(|(set|reset) (session |local )?(role|authorization)|discard all/i.test(
      readFileSync(new URL(file, root), 'utf8'),
    ),
  );
  // The second carries it over for the workers that share one connection.
  expect(naming.toSorted()).toEqual(['src/platform/db/embedded-share.ts', 'src/platform/db/walls.ts']);
});

/** Another id of the form that the table has, as JSON. */
function insertId(name: string): RawBuilder<unknown> {
  return name === 'audit_log' ? sql`7` : sql`gen_random_uuid()::text`;
}
