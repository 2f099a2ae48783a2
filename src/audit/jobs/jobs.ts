// Work that one process of an installation does at a time, again and again.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Db } from '../../platform/db/index.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { endTurn, keepTurn, takeTurn } from './jobs-store.ts';

export interface Turn {
  /** What `keep` kept last, in whichever process. */
  readonly state: unknown;
  readonly signal: AbortSignal;
  /** Keeps how far the work has come. Rejects when the turn is another process's by now. */
  keep(state: object): Promise<void>;
}

export interface Job {
  readonly name: string;
  readonly everyMs: number;
  run(turn: Turn): Promise<void>;
}

export interface Jobs {
  /** One turn of it at once, whenever it was last; false when another process is at it. */
  run(name: string): Promise<boolean>;
  /** Since when a job has failed again and again, by its name. */
  failing(): ReadonlyMap<string, Date>;
  close(): Promise<void>;
}

/** Work under way keeps its lease by keeping its state, at least this often. */
const leaseSeconds = 120;
const longestWaitMs = 300_000;
const longestEndMs = 2_000;

export function createJobs(o: {
  readonly db: Db;
  readonly log: Log;
  readonly jobs: readonly Job[];
  readonly toldAfter?: number;
}): Jobs {
  const { toldAfter = 1 } = o;
  const closing = new AbortController();
  const holder = randomUUID();
  const failing = new Map<string, Date>();
  const timers = new Map<Job, NodeJS.Timeout>();
  const under = new Map<Job, Promise<boolean>>();
  const failures = new Map<Job, number>();

  const turnOf = async (job: Job, everySeconds: number): Promise<boolean> => {
    const turn = { name: job.name, holder };
    const state = await takeTurn(o.db, turn, { everySeconds, leaseSeconds });
    if (state === undefined) return false;
    const keep = async (next: object) => {
      if (!(await keepTurn(o.db, turn, next, leaseSeconds))) throw new Error('another process has the turn');
    };
    try {
      await job.run({ state, signal: closing.signal, keep });
    } finally {
      await endTurn(o.db, turn);
    }
    return true;
  };
  const timesFailed = (name: string) =>
    Math.max(...o.jobs.map((job) => (job.name === name ? (failures.get(job) ?? 0) : 0)));
  const attempt = async (job: Job): Promise<void> => {
    try {
      const work = turnOf(job, job.everyMs / 1_000);
      under.set(job, work);
      await work;
      failures.delete(job);
      if (failing.delete(job.name)) o.log.info({ job: job.name }, 'the job works again');
    } catch (error) {
      if (closing.signal.aborted) return;
      failures.set(job, (failures.get(job) ?? 0) + 1);
      if (failing.has(job.name)) return;
      failing.set(job.name, new Date());
      o.log.error({ job: job.name, error: messageOf(error) }, 'a job failed; it is tried again');
    } finally {
      under.delete(job);
      arm(job);
    }
  };
  const arm = (job: Job, firstMs?: number): void => {
    if (closing.signal.aborted) return;
    // Looked at more often than its turn comes: another process may have gone. Twice as long after each failure.
    const waitMs = Math.min(job.everyMs, 60_000) * 2 ** Math.min(failures.get(job) ?? 0, 8);
    const timer = setTimeout(
      () => void attempt(job),
      Math.min(waitMs, firstMs ?? longestWaitMs, longestWaitMs),
    );
    timer.unref();
    timers.set(job, timer);
  };
  for (const job of o.jobs) arm(job, 1_000);
  return {
    async run(name) {
      const job = o.jobs.find((one) => one.name === name);
      return job !== undefined && turnOf(job, 0);
    },
    failing: () => new Map([...failing].filter(([name]) => timesFailed(name) >= toldAfter)),
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
