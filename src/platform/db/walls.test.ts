import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import type pg from 'pg';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { asOwner, testDatabase } from '../../../test/database.ts';
import { rowsOf, seen, standing } from '../../../test/wall-sights.ts';
import { createLog } from '../log.ts';
import { type Database, migrate, openDatabase } from './index.ts';
import { isPooledByTransaction } from './pool.ts';

const log = createLog('silent');
const migrations = new URL('../../../migrations/', import.meta.url);

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'toolgate-test-'));
});
afterAll(() => rm(dataDir, { recursive: true }));

async function embeddedDatabase(): Promise<Database> {
  const database = await openDatabase({ dataDir, log });
  await migrate(database, migrations);
  await database.walls.raise();
  return database;
}

describe.each([
  { kind: 'postgres', open: testDatabase },
  { kind: 'embedded', open: embeddedDatabase },
] as const)('on $kind', ({ open }) => {
  let database: Database;

  beforeAll(async () => {
    database = await open();
    await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
      database.db,
    );
  }, 120_000);
  afterAll(() => database.close());

  test('the walls stand', () => {
    expect(database.walls.missing()).toBeNull();
  });

  test('each handle is in its own scope, under the role, however they take turns', async () => {
    const [acme, globex] = [database.forTenant('acme'), database.forTenant('globex')];
    for (let turn = 0; turn < 3; turn++) {
      expect([await seen(acme), await seen(globex)]).toEqual([['acme'], ['globex']]);
      expect(await seen(database.db)).toEqual(['acme', 'globex']);
    }
    expect(await standing(acme)).toEqual({ role: 'toolgate_app', scope: 'acme' });
    expect(await standing(database.db)).toEqual({ role: 'toolgate_app', scope: '*' });
  });

  test('many at once never see what another one sees', async () => {
    const tenants = Array.from({ length: 200 }, (_, n) => (n % 2 === 0 ? 'acme' : 'globex'));
    const found = await Promise.all(tenants.map((tenant) => seen(database.forTenant(tenant))));
    expect(found).toEqual(tenants.map((tenant) => [tenant]));
  });

  test.each(['*', '', ' ', 'acme ', 'ACME', "acme' or true --", 'a\0b', '\u202eacme', '**'])(
    'as tenant %j nothing is there, and nothing can be changed',
    async (tenant) => {
      const db = database.forTenant(tenant);
      expect(await seen(db)).toEqual([]);
      expect((await standing(db))?.scope).toBe('');
      await expect(
        sql`insert into mcp_proxy.audit_log (actor, action, target_kind, target_id, tenant_id) values ('a', 'b', 'c', 'd', '')`.execute(
          db,
        ),
      ).rejects.toMatchObject({ code: '42501' });
    },
  );

  test('a transaction that fails leaves no other scope behind, whatever it set', async () => {
    const acme = database.forTenant('acme');
    for (const isLocal of [true, false]) {
      const work = acme.transaction().execute(async (trx) => {
        await sql`select set_config('toolgate.scope', 'globex', ${isLocal})`.execute(trx);
        await sql`select 1 / 0`.execute(trx);
      });
      await expect(work).rejects.toMatchObject({ code: '22012' });
      expect(await seen(acme)).toEqual(['acme']);
      expect(await seen(database.db)).toEqual(['acme', 'globex']);
    }
  });

  test('a statement that fails leaves the scope as it was', async () => {
    const acme = database.forTenant('acme');
    await expect(sql`select 1 / 0`.execute(acme)).rejects.toMatchObject({ code: '22012' });
    expect(await seen(acme)).toEqual(['acme']);
  });

  test('a connection that is given back inside a transaction is not used again', async () => {
    const acme = database.forTenant('acme');
    await acme.connection().execute((one) => sql`begin`.execute(one));
    expect(await seen(database.forTenant('globex'))).toEqual(['globex']);
    expect(await seen(acme)).toEqual(['acme']);
    expect(await rowsOf(acme, sql`select pg_current_xact_id_if_assigned()::text as xid`)).toEqual([
      { xid: null },
    ]);
  });

  test('what runs as the owner is held by no wall, and what comes after it is again', async () => {
    expect(await seen(database.forTenant('acme'))).toEqual(['acme']);
    expect(await database.withoutTimeLimit(seen)).toEqual(['acme', 'globex']);
    expect(await database.withoutTimeLimit(standing)).not.toMatchObject({ role: 'toolgate_app' });
    expect(await seen(database.forTenant('acme'))).toEqual(['acme']);
  });

  test('migrations run as the owner also after the walls were raised', async () => {
    expect(await migrate(database, migrations)).toEqual({ applied: [] });
  });
});

test('inside a transaction of one scope another handle is in its own', async () => {
  const database = await testDatabase();
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    database.db,
  );
  const found = await database
    .forTenant('acme')
    .transaction()
    .execute(async (trx) => [
      await seen(trx),
      await seen(database.forTenant('globex')),
      await seen(database.db),
      await seen(trx),
    ]);
  expect(found).toEqual([['acme'], ['globex'], ['acme', 'globex'], ['acme']]);
});

test('connections that were cut come back in the scope that is asked for', async () => {
  const database = await testDatabase();
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    database.db,
  );
  await Promise.all(Array.from({ length: 20 }, () => seen(database.forTenant('globex'))));
  await asOwner(database.db, (owner) =>
    sql`select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()`.execute(
      owner,
    ),
  );
  const answers = await Promise.allSettled(
    Array.from({ length: 50 }, () => seen(database.forTenant('acme'))),
  );
  for (const answer of answers) if (answer.status === 'fulfilled') expect(answer.value).toEqual(['acme']);
  await expect.poll(() => seen(database.forTenant('acme')).catch(() => 'away')).toEqual(['acme']);
});

test.each([
  ['directly', [1, 2], [1, 2], false],
  ['through a pooler in session mode', [7, 9], [7, 9], false],
  ['through a pooler that gives out what became free last', [1, 1], [1, 1], true],
  ['through one that goes round', [1, 2], [3, 4], true],
  ['through one that changes one of them', [1, 2], [1, 3], true],
] as const)(
  'connected %s, it is seen whether transactions get other connections',
  async (_, first, second, pooled) => {
    const turns = [...first, ...second];
    const client = { query: async () => ({ rows: [{ pid: turns.shift() }] }), release: () => undefined };
    // Only what is asked of a pool here.
    const pool = { options: { max: 10 }, connect: async () => client } as unknown as pg.Pool;
    expect(await isPooledByTransaction(pool)).toBe(pooled);
  },
);
