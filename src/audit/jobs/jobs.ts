// Work that one process of an installation does at a time, again and again.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../platform/db/index.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Job } from './job.ts';
import { type Standing, standingOf } from './jobs-store.ts';
import { oneTurn } from './one-turn.ts';

export type { Job, Turn } from './job.ts';

export interface Jobs {
  /** One turn of it at once, whenever it was last; false when another process is at it. */
  run(name: string): Promise<boolean>;
  /** Since when a job has failed again and again, in whichever process, by its name; until it worked. */
  failing(): ReadonlyMap<string, Date>;
  close(): Promise<void>;
}

interface Failing {
  readonly failures: number;
  readonly since: Date;
}

/** Looked at more often than its turn comes: another process may have gone, or may have failed at it. */
const longestLookMs = 60_000;
const longestWaitMs = 300_000;
const longestEndMs = 2_000;

export function createJobs(o: {
  readonly db: Db;
  readonly log: Log;
  readonly jobs: readonly Job[];
  readonly toldAfter?: number;
}): Jobs {
  const { db, log, toldAfter = 1 } = o;
  const closing = new AbortController();
  const at = { db, holder: randomUUID(), signal: closing.signal };
  const failing = createFailing(log);
  const timers = new Map<Job, NodeJS.Timeout>();
  const under = new Map<Job, Promise<unknown>>();

  const attempt = async (job: Job, isAnew: boolean): Promise<void> => {
    const work = oneTurn(at, job, { everySeconds: job.everyMs / 1_000, isAnew });
    under.set(job, work);
    const error = await work.then(() => undefined, messageOf);
    under.delete(job);
    if (closing.signal.aborted) return;
    const seen = await standingOf(db, job.name).catch(() => undefined);
    failing.note(job, seen, error);
    arm(job, waitMs(job, seen, failing.get(job)));
  };
  const arm = (job: Job, ms: number, isAnew = false): void => {
    if (closing.signal.aborted) return;
    const timer = setTimeout(() => void attempt(job, isAnew), ms);
    timer.unref();
    timers.set(job, timer);
  };
  // What failed may have been mended by what this process was started with.
  for (const job of o.jobs) arm(job, Math.min(job.everyMs, 1_000), true);
  return {
    async run(name) {
      const job = o.jobs.find((one) => one.name === name);
      return job !== undefined && oneTurn(at, job, { everySeconds: 0, isAnew: true });
    },
    failing: () => failing.told(toldAfter),
    async close() {
      closing.abort();
      for (const timer of timers.values()) clearTimeout(timer);
      // What does not end in time is done again: its lease ends by itself.
      await Promise.race([
        Promise.allSettled(under.values()),
        sleep(longestEndMs, undefined, { ref: false }),
      ]);
    },
  };
}

function waitMs({ everyMs }: Job, seen: Standing | undefined, failing: Failing | undefined): number {
  const usual = Math.min(everyMs, longestLookMs);
  if (failing === undefined) return usual;
  // The database is away.
  if (seen === undefined) return Math.min(usual * 2 ** Math.min(failing.failures, 8), longestWaitMs);
  return Math.min(Math.max(seen.againInMs ?? 0, Math.min(everyMs, 1_000)), longestLookMs);
}

/** What fails, as far as this process knows. */
function createFailing(log: Log) {
  const failing = new Map<string, Failing>();
  const fail = ({ name }: Job, now: Failing, error: string | undefined) => {
    const isKnown = failing.has(name);
    failing.set(name, now);
    if (isKnown) return;
    if (error === undefined) log.error({ job: name }, 'a job failed in another process; it is tried again');
    else log.error({ job: name, error }, 'a job failed; it is tried again');
  };
  return {
    get: ({ name }: Job) => failing.get(name),
    /** Takes in how it stands for all processes; undefined: nobody can tell. */
    note(job: Job, seen: Standing | undefined, error: string | undefined): void {
      const { failures = 0, since = new Date() } = failing.get(job.name) ?? {};
      if (seen && seen.failures > 0)
        return fail(job, { failures: seen.failures, since: seen.since ?? since }, error);
      if (error !== undefined) return fail(job, { failures: failures + 1, since }, error);
      // Only who has done it knows that it works: not who finds that it is not the time, or that somebody is at it.
      const isWell = seen !== undefined && !seen.isUnderWay;
      if (isWell && failing.delete(job.name)) log.info({ job: job.name }, 'the job works again');
    },
    told: (after: number): ReadonlyMap<string, Date> =>
      new Map(
        [...failing].flatMap(([name, { failures, since }]) =>
          failures >= after ? [[name, since] as const] : [],
        ),
      ),
  };
}
