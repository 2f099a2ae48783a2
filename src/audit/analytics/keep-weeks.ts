import type { Clock } from '../../platform/clock.ts';
import type { Database } from '../../platform/db/index.ts';
import type { Job, Turn } from '../jobs/jobs.ts';
import { deleteRest, dropWeek, listWeeks, makeWeeks } from './partitions-store.ts';

const dayMs = 86_400_000;
/** Partitions that are there before their week: long enough that nobody waits for one, whatever fails. */
const daysAhead = 56;
const rowsAtOnce = 10_000;

interface Deps {
  readonly database: Database;
  readonly clock: Clock;
  /** How long records of requests are kept. */
  retainDays(): number;
}

/** Makes the partitions of the weeks to come, and deletes the records that are kept no longer. */
export function weeksJob(deps: Deps): Job {
  return {
    name: 'weeks of records',
    everyMs: 6 * 3_600_000,
    run: (turn) => deps.database.withoutTimeLimit((owner) => keepWeeks(owner, deps, turn)),
  };
}

async function keepWeeks(
  owner: Parameters<typeof listWeeks>[0],
  { clock, retainDays }: Deps,
  turn: Pick<Turn, 'signal' | 'keep'>,
): Promise<void> {
  const now = clock();
  const oldest = new Date(now - retainDays() * dayMs);
  await makeWeeks(owner, oldest, new Date(now + daysAhead * dayMs));
  for (const week of await listWeeks(owner))
    if (week.getTime() + 7 * dayMs <= oldest.getTime()) await dropWeek(owner, week);
  while (!turn.signal.aborted && (await deleteRest(owner, oldest, rowsAtOnce)) === rowsAtOnce)
    await turn.keep({});
}
