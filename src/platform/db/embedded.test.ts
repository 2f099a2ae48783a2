import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cp, mkdir, mkdtemp, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { sql } from 'kysely';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { createLog } from '../log.ts';
import { openEmbedded } from './embedded.ts';
import { type Engine, startEngine } from './engine.ts';
import { type Database, openDatabase } from './index.ts';
import { takeSnapshot } from './snapshots.ts';

const log = createLog('silent');
let root: string;
let lastCopy = 0;

beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'toolgate-embedded-'));
  const database = await openDatabase({ dataDir: join(root, 'original'), log });
  await sql`create table kept (id int primary key)`.execute(database.db);
  await sql`insert into kept values (1)`.execute(database.db);
  await database.close();
});
afterAll(() => rm(root, { recursive: true }));

/** A data directory with one row in it; copying is quicker than making one. */
async function dataDirectory(): Promise<string> {
  lastCopy += 1;
  const copy = join(root, `copy-${lastCopy}`);
  await cp(join(root, 'original'), copy, { recursive: true });
  return copy;
}

async function open(dataDir: string): Promise<Database> {
  const database = await openDatabase({ dataDir, log });
  onTestFinished(() => database.close());
  return database;
}

const ids = async ({ db }: Database) =>
  (await sql<{ id: number }>`select id from kept order by id`.execute(db)).rows.map(({ id }) => id);

test('what was written is there after the next start', async () => {
  expect(await ids(await open(await dataDirectory()))).toEqual([1]);
});

test('a data directory is open once', async () => {
  const dataDir = await dataDirectory();
  await open(dataDir);
  await expect(openDatabase({ dataDir, log })).rejects.toMatchObject({ code: 'data_dir_in_use' });
});

test('a data directory that cannot be written to is one clear sentence', async () => {
  await writeFile(join(root, 'a-file'), '');
  await expect(openDatabase({ dataDir: join(root, 'a-file', 'data'), log })).rejects.toMatchObject({
    code: 'data_dir_unwritable',
    message: expect.stringMatching(/^The data directory .*a-file.data cannot be written to/),
  });
});

test('a first start that was interrupted is done again', async () => {
  const dataDir = join(root, 'interrupted');
  await mkdir(join(dataDir, 'database', 'base'), { recursive: true });
  await writeFile(join(dataDir, 'database', 'PG_VERSION'), '');
  await writeFile(join(dataDir, 'database.creating'), '');
  const database = await open(dataDir);
  await database.ping(5_000);
  await database.close();
  expect((await readdir(dataDir)).sort()).toEqual(['database', 'snapshots']);
});

test('kill -9 while it writes loses no acknowledged row', async () => {
  const dataDir = await dataDirectory();
  const acknowledged = await writeUntilKilled(dataDir, 200);
  const found = await ids(await open(dataDir));
  expect(acknowledged.length).toBeGreaterThanOrEqual(200);
  expect(found).toEqual(expect.arrayContaining(acknowledged));
});

/** A process that inserts one row after the other and prints each id once its insert was acknowledged. */
async function writeUntilKilled(dataDir: string, rows: number): Promise<number[]> {
  const script = `
    import { writeSync } from 'node:fs';
    import { sql } from 'kysely';
    import { openDatabase } from ${JSON.stringify(new URL('./index.ts', import.meta.url).href)};
    import { createLog } from ${JSON.stringify(new URL('../log.ts', import.meta.url).href)};
    const { db } = await openDatabase({ dataDir: ${JSON.stringify(dataDir)}, log: createLog('silent') });
    for (let id = 2; ; id += 1) {
      await sql\`insert into kept values (\${id})\`.execute(db);
      writeSync(1, id + '\\n');
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const acknowledged: number[] = [];
  const exited = once(child, 'exit');
  for await (const line of createInterface({ input: child.stdout })) {
    acknowledged.push(Number(line));
    if (acknowledged.length === rows) child.kill('SIGKILL');
  }
  await exited;
  return acknowledged;
}

test('a database that cannot be opened says which snapshot restores it, and that works', async () => {
  const dataDir = await dataDirectory();
  await truncate(join(dataDir, 'database', 'global', 'pg_control'), 10);
  const error = await openDatabase({ dataDir, log }).then(
    () => undefined,
    (reason: Error) => reason,
  );
  const [snapshot] = await readdir(join(dataDir, 'snapshots'));
  expect(error).toMatchObject({ code: 'data_dir_damaged', message: expect.stringContaining(`${snapshot}`) });
  const command = error?.message.match(/tar (-xzf .*)$/)?.[1]?.split(' ') ?? [];
  await rename(join(dataDir, 'database'), join(dataDir, 'damaged'));
  await mkdir(join(dataDir, 'database'));
  execFileSync('tar', command, { stdio: 'ignore' });
  expect(await ids(await open(dataDir))).toEqual([1]);
});

test('closing without a change writes no other snapshot', async () => {
  const dataDir = await dataDirectory();
  const before = await readdir(join(dataDir, 'snapshots'));
  const database = await open(dataDir);
  await ids(database);
  await database.close();
  expect(await readdir(join(dataDir, 'snapshots'))).toEqual(before);
});

test('the last two snapshots are kept, and an unchanged database gets none', async () => {
  const directory = join(root, 'snapshots-only');
  await mkdir(directory);
  const take = (version: string, day: number) => {
    const source = { version: async () => version, dump: async () => Buffer.from(`database ${version}`) };
    return takeSnapshot(directory, source, new Date(Date.UTC(2026, 0, day)));
  };
  await take('7', 1);
  expect(await take('7', 2)).toBeNull();
  await take('8', 3);
  await take('9', 4);
  expect((await readdir(directory)).sort()).toEqual([
    '2026-01-03T00-00-00.000Z_8.tar.gz',
    '2026-01-04T00-00-00.000Z_9.tar.gz',
  ]);
});

test('when the engine ends by itself, the next query gets a new one and listeners are told', async () => {
  const engines: Engine[] = [];
  const database = await openEmbedded(await dataDirectory(), log, async (directory) => {
    const engine = await startEngine(directory);
    engines.push(engine);
    return engine;
  });
  onTestFinished(() => database.close());
  const resynced = Promise.withResolvers<void>();
  const notified = Promise.withResolvers<string>();
  await database.listen('news', { onNotify: notified.resolve, onResync: resynced.resolve });
  const work = database.db.transaction().execute(async (trx) => {
    await sql`insert into kept values (2)`.execute(trx);
    await engines[0]?.close();
    await sql`insert into kept values (3)`.execute(trx);
  });
  await expect(work).rejects.toThrow();
  expect(await ids(database)).toEqual([1]);
  await resynced.promise;
  await sql`notify news, 'back'`.execute(database.db);
  expect(await notified.promise).toBe('back');
  expect(engines).toHaveLength(2);
});

test('the program goes on while a long query runs', async () => {
  const database = await open(await dataDirectory());
  let ticks = 0;
  const timer = setInterval(() => {
    ticks += 1;
  }, 5);
  await sql`select pg_sleep(0.3)`.execute(database.db);
  clearInterval(timer);
  expect(ticks).toBeGreaterThan(2);
});
