import { z } from 'zod';
import type { Database, Db } from '../../platform/db/index.ts';
import type { Job, Turn } from '../jobs/jobs.ts';
import { databaseTime, deleteRollups, rollUpDay, rollUpHour, touchedHours } from './rollup-store.ts';

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const keptMs = 2 * 366 * dayMs;
/** No insert takes as long as this: what is stored with an earlier time is to be seen by then. */
const overlapMs = 300_000;

const progress = z.object({ upTo: z.coerce.date() }).catch({ upTo: new Date(0) });

interface Deps {
  readonly database: Database;
  retainDays(): number;
  /** What time it is. The clock of one process may be wrong, and what is deleted stays deleted: the database's. */
  readonly now?: (db: Db) => Promise<Date>;
}

/** Counts each hour again in which something was stored since the last time, however late it came. */
export function rollupJob(deps: Deps): Job {
  return {
    name: 'rollups',
    everyMs: 300_000,
    run: (turn) => deps.database.withoutTimeLimit((db) => rollUp(db, deps, turn)),
  };
}

async function rollUp(
  db: Db,
  { retainDays, now = databaseTime }: Deps,
  { state, signal, keep }: Pick<Turn, 'state' | 'signal' | 'keep'>,
): Promise<void> {
  const { upTo } = progress.parse(state);
  const began = await databaseTime(db);
  const today = (await now(db)).getTime();
  // Of an hour whose records are being deleted, what was counted stays.
  const oldest = new Date(Math.ceil((today - retainDays() * dayMs) / hourMs) * hourMs);
  const since = new Date(Math.max(upTo.getTime() - overlapMs, 0));
  const hours = await touchedHours(db, since, oldest);
  for (const hour of hours) {
    if (signal.aborted) return;
    await rollUpHour(db, hour);
    await keep({ upTo });
  }
  const days = new Set(hours.map((hour) => Math.floor(hour.getTime() / dayMs) * dayMs));
  for (const day of days) {
    if (signal.aborted) return;
    await rollUpDay(db, new Date(day));
  }
  await deleteRollups(db, new Date(today - keptMs));
  await keep({ upTo: began });
}
