import type { Clock } from '../../platform/clock.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { PushTarget } from '../contract.ts';
import type { Job, Turn } from '../jobs/jobs.ts';
import { type Place, placesOf } from '../push/progress.ts';
import {
  attachWeek,
  countUntaken,
  countWeek,
  deleteRest,
  dropWeek,
  listWeeks,
  makeWeeks,
  missingWeeks,
  noteRetention,
} from './partitions-store.ts';
import { type Patience, patiently, usualPatience } from './patiently.ts';
import { databaseTime } from './rollup-store.ts';

const dayMs = 86_400_000;
/** Partitions that are there before their week: long enough that nobody waits for one, whatever fails. */
const daysAhead = 56;
/** How much longer records are kept that a system which they are sent to has not taken. */
const mostDaysHeld = 14;
const mostApartMs = 6 * 3_600_000;
const rowsAtOnce = 10_000;

interface Deps {
  readonly database: Database;
  readonly log: Log;
  readonly clock: Clock;
  /** How long records of requests are kept. */
  retainDays(): number;
  /** Systems that records are sent to. */
  targets(): readonly PushTarget[];
  /** What time it is: the database's, which all processes share. */
  readonly now?: (db: Db) => Promise<Date>;
  readonly patience?: Patience;
}

/** Makes the partitions of the weeks to come, and deletes the records that are kept no longer. */
export function weeksJob(deps: Deps): Job {
  return {
    name: 'weeks of records',
    everyMs: 6 * 3_600_000,
    run: (turn) => deps.database.withoutTimeLimit((owner) => keepWeeks(owner, deps, turn)),
  };
}

type Ways = Omit<Deps, 'now' | 'patience'> & {
  readonly owner: Db;
  readonly turn: Pick<Turn, 'signal' | 'keep'>;
  /** Of before then nothing is kept, and of before `last` not even what somebody has not taken. */
  readonly oldest: Date;
  readonly last: Date;
  readonly patience: Patience;
};

async function keepWeeks(owner: Db, deps: Deps, turn: Ways['turn']): Promise<void> {
  const now = (await (deps.now ?? databaseTime)(owner)).getTime();
  const oldest = new Date(now - deps.retainDays() * dayMs);
  const last = new Date(oldest.getTime() - mostDaysHeld * dayMs);
  const ways = { ...deps, owner, turn, oldest, last, patience: deps.patience ?? usualPatience };
  await addWeeks(ways, new Date(now + daysAhead * dayMs));
  mustAgree(now, deps.clock());
  const places = await placesOf(owner, deps.targets());
  for (const week of await listWeeks(owner))
    if (week.getTime() + 7 * dayMs <= oldest.getTime()) await endWeek(ways, week, places);
  await endRest(ways, places);
}

/** What is deleted stays deleted, and one of the two clocks may be wrong. */
function mustAgree(ofDatabase: number, ofProcess: number): void {
  const apart = Math.abs(ofDatabase - ofProcess);
  if (apart <= mostApartMs) return;
  const hours = Math.round(apart / 3_600_000);
  throw new Error(
    `The clocks of the database and of this process are ${hours} hours apart: no records are deleted until they agree.`,
  );
}

async function addWeeks(ways: Ways, until: Date): Promise<void> {
  const { owner, oldest } = ways;
  // After an upgrade: the rest, which may be long, is looked through once.
  if ((await listWeeks(owner)).length === 0)
    return patiently(ways, (brief) => makeWeeks(owner, oldest, until, brief));
  for (const week of await missingWeeks(owner, oldest, until))
    await patiently(ways, (brief) => attachWeek(owner, week, brief));
}

async function endWeek(ways: Ways, week: Date, places: readonly Place[]): Promise<void> {
  const { owner, log, oldest, last } = ways;
  const day = week.toISOString().slice(0, 10);
  const unsent = await unsentOf(owner, { week }, places);
  if (unsent && week.getTime() + 7 * dayMs > last.getTime())
    return log.warn({ week: day, unsent }, 'records are kept longer: a system has not taken them yet');
  const note = { week: day, records: await countWeek(owner, week), ...(unsent && { unsent }) };
  const isDone = await patiently(ways, (brief) => dropWeek(owner, { week, youngest: oldest, note }, brief));
  if (isDone && note.records > 0) tell(log, note);
  if (!isDone)
    log.warn({ week: day }, 'a week of records is over and is kept: some of them were stored since');
}

async function endRest(ways: Ways, places: readonly Place[]): Promise<void> {
  const { owner, log, turn, oldest, last } = ways;
  const unsent = await unsentOf(owner, { restBefore: last }, places);
  const takenUpTo = takenByAll(places);
  let records = 0;
  for (let deleted = rowsAtOnce; deleted === rowsAtOnce && !turn.signal.aborted; ) {
    deleted = await deleteRest(owner, { before: oldest, takenUpTo, lastBefore: last }, rowsAtOnce);
    records += deleted;
    await turn.keep({});
  }
  if (records === 0) return;
  const note = { before: oldest.toISOString(), records, ...(unsent && { unsent }) };
  await noteRetention(owner, note);
  tell(log, note);
}

/** Everybody has what was stored before then. */
function takenByAll(places: readonly Place[]): string {
  if (places.length === 0) return 'infinity';
  return new Date(Math.min(...places.map(({ storedAt }) => Date.parse(storedAt)))).toISOString();
}

/** How many records are not with whom they are sent to, by target; null: all are. */
async function unsentOf(
  owner: Db,
  of: Parameters<typeof countUntaken>[1],
  places: readonly Place[],
): Promise<Record<string, number> | null> {
  const unsent: Record<string, number> = {};
  for (const place of places) {
    const count = await countUntaken(owner, of, place);
    if (count > 0) unsent[place.target] = count;
  }
  return Object.keys(unsent).length === 0 ? null : unsent;
}

function tell(log: Log, note: { readonly unsent?: object }): void {
  if (note.unsent)
    log.error(note, 'RECORDS WERE DELETED THAT A SYSTEM HAD NOT TAKEN: it was away for too long');
  else log.info(note, 'records that are kept no longer were deleted');
}
