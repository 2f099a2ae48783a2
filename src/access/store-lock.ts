import { sql } from 'kysely';
import type { Db } from '../platform/db/index.ts';

/** Any number that nothing else locks. */
const lockKey = 7_466_312_986;

/**
 * Waits until no other admin change, on whatever replica, is under way; the lock ends with the transaction.
 * Changes are rare and short, and with one at a time none can see or leave half of another.
 */
export async function lockWrites(trx: Db): Promise<void> {
  await sql`select pg_advisory_xact_lock(${lockKey})`.execute(trx);
}
