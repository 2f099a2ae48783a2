import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { migrations } from '../../start/program.ts';
import { createLog } from '../log.ts';
import type { Database, SharedDatabase } from './database.ts';
import { migrate, openDatabase, openShared } from './index.ts';

const log = createLog('silent');
let folder = '';
let owner: Database;
let shared: SharedDatabase;
let one: Database;
let other: Database;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'toolgate-share-'));
  owner = await openDatabase({ dataDir: folder, log });
  await migrate(owner, migrations);
  await owner.walls.raise();
  shared = (await owner.share?.())!;
  [one, other] = await Promise.all([openShared(shared.url, log), openShared(shared.url, log)]);
  for (const database of [one, other]) await database.walls.raise();
}, 120_000);

afterAll(async () => {
  await Promise.all([one?.close(), other?.close()]);
  await shared?.close();
  await owner?.close();
  await rm(folder, { recursive: true, force: true });
});

test('processes take turns, and every one sees what the others wrote', async () => {
  await owner.withoutTimeLimit((db) => sql`create table public.counted (n int not null)`.execute(db));
  await owner.withoutTimeLimit((db) => sql`grant all on public.counted to public`.execute(db));
  await owner.withoutTimeLimit((db) => sql`insert into public.counted values (0)`.execute(db));
  const add = (database: Database) =>
    database.db.transaction().execute(async (trx) => {
      const { rows } = await sql<{ n: number }>`select n from public.counted for update`.execute(trx);
      await sql`update public.counted set n = ${(rows[0]?.n ?? 0) + 1}`.execute(trx);
    });
  const all = [owner, one, other];
  await Promise.all(Array.from({ length: 30 }, (_, n) => add(all[n % 3]!)));
  const { rows } = await sql<{ n: number }>`select n from public.counted`.execute(one.db);
  expect(rows).toEqual([{ n: 30 }]);
});

test('a connection keeps its scope while others use theirs, and walls hold in each', async () => {
  expect([one, other].map((database) => database.walls.missing())).toEqual([null, null]);
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'acme'), ('globex', 'globex')`.execute(
    owner.db,
  );
  const seenBy = async (database: Database, tenant: string) => {
    const { rows } = await sql<{ id: string }>`select id from mcp_proxy.tenants`.execute(
      database.forTenant(tenant),
    );
    return rows.map(({ id }) => id);
  };
  const everything = async (database: Database) => {
    const { rows } = await sql<{ id: string }>`select id from mcp_proxy.tenants order by id`.execute(
      database.db,
    );
    return rows.map(({ id }) => id);
  };
  for (let n = 0; n < 5; n++) {
    const seen = await Promise.all([
      seenBy(one, 'acme'),
      seenBy(other, 'globex'),
      everything(owner),
      seenBy(one, 'globex'),
      everything(other),
    ]);
    expect(seen).toEqual([['acme'], ['globex'], ['acme', 'globex'], ['globex'], ['acme', 'globex']]);
  }
});

test('what one is told of, all hear who listen, and one that stops does not stop the others', async () => {
  const heard: string[] = [];
  const handlers = (who: string) => ({
    onNotify: (payload: string) => void heard.push(`${who} ${payload}`),
    onResync: () => undefined,
  });
  const stop = await one.listen('news', handlers('one'));
  await other.listen('news', handlers('other'));
  await sql`select pg_notify('news', 'first')`.execute(other.db);
  await expect.poll(() => [...heard].sort()).toEqual(['one first', 'other first']);
  await stop();
  heard.length = 0;
  await sql`select pg_notify('news', 'second')`.execute(one.db);
  await expect.poll(() => heard).toEqual(['other second']);
});

test('one that goes in the middle of a transaction leaves nothing of it, and keeps nobody waiting', async () => {
  const client = new pg.Client({ connectionString: shared.url });
  client.on('error', () => undefined);
  await client.connect();
  await client.query('begin');
  await client.query('update public.counted set n = -1');
  // As if its process had been killed.
  (client as unknown as { connection: { stream: { destroy(): void } } }).connection.stream.destroy();
  const { rows } = await sql<{ n: number }>`select n from public.counted`.execute(one.db);
  expect(rows).toEqual([{ n: 30 }]);
});

test('a statement that fails is an error like any other', async () => {
  await expect(sql`select nothing from nowhere`.execute(one.db)).rejects.toMatchObject({ code: '42P01' });
  await expect(sql`select 1 as n`.execute(one.db)).resolves.toMatchObject({ rows: [{ n: 1 }] });
});
