import { setTimeout as sleep } from 'node:timers/promises';
import pg from 'pg';
import { AppError, messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { type Database, pingWithin } from './database.ts';
import { Listener } from './listener.ts';
import { countsOf, createPool, kyselyOn } from './pool.ts';
import { createHandles } from './walls.ts';

/**
 * Milliseconds. `silence` is how long a server may say nothing at all (a dead network path); it is longer
 * than `statement`, after which a live server gives up by itself.
 */
export const defaultTimeouts = { connect: 5_000, statement: 30_000, silence: 35_000, close: 3_000 };

/** Opens PostgreSQL at `url`; rejects with `database_unreachable` when nothing usable answers there. */
export async function openPostgres(
  url: string,
  log: Log,
  timeouts = defaultTimeouts,
  isPooled?: (pool: pg.Pool) => Promise<boolean>,
): Promise<Database> {
  const config = connectionConfig(url, timeouts);
  const pool = createPool(
    { ...config, max: 10, statement_timeout: timeouts.statement, query_timeout: timeouts.silence },
    log,
  );
  try {
    await pool.query('select 1');
  } catch (error) {
    await pool.end();
    throw unreachable(url, error);
  }
  const { db, forTenant, walls } = createHandles(pool, log, isPooled);
  const listener = new Listener(() => new pg.Client({ ...config, query_timeout: timeouts.silence }), log);
  const close = async () => {
    const closed = Promise.all([listener.close(), pool.end()]);
    // Over a dead network nobody ever confirms the end.
    await Promise.race([closed, sleep(timeouts.close, undefined, { ref: false })]);
  };
  let closing: Promise<void> | undefined;
  return {
    kind: 'postgres',
    db,
    forTenant,
    walls,
    listen: (channel, handlers) => listener.listen(channel, handlers),
    withoutTimeLimit: async (work) => {
      const unlimited = createPool({ ...config, max: 1 }, log);
      try {
        return await work(kyselyOn(unlimited));
      } finally {
        await unlimited.end();
      }
    },
    counts: () => countsOf(pool),
    ping: (timeoutMs) => pingWithin(db, timeoutMs),
    close: () => (closing ??= close()),
  };
}

function connectionConfig(url: string, timeouts: typeof defaultTimeouts): pg.ClientConfig {
  if (!/^postgres(ql)?:\/\//.test(url)) {
    throw new AppError(
      'database_unreachable',
      503,
      'DATABASE_URL must look like postgres://user:password@host:5432/name.',
    );
  }
  return {
    connectionString: url,
    application_name: 'toolgate',
    connectionTimeoutMillis: timeouts.connect,
    keepAlive: true,
    keepAliveInitialDelayMillis: 10_000,
  };
}

function unreachable(url: string, cause: unknown): AppError {
  const message = `The database at ${whereIs(url)} cannot be used: ${reasonOf(cause)}. Check DATABASE_URL.`;
  return new AppError('database_unreachable', 503, message, { cause });
}

/** Host and database name only: the user part of the URL holds the password. */
function whereIs(url: string): string {
  try {
    const { host, pathname, searchParams } = new URL(url);
    return `${host || (searchParams.get('host') ?? 'the local socket')}${pathname}`;
  } catch {
    return 'the given address'; // A URL that cannot be parsed cannot be shown without its password either.
  }
}

/** By code, not by text: driver texts may quote what was in the URL. */
function reasonOf(thrown: unknown): string {
  const error = thrown instanceof AppError ? thrown.cause : thrown;
  const code = typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : '';
  return (
    reasons[code] ??
    (/timeout/.test(messageOf(error)) ? 'it did not answer in time' : `it refused${code && ` (${code})`}`)
  );
}

const reasons: Record<string, string> = {
  ECONNREFUSED: 'nothing listens there',
  ENOTFOUND: 'there is no such host',
  EAI_AGAIN: 'the host name could not be looked up',
  ETIMEDOUT: 'it did not answer in time',
  EHOSTUNREACH: 'there is no route to the host',
  ECONNRESET: 'it closed the connection',
  '28P01': 'user name or password are wrong',
  '28000': 'the user may not sign in from here',
  '3D000': 'that database does not exist',
  '42501': 'the user may not connect to it',
  '53300': 'it has too many connections already',
  '57P03': 'it is still starting or shutting down',
};
