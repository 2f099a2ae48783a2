// What both engines share: pg's pool under Kysely, with a bounded queue and no way for a dropped
// connection to end the process.
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { AppError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Db, PoolCounts } from './database.ts';

/** Queries that may wait for a connection before more of them are refused. */
const maxWaiting = 1000;

/** A pg pool whose connections may die at any time, also while a transaction thinks, without taking the process along. */
export function createPool(config: pg.PoolConfig, log: Log): pg.Pool {
  const pool = new pg.Pool(config);
  const onError = (error: Error) => log.warn({ error: error.message }, 'a database connection was lost');
  pool.on('error', onError);
  // The pool itself listens on idle clients only; an error on one in use would be uncaught.
  pool.on('connect', (client) => client.on('error', () => undefined));
  return pool;
}

export function countsOf({ totalCount, idleCount, waitingCount }: pg.Pool): PoolCounts {
  return { open: totalCount, idle: idleCount, waiting: waitingCount };
}

/** `prepare` runs on each connection before it is used; where it rejects, the connection is thrown away. */
export function kyselyOn(pool: pg.Pool, prepare?: (client: pg.PoolClient) => Promise<void>): Db {
  return new Kysely<unknown>({ dialect: new PostgresDialect({ pool: guarded(pool, prepare) }) });
}

function guarded(
  pool: pg.Pool,
  prepare: (client: pg.PoolClient) => Promise<void> = async () => undefined,
): PostgresPool {
  return {
    async connect() {
      if (pool.waitingCount >= maxWaiting) throw busy();
      const client = await connect(pool);
      try {
        await prepare(client);
      } catch (error) {
        client.release(true);
        throw isLost(error) ? away(error) : error;
      }
      return guardedClient(client);
    },
    end: () => pool.end(),
  };
}

async function connect(pool: pg.Pool): Promise<pg.PoolClient> {
  try {
    return await pool.connect();
  } catch (error) {
    throw messageOf(error) === 'timeout exceeded when trying to connect' ? busy(error) : away(error);
  }
}

/** Whether a pooler gives each transaction another connection: then two clients are, one after the other, the same. */
export async function isPooledByTransaction(pool: pg.Pool): Promise<boolean> {
  if (pool.options.max < 2) return false;
  const first = await connect(pool);
  try {
    const second = await connect(pool);
    try {
      // In turns: who comes next is given what has just become free.
      const turns: number[] = [];
      for (const client of [first, second, first, second]) turns.push(await processOf(client));
      const [a, b, ...again] = turns;
      return a === b || again[0] !== a || again[1] !== b;
    } finally {
      second.release();
    }
  } finally {
    first.release();
  }
}

async function processOf(client: pg.PoolClient): Promise<number> {
  try {
    const { rows } = await client.query<{ pid: number }>('select pg_backend_pid() as pid');
    return rows[0]?.pid ?? 0;
  } catch (error) {
    throw isLost(error) ? away(error) : error;
  }
}

function guardedClient(client: pg.PoolClient): PostgresPoolClient {
  const query = async (text: string, values: readonly unknown[]): Promise<unknown> => {
    try {
      return await client.query(text, [...values]);
    } catch (error) {
      // The server went silent. The connection still waits for its answer, so nobody else may get it.
      if (messageOf(error) === 'Query read timeout') void client.end();
      throw isLost(error) ? away(error) : error;
    }
  };
  // One that is still inside a transaction would undo later what the next user was promised.
  const release = () => client.release(client.getTransactionStatus() !== 'I');
  // Kysely uses the cursor form of `query` only when it was given a cursor class, and it was not.
  return { query: query as PostgresPoolClient['query'], release };
}

/** SQLSTATE classes 08 and 57P, and what pg and the sockets say when a connection is gone. */
function isLost(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  return (
    /^(?:08|57P|E[A-Z]{3,})/.test(code) || /^Connection terminated|^Query read timeout/.test(messageOf(error))
  );
}

function away(cause: unknown): AppError {
  const message =
    'The database cannot be reached at the moment; try again when /gateway/ready says it is back.';
  return new AppError('database_away', 503, message, { cause });
}

function busy(cause?: unknown): AppError {
  const message = 'The database is too busy at the moment; try again shortly.';
  return new AppError('database_busy', 503, message, { cause });
}
