import { setTimeout as sleep } from 'node:timers/promises';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

const maxQueued = 10_000;
const maxAttempts = 10;
const firstDelayMs = 500;
const longestDelayMs = 30_000;

export interface Job {
  run(): Promise<void>;
  /** Called when it is dropped: the queue is full, or it failed ten times. */
  giveUp(): void;
}

/** Writes that may wait while the database is away: one at a time, the last one of each key, with back-off. */
export interface RetryQueue {
  add(key: string, job: Job): void;
  /** Waits for the job under way; the others are dropped without a word to them. */
  close(): Promise<void>;
}

export function createRetryQueue(log: Log): RetryQueue {
  const queue = new Map<string, Job & { attempts: number }>();
  const closed = new AbortController();
  let working: Promise<void> | undefined;

  async function work(): Promise<void> {
    let delay = firstDelayMs;
    for (const [key, job] of queue) {
      if (closed.signal.aborted) return;
      queue.delete(key);
      try {
        await job.run();
        delay = firstDelayMs;
      } catch (error) {
        job.attempts += 1;
        log.warn(
          { error: messageOf(error), attempt: job.attempts },
          'a sighted person could not be written yet',
        );
        if (job.attempts >= maxAttempts) job.giveUp();
        else if (!queue.has(key)) queue.set(key, job);
        await sleep(delay, undefined, { signal: closed.signal, ref: false }).catch(() => undefined);
        delay = Math.min(delay * 2, longestDelayMs);
      }
    }
  }

  function start(): void {
    working ??= work().finally(() => {
      working = undefined;
      // A job may come in between the end of the loop and this line.
      if (queue.size > 0 && !closed.signal.aborted) start();
    });
  }

  return {
    add(key, job) {
      if (closed.signal.aborted) return;
      if (queue.size >= maxQueued && !queue.has(key)) {
        log.warn(
          { waiting: queue.size },
          'too many people wait to be written; the next request of this one tries again',
        );
        job.giveUp();
        return;
      }
      queue.set(key, { run: job.run, giveUp: job.giveUp, attempts: 0 });
      start();
    },
    async close() {
      closed.abort();
      await working;
    },
  };
}
