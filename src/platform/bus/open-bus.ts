import type { Database } from '../db/index.ts';
import type { Log } from '../log.ts';
import type { Sealer } from '../sealer.ts';
import { createBus } from './bus.ts';
import type { Bus, OpenTransport } from './contract.ts';
import { memoryTransport } from './memory.ts';
import { postgresTransport } from './postgres.ts';

/** The bus of an installation: over Redis where there is one, else over PostgreSQL; one process needs neither. */
export async function openBus(o: {
  redisUrl: string | undefined;
  database: Database;
  sealer: Sealer;
  log: Log;
}): Promise<Bus> {
  return createBus({ open: await transportFor(o), sealer: o.sealer, log: o.log });
}

async function transportFor(o: {
  redisUrl: string | undefined;
  database: Database;
  log: Log;
}): Promise<OpenTransport> {
  if (o.redisUrl !== undefined) {
    // Loaded by those who have one: it would make every other start slower.
    const { redisTransport } = await import('./redis.ts');
    return redisTransport(o.redisUrl, o.log);
  }
  return o.database.kind === 'postgres' ? postgresTransport(o.database, o.log) : memoryTransport();
}
