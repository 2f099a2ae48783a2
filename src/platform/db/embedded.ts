// PostgreSQL compiled to WebAssembly (PGlite) under the data directory: no installation, one process only.
import { existsSync } from 'node:fs';
import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { sql } from 'kysely';
import type pg from 'pg';
import { AppError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { makeDirectory } from '../make-directory.ts';
import { type Channels, createChannels, listenTo, unlistenTo } from './channels.ts';
import { type DataDirLock, lockDataDir } from './data-dir-lock.ts';
import { type Database, type Db, pingWithin } from './database.ts';
import { shareEmbedded } from './embedded-share.ts';
import { EmbeddedSocket } from './embedded-socket.ts';
import { type Engine, startEngine } from './engine.ts';
import { countsOf, createPool } from './pool.ts';
import { keepSnapshots, listSnapshots, type SnapshotSource } from './snapshots.ts';
import { createHandles } from './walls.ts';

/** How long a query waits while others, or one long transaction, hold the only connection. */
const queueTimeoutMs = 30_000;
/** PGlite cannot cancel a query. One that takes this long ends the engine, and the next connection starts another. */
const silenceMs = 120_000;

/**
 * Opens the database in `dataDir`, or makes it. Rejects with `data_dir_in_use`, `data_dir_unwritable` or
 * `data_dir_damaged`.
 */
export async function openEmbedded(dataDir: string, log: Log, start = startEngine): Promise<Database> {
  const paths = {
    database: join(dataDir, 'database'),
    creating: join(dataDir, 'database.creating'),
    snapshots: join(dataDir, 'snapshots'),
  };
  const lock = await prepare(dataDir, paths.snapshots);
  try {
    return assemble(await openEngine(paths, start, log), { paths, start, lock, log });
  } catch (error) {
    await lock.release();
    throw error;
  }
}

interface Paths {
  database: string;
  /** Exists while the database is made for the first time. */
  creating: string;
  snapshots: string;
}

async function prepare(dataDir: string, snapshots: string): Promise<DataDirLock> {
  try {
    await makeDirectory(dataDir);
    await makeDirectory(snapshots);
    return await lockDataDir(dataDir);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    const message = `The data directory ${dataDir} cannot be written to (${messageOf(cause)}). Make it writable, or set TOOLGATE_DATA_DIR to another directory.`;
    throw new AppError('data_dir_unwritable', 500, message, { cause });
  }
}

async function openEngine(paths: Paths, start: typeof startEngine, log: Log): Promise<Engine> {
  // The very first start was interrupted: what lies there never held anything.
  if (existsSync(paths.creating)) await rm(paths.database, { recursive: true, force: true });
  const [snapshot] = await listSnapshots(paths.snapshots);
  if (!existsSync(paths.database)) {
    if (snapshot) log.warn({ snapshot }, 'there are snapshots but no database: starting with an empty one');
    await writeFile(paths.creating, '');
  }
  try {
    const engine = await start(paths.database);
    await rm(paths.creating, { force: true });
    return engine;
  } catch (error) {
    // The engine says only that it failed; why is in its cause.
    const cause = error instanceof Error ? (error.cause ?? error) : error;
    throw existsSync(paths.creating) ? notMade(paths, cause) : damaged(paths, snapshot, cause);
  }
}

function notMade(paths: Paths, cause: unknown): AppError {
  const message = `The embedded database cannot be made in ${paths.database} (${messageOf(cause)}). Check that the disk has room and that the directory is writable, or set DATABASE_URL.`;
  return new AppError('data_dir_unwritable', 500, message, { cause });
}

function damaged(paths: Paths, snapshot: string | undefined, cause: unknown): AppError {
  const restore =
    snapshot === undefined
      ? 'There is no snapshot of it; restore the directory from a backup, or move it away to start empty.'
      : `To go back to the last snapshot, move that directory away, make it anew and run: tar -xzf ${join(paths.snapshots, snapshot)} -C ${paths.database}`;
  const message = `The embedded database in ${paths.database} cannot be opened. ${restore}`;
  return new AppError('data_dir_damaged', 500, message, { cause, detail: messageOf(cause) });
}

interface Parts {
  paths: Paths;
  start: typeof startEngine;
  lock: DataDirLock;
  log: Log;
}

function assemble(first: Engine, { paths, start, lock, log }: Parts): Database {
  const engines = createEngines(first, () => start(paths.database));
  const channels = createChannels();
  const pool = createEmbeddedPool(engines.next, channels, log);
  const { owner, db, forTenant, walls } = createHandles(pool, log);
  const snapshots = keepSnapshots(paths.snapshots, sourceOf(owner, engines.dump), log);
  const close = async () => {
    await snapshots.close();
    await pool.end();
    await engines.close();
    await lock.release();
  };
  let closing: Promise<void> | undefined;
  return {
    kind: 'embedded',
    db,
    forTenant,
    walls,
    async listen(channel, handlers) {
      const stop = async () => {
        if (channels.remove(channel, handlers)) await pool.query(unlistenTo(channel));
      };
      channels.add(channel, handlers);
      try {
        await pool.query(listenTo(channel));
      } catch (error) {
        channels.remove(channel, handlers);
        throw error;
      }
      return stop;
    },
    // `silenceMs` remains: it only tells an engine that hangs from one that works.
    withoutTimeLimit: (work) => work(owner),
    counts: () => countsOf(pool),
    share: () => shareEmbedded({ pool, engine: engines.latest, log }),
    ping: (timeoutMs) => pingWithin(db, timeoutMs),
    close: () => (closing ??= close()),
  };
}

/** One engine at a time: after one ended, the next connection gets a new one on the same directory. */
function createEngines(first: Engine, start: () => Promise<Engine>) {
  let latest = Promise.resolve(first);
  let used = false;
  return {
    next(): Promise<Engine> {
      if (used) {
        const ended = latest.then(
          (engine) => engine.ended,
          () => undefined, // It never started.
        );
        latest = ended.then(start);
      }
      used = true;
      return latest;
    },
    latest: () => latest,
    dump: async () => (await latest).dump(),
    close: async () => (await latest).close(),
  };
}

/** The pool waits for what `onConnect` promises, which its types do not say. */
interface AwaitingConfig extends Omit<pg.PoolConfig, 'onConnect'> {
  onConnect(client: pg.ClientBase): Promise<void>;
}

function createEmbeddedPool(nextEngine: () => Promise<Engine>, channels: Channels, log: Log): pg.Pool {
  let connected = false;
  const onConnect = async (client: pg.ClientBase): Promise<void> => {
    await channels.attach(client);
    if (connected) channels.resync();
    connected = true;
  };
  const config: AwaitingConfig = {
    max: 1,
    idleTimeoutMillis: 0,
    connectionTimeoutMillis: queueTimeoutMs,
    query_timeout: silenceMs,
    ssl: false,
    stream: () => new EmbeddedSocket(nextEngine),
    onConnect,
  };
  return createPool(config, log);
}

function sourceOf(owner: Db, dump: () => Promise<Uint8Array>): SnapshotSource {
  return {
    async version() {
      const { rows } = await sql<{ version: string }>`
        select pg_snapshot_xmax(pg_current_snapshot())::text as version`.execute(owner);
      return rows[0]?.version ?? '';
    },
    async dump() {
      await sql`checkpoint`.execute(owner);
      return dump();
    },
  };
}
