import { createHash } from 'node:crypto';
import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sql } from 'kysely';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { emptyDatabaseUrl } from '../../../test/database.ts';
import { createLog } from '../log.ts';
import { type Database, migrate, openDatabase, pendingMigrations } from './index.ts';

const log = createLog('silent');
let directory: string;
let database: Database;
let url: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'toolgate-migrations-'));
  onTestFinished(() => rm(directory, { recursive: true }));
  await writeFile(join(directory, '0001_first.sql'), 'create table mcp_proxy.first (a int);\nselect 1;');
  await writeFile(join(directory, '0002_second.sql'), 'create table mcp_proxy.second (a int);');
  await writeFile(join(directory, 'schema.sql'), 'this is not a migration');
  url = await emptyDatabaseUrl();
  database = await openDatabase({ url, dataDir: '', log });
  onTestFinished(() => database.close());
});

const tables = async () => {
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'mcp_proxy' order by 1`.execute(
    database.db,
  );
  return rows.map(({ name }) => name);
};

test('an empty database gets every migration in order, once', async () => {
  expect(await pendingMigrations(database, directory)).toEqual(['0001_first.sql', '0002_second.sql']);
  expect(await migrate(database, directory)).toEqual({ applied: ['0001_first.sql', '0002_second.sql'] });
  expect(await migrate(database, directory)).toEqual({ applied: [] });
  expect(await pendingMigrations(database, directory)).toEqual([]);
  expect(await tables()).toEqual(['first', 'schema_migrations', 'second']);
});

test('a new file is applied to a database that has the others', async () => {
  await migrate(database, directory);
  await writeFile(join(directory, '0003_third.sql'), 'create table mcp_proxy.third (a int)');
  expect(await migrate(database, directory)).toEqual({ applied: ['0003_third.sql'] });
});

test('a migration that fails leaves nothing of itself, and those before it stay', async () => {
  await writeFile(
    join(directory, '0002_second.sql'),
    'create table mcp_proxy.second (a int); select nonsense;',
  );
  await expect(migrate(database, directory)).rejects.toMatchObject({ code: '42703' });
  expect(await tables()).toEqual(['first', 'schema_migrations']);
  expect(await pendingMigrations(database, directory)).toEqual(['0002_second.sql']);
});

test('a file that changed after it was applied is refused', async () => {
  await migrate(database, directory);
  await appendFile(join(directory, '0001_first.sql'), '\n-- more');
  const refusal = { code: 'migration_changed', message: expect.stringContaining('0001_first.sql') };
  await expect(migrate(database, directory)).rejects.toMatchObject(refusal);
  await expect(pendingMigrations(database, directory)).rejects.toMatchObject(refusal);
});

test('a file that names the text in whose place it stands, and leads to the same schema, is not refused', async () => {
  await migrate(database, directory);
  const file = join(directory, '0001_first.sql');
  const sum = createHash('sha256')
    .update(await readFile(file))
    .digest('hex');
  const faster = `-- Leads to the same schema as ${sum}.\ncreate table mcp_proxy.first (a int);`;
  await writeFile(file, faster);
  expect(await migrate(database, directory)).toEqual({ applied: [] });
  await writeFile(file, faster.replace(sum, '0'.repeat(64)));
  await expect(migrate(database, directory)).rejects.toMatchObject({ code: 'migration_changed' });
});

test('line ends of the checkout do not count as a change', async () => {
  await migrate(database, directory);
  await writeFile(join(directory, '0001_first.sql'), 'create table mcp_proxy.first (a int);\r\nselect 1;');
  expect(await migrate(database, directory)).toEqual({ applied: [] });
});

test('a database of a newer version is refused', async () => {
  await migrate(database, directory);
  await rm(join(directory, '0002_second.sql'));
  const refusal = { code: 'database_newer', message: expect.stringContaining('0002_second.sql') };
  await expect(migrate(database, directory)).rejects.toMatchObject(refusal);
});

test('of several replicas that start at once, each migration is applied by one', async () => {
  await writeFile(
    join(directory, '0001_first.sql'),
    'create table mcp_proxy.first (a int); select pg_sleep(0.1);',
  );
  const replicas = await Promise.all([1, 2, 3, 4].map(() => openDatabase({ url, dataDir: '', log })));
  onTestFinished(() => Promise.all(replicas.map((replica) => replica.close())).then(() => undefined));
  const results = await Promise.all(replicas.map((replica) => migrate(replica, directory)));
  expect(results.flatMap(({ applied }) => applied).sort()).toEqual(['0001_first.sql', '0002_second.sql']);
});

test('a migration lets others through while a long transaction holds what it needs, says so, and goes on after it', async () => {
  await migrate(database, directory);
  await writeFile(join(directory, '0003_third.sql'), 'alter table mcp_proxy.first add column b int;');
  const waiting = Promise.withResolvers<Record<string, unknown>>();
  const told = createLog('warn', { write: (line) => waiting.resolve(JSON.parse(line)) });
  const old = await openDatabase({ url, dataDir: '', log });
  onTestFinished(() => old.close());
  const done = Promise.withResolvers<void>();
  const begun = Promise.withResolvers<void>();
  const long = old.db.transaction().execute(async (trx) => {
    await sql`select from mcp_proxy.first`.execute(trx);
    begun.resolve();
    await done.promise;
  });
  await begun.promise;
  const migrated = migrate(database, directory, { log: told, lockWaitMs: 50 });
  expect(await waiting.promise).toMatchObject({
    migration: '0003_third.sql',
    heldBy: [expect.stringMatching(/^process \d+ \(toolgate\), in a transaction since \d{4}-.*Z$/)],
    msg: expect.stringMatching(/^waiting for /),
  });
  // It would hang behind the lock that the migration waits for.
  await sql`select from mcp_proxy.first`.execute(old.db);
  done.resolve();
  await long;
  expect(await migrated).toEqual({ applied: ['0003_third.sql'] });
});
