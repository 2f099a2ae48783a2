import { Redis, type RedisOptions } from 'ioredis';

export type { Redis };

/** A connection that says nothing is asked for a sign of life, and given up when there is none. */
const checkEvery = 5_000;
const signOfLife = 3_000;

const options = {
  // What cannot be sent at once is the caller's affair, who knows how long it is worth keeping.
  enableOfflineQueue: false,
  autoResendUnfulfilledCommands: false,
  autoResubscribe: false,
  maxRetriesPerRequest: 0,
  connectTimeout: 5_000,
  lazyConnect: true,
  // Jitter: replicas that lost the same server do not all come back in the same moment.
  retryStrategy: (times: number) => Math.min(100 * 2 ** Math.min(times, 6), 5_000) * (0.5 + Math.random()),
} satisfies RedisOptions;

/** A client of Redis or Valkey that is not connected yet. `name` is what the server shows it as. */
export function redisClient(url: string, name: string): Redis {
  return new Redis(url, { ...options, connectionName: name });
}

/**
 * Ends connections that are there and dead: a server that hangs, or a network that swallows everything, closes none.
 * Returns how to stop.
 */
export function watchLife(
  clients: readonly Redis[],
  o: { onFailed: (error: unknown) => void; onAlive?: () => void },
): () => void {
  const look = (redis: Redis) => {
    if (redis.status !== 'ready') return;
    const late = setTimeout(() => redis.disconnect(true), signOfLife).unref();
    redis
      .ping()
      .then(() => o.onAlive?.(), o.onFailed)
      .finally(() => clearTimeout(late))
      .catch(() => undefined);
  };
  const timer = setInterval(() => clients.forEach(look), checkEvery).unref();
  return () => clearInterval(timer);
}

/** Only the code: the driver's errors hold the command that failed, and with AUTH the password. */
export function failureOf(error: unknown): string {
  if (!(error instanceof Error)) return 'unknown';
  if ('code' in error) return String(error.code);
  return /^[A-Z]+(?= )/.exec(error.message)?.[0] ?? error.name;
}
