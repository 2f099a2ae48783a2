import { randomBytes } from 'node:crypto';
import { sql } from 'kysely';
import { afterAll, inject } from 'vitest';
import { type Database, type Db, openDatabase } from '../src/platform/db/index.ts';
import { createLog } from '../src/platform/log.ts';
import { databaseUrl, onServer } from './postgres.ts';

const undo: (() => Promise<void>)[] = [];

// Registered when a test file imports this one, so that everything it opened is gone when it ends.
afterAll(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

const databases = new Map<Db, Database>();

/**
 * A database of its own for the caller: empty tables, every migration applied; dropped after the test file. Its walls are
 * raised, as in the program: what only an owner may do goes through `asOwner`.
 */
export async function testDatabase(): Promise<Database> {
  const database = await openDatabase({
    url: await testDatabaseUrl(),
    dataDir: '',
    log: createLog('silent'),
  });
  await database.walls.raise();
  databases.set(database.db, database);
  undo.push(() => database.close());
  return database;
}

/** As whoever owns the tables of this test database, whom no wall holds: to change tables, to truncate, to take them away. */
export async function asOwner<T>(db: Db, work: (owner: Db) => Promise<T>): Promise<T> {
  const database = databases.get(db);
  if (database === undefined) throw new Error('Not the `db` of a test database.');
  return database.withoutTimeLimit(work);
}

/** With another name a table is away for the program. */
export async function renameTable(db: Db, from: string, to: string): Promise<void> {
  await asOwner(db, (owner) =>
    sql`alter table ${sql.id('mcp_proxy', from)} rename to ${sql.id(to)}`.execute(owner),
  );
}

/** Meanwhile every statement on the table hangs. */
export function whileLocked(db: Db, table: string, work: () => Promise<void>): Promise<void> {
  return asOwner(db, (owner) =>
    owner.transaction().execute(async (trx) => {
      await sql`lock table ${sql.id('mcp_proxy', table)} in access exclusive mode`.execute(trx);
      await work();
    }),
  );
}

/** The same as a URL, for tests that start a process or open it themselves. */
export async function testDatabaseUrl(): Promise<string> {
  const { url, template } = inject('postgres');
  return createTestDatabase(url, `template ${template}`);
}

/** The URL of a database without any table of ours. */
export async function emptyDatabaseUrl(): Promise<string> {
  return createTestDatabase(inject('postgres').url, '');
}

async function createTestDatabase(serverUrl: string, options: string): Promise<string> {
  const name = `t_${randomBytes(8).toString('hex')}`;
  await onServer(serverUrl, `create database ${name} ${options}`);
  undo.push(() => onServer(serverUrl, `drop database if exists ${name} with (force)`));
  return databaseUrl(serverUrl, name);
}
