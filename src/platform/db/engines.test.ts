// One suite for both engines: what runs on one runs on the other, down to the JavaScript types.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { testDatabaseUrl } from '../../../test/database.ts';
import { createLog } from '../log.ts';
import { type Database, migrate, openDatabase, pendingMigrations } from './index.ts';

const log = createLog('silent');
const migrations = new URL('../../../migrations/', import.meta.url);

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'toolgate-test-'));
});
afterAll(() => rm(dataDir, { recursive: true }));

async function postgresDatabase(): Promise<Database> {
  return openDatabase({ url: await testDatabaseUrl(), dataDir: '', log });
}

async function embeddedDatabase(): Promise<Database> {
  const database = await openDatabase({ dataDir, log });
  await migrate(database, migrations);
  return database;
}

describe.each([
  { kind: 'postgres', open: postgresDatabase },
  { kind: 'embedded', open: embeddedDatabase },
] as const)('on $kind', ({ kind, open }) => {
  let database: Database;

  beforeAll(async () => {
    database = await open();
    await sql`create table thing (id int primary key, name text not null check (name <> 'bad'))`.execute(
      database.db,
    );
  });
  afterAll(() => database.close());

  const ids = async () =>
    (await sql<{ id: number }>`select id from thing order by id`.execute(database.db)).rows.map(
      ({ id }) => id,
    );

  test('the engine is the one that was asked for', () => {
    expect(database.kind).toBe(kind);
  });

  test('values come back as the types that pg gives by default', async () => {
    const at = new Date('2026-11-20T12:34:56.789Z');
    const { rows } = await sql`
      select 1::int4 as int4, 9007199254740993::int8 as int8, 1.50::numeric as numeric, 1.5::float8 as float8,
        ${at}::timestamptz as timestamptz, ${JSON.stringify({ a: [1] })}::jsonb as jsonb, ${['a', 'b,"c']}::text[] as texts,
        ${Buffer.from([0, 1, 255])}::bytea as bytea, true as bool, null as nothing, ''::text as empty,
        '6f1c2f0e-9f3b-4c3e-8b1a-0d6c9c1f2a3b'::uuid as uuid, count(*) as count`.execute(database.db);
    expect(rows).toStrictEqual([
      {
        int4: 1,
        int8: '9007199254740993',
        numeric: '1.50',
        float8: 1.5,
        timestamptz: at,
        jsonb: { a: [1] },
        texts: ['a', 'b,"c'],
        bytea: Buffer.from([0, 1, 255]),
        bool: true,
        nothing: null,
        empty: '',
        uuid: '6f1c2f0e-9f3b-4c3e-8b1a-0d6c9c1f2a3b',
        count: '1',
      },
    ]);
  });

  test('a megabyte goes in and comes back', async () => {
    const text = 'x'.repeat(1 << 20);
    const { rows } = await sql<{ text: string }>`select ${text}::text as text`.execute(database.db);
    expect(rows[0]?.text === text).toBe(true);
  });

  test('an error carries code, constraint and detail, and the connection works on', async () => {
    await sql`insert into thing values (1, 'one')`.execute(database.db);
    await expect(sql`insert into thing values (1, 'again')`.execute(database.db)).rejects.toMatchObject({
      code: '23505',
      constraint: 'thing_pkey',
      detail: 'Key (id)=(1) already exists.',
      schema: 'public',
      table: 'thing',
    });
    await expect(sql`insert into thing values (2, 'bad')`.execute(database.db)).rejects.toMatchObject({
      code: '23514',
      constraint: 'thing_name_check',
    });
    await expect(sql`select ${'x'}::int`.execute(database.db)).rejects.toMatchObject({ code: '22P02' });
    await expect(sql.raw('selec').execute(database.db)).rejects.toMatchObject({ code: '42601' });
    expect(await ids()).toEqual([1]);
  });

  test('a change tells how many rows it affected', async () => {
    const result = await sql`update thing set name = 'uno' where id = ${1}`.execute(database.db);
    expect(result.numAffectedRows).toBe(1n);
  });

  test('a transaction that throws leaves nothing behind', async () => {
    const work = database.db.transaction().execute(async (trx) => {
      await sql`insert into thing values (10, 'ten')`.execute(trx);
      throw new Error('changed my mind');
    });
    await expect(work).rejects.toThrow('changed my mind');
    expect(await ids()).not.toContain(10);
  });

  test('parallel transactions and queries do not see into each other', async () => {
    const transaction = (id: number) =>
      database.db.transaction().execute(async (trx) => {
        await sql`insert into thing values (${id}, 'many')`.execute(trx);
        await sql`select pg_sleep(0.001)`.execute(trx);
        if (id % 2 === 1) throw new Error('odd');
      });
    const range = Array.from({ length: 20 }, (_, i) => 100 + i);
    const outside = Promise.all(range.map(() => sql`select 1`.execute(database.db)));
    const results = await Promise.allSettled(range.map(transaction));
    await outside;
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect((await ids()).filter((id) => id >= 100)).toEqual(range.filter((id) => id % 2 === 0));
  });

  test('several statements in one text run, as migrations need it', async () => {
    await sql.raw('create table first (a int); create table second (b int);').execute(database.db);
    const { rows } = await sql`select * from first, second`.execute(database.db);
    expect(rows).toEqual([]);
  });

  test('a notification arrives after the commit and not after a rollback', async () => {
    const heard: string[] = [];
    const arrived = Promise.withResolvers<void>();
    const stop = await database.listen('Some "channel"', {
      onNotify: (payload) => {
        heard.push(payload);
        if (payload === 'last') arrived.resolve();
      },
      onResync: () => {},
    });
    const notify = (db: Database['db'], payload: string) =>
      sql`select pg_notify('Some "channel"', ${payload})`.execute(db);
    await database.db
      .transaction()
      .execute(async (trx) => {
        await notify(trx, 'never');
        throw new Error('rolled back');
      })
      .catch(() => undefined);
    await database.db.transaction().execute((trx) => notify(trx, 'committed'));
    await notify(database.db, 'last');
    await arrived.promise;
    expect(heard).toEqual(['committed', 'last']);
    await stop();
    await notify(database.db, 'nobody listens');
    expect(heard).toHaveLength(2);
  });

  test('more queries than can wait are refused at once, and the others are answered', async () => {
    const results = await Promise.allSettled(
      Array.from({ length: 1200 }, () => sql`select 1`.execute(database.db)),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused.length).toBeGreaterThan(100);
    expect(refused.length).toBeLessThanOrEqual(200);
    expect(refused[0]?.reason).toMatchObject({ code: 'database_busy', status: 503 });
  });

  test('migrating again applies nothing', async () => {
    expect(await migrate(database, migrations)).toEqual({ applied: [] });
    expect(await pendingMigrations(database, migrations)).toEqual([]);
  });

  test('it answers a ping', async () => {
    await database.ping(5_000);
  });

  test('after closing, queries are refused and closing again is harmless', async () => {
    await database.close();
    await expect(sql`select 1`.execute(database.db)).rejects.toThrow();
    await database.close();
  });
});
