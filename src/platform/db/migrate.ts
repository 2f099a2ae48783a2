import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { AppError } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Database, Db } from './database.ts';

interface Migration {
  name: string;
  text: string;
  checksum: string;
  /** Checksums of earlier texts of the file that led to the same schema: faster ones may take their place. */
  replaces: readonly string[];
}

/** Any number that nothing else locks. */
const lockKey = 7_466_312_985;

export interface Waiting {
  /** Told about each try that found a table in use. */
  readonly log?: Log;
  /** How long one try waits for a lock; every statement on that table waits behind it. */
  readonly lockWaitMs?: number;
}

/**
 * Applies the files `NNNN_name.sql` of `directory` that were not applied yet, in order, each in a
 * transaction of its own. Replicas that start at once wait for each other, and all of them for whoever holds a
 * table that has to change. Rejects with `migration_changed` when an applied file differs and with
 * `database_newer` when one is missing here.
 */
export async function migrate(
  database: Database,
  directory: URL | string,
  waiting: Waiting = {},
): Promise<{ applied: string[] }> {
  const files = await readMigrations(directory);
  return database.withoutTimeLimit(async (db) => {
    await prepare(db);
    // Also when no file is left to apply: a changed or unknown one must not go unnoticed.
    await pendingOf(db, files);
    const applied: string[] = [];
    for (const file of files) {
      if (await applyPatiently(db, file, files, waiting)) applied.push(file.name);
    }
    return { applied };
  });
}

/** The names of the files that `migrate` would apply, in order; rejects as it does. */
export async function pendingMigrations(database: Database, directory: URL | string): Promise<string[]> {
  const files = await readMigrations(directory);
  const { rows } = await sql<{ present: boolean }>`
    select to_regclass('mcp_proxy.schema_migrations') is not null as present`.execute(database.db);
  return rows[0]?.present ? pendingOf(database.db, files) : files.map((file) => file.name);
}

async function prepare(db: Db): Promise<void> {
  await db.transaction().execute(async (trx) => {
    await lockMigrations(trx);
    await sql`create schema if not exists mcp_proxy`.execute(trx);
    await sql`
      create table if not exists mcp_proxy.schema_migrations (
        name text primary key,
        checksum text not null,
        applied_at timestamptz not null default now()
      )`.execute(trx);
  });
}

/**
 * A long transaction of the version before would keep us waiting, and a lock that is waited for keeps everybody else
 * waiting behind it. So each try is short, and lets the others through before the next one.
 */
async function applyPatiently(
  db: Db,
  file: Migration,
  files: readonly Migration[],
  { log, lockWaitMs = 3_000 }: Waiting,
): Promise<boolean> {
  for (;;) {
    try {
      return await applyOnce(db, file, files, lockWaitMs);
    } catch (error) {
      if (!(error instanceof Error && 'code' in error && error.code === lockNotAvailable)) throw error;
      const heldBy = await holders(db);
      log?.warn(
        { migration: file.name, heldBy },
        'waiting for other transactions to end; the migration is tried again until they have',
      );
      await sleep(2 * lockWaitMs);
    }
  }
}

const lockNotAvailable = '55P03';

async function applyOnce(
  db: Db,
  file: Migration,
  files: readonly Migration[],
  lockWaitMs: number,
): Promise<boolean> {
  return db.transaction().execute(async (trx) => {
    await lockMigrations(trx);
    // Asked anew under the lock: another replica may have applied it while this one waited.
    if (!(await pendingOf(trx, files)).includes(file.name)) return false;
    await sql`set local lock_timeout to ${sql.lit(lockWaitMs)}`.execute(trx);
    await sql.raw(file.text).execute(trx);
    await sql`insert into mcp_proxy.schema_migrations (name, checksum) values (${file.name}, ${file.checksum})`.execute(
      trx,
    );
    return true;
  });
}

/** Whoever has used our tables in a transaction that is still open, the oldest first. */
async function holders(db: Db): Promise<string[]> {
  const { rows } = await sql<{ holder: string }>`
    select format('process %s (%s), in a transaction since %s', a.pid, coalesce(nullif(a.application_name, ''), 'unnamed'),
             coalesce(to_char(a.xact_start at time zone 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), 'an unknown time')) as holder
    from pg_stat_activity a
    where a.pid <> pg_backend_pid() and a.datname = current_database() and exists (
      select from pg_locks l join pg_class c on c.oid = l.relation
      where l.pid = a.pid and l.granted and c.relnamespace = 'mcp_proxy'::regnamespace)
    order by a.xact_start limit 5`.execute(db);
  return rows.map(({ holder }) => holder);
}

/** What only one process at a time may do to the schema; held until the transaction ends. */
export async function lockMigrations(trx: Db): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKey})`.execute(trx);
}

async function pendingOf(db: Db, files: readonly Migration[]): Promise<string[]> {
  const { rows } = await sql<{ name: string; checksum: string }>`
    select name, checksum from mcp_proxy.schema_migrations order by name`.execute(db);
  const byName = new Map(files.map((file) => [file.name, file]));
  for (const row of rows) {
    const file = byName.get(row.name);
    if (file === undefined) throw newer(row.name);
    if (![file.checksum, ...file.replaces].includes(row.checksum)) throw changed(row.name);
  }
  const done = new Set(rows.map((row) => row.name));
  return files.map((file) => file.name).filter((name) => !done.has(name));
}

async function readMigrations(directory: URL | string): Promise<Migration[]> {
  const path = directory instanceof URL ? fileURLToPath(directory) : directory;
  const names = (await readdir(path)).filter((name) => /^\d{4}_\w+\.sql$/.test(name)).sort();
  return Promise.all(
    names.map(async (name) => {
      // The same file has the same checksum whatever line ends the checkout uses.
      const text = (await readFile(join(path, name), 'utf8')).replaceAll('\r\n', '\n');
      const replaces = [...text.matchAll(/^-- Leads to the same schema as (\w{64})\.$/gm)].map(
        ([, sum = '']) => sum,
      );
      return { name, text, checksum: createHash('sha256').update(text).digest('hex'), replaces };
    }),
  );
}

function newer(name: string): AppError {
  const message = `The database is newer than this Toolgate: it has the migration ${name}, which this version does not know. Run the version that applied it, or a later one.`;
  return new AppError('database_newer', 500, message);
}

function changed(name: string): AppError {
  const message = `The migration ${name} was changed after it was applied to this database. Restore the file and put the change into a new migration.`;
  return new AppError('migration_changed', 500, message);
}
