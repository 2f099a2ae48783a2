import type { Db } from '../../platform/db/index.ts';
import type { Job } from './job.ts';
import {
  type Due,
  endTurn,
  failTurn,
  holdTurn,
  keepTurn,
  leaveTurn,
  takeTurn,
  type Turn,
} from './jobs-store.ts';

const leaseSeconds = 120;
const heldEveryMs = 30_000;
/** Work that hangs for longer, and keeps no state meanwhile, is another process's. */
const longestHeldMs = 3_600_000;
const firstWaitSeconds = 10;
const longestWaitSeconds = 300;

/** One turn at it, when it is this process's; false when not. Rejects as the work does, which is written down. */
export async function oneTurn(
  o: { readonly db: Db; readonly holder: string; readonly signal: AbortSignal },
  job: Job,
  due: Due,
): Promise<boolean> {
  const { db, holder, signal } = o;
  const turn = { name: job.name, holder };
  const state = await takeTurn(db, turn, { ...due, leaseSeconds });
  if (state === undefined) return false;
  const lease = holdOn(db, turn);
  const keep = async (next: object) => {
    if (!(await keepTurn(db, turn, next, leaseSeconds))) throw new Error('another process has the turn');
  };
  try {
    await job.run({ state, signal, keep });
    // What was told to stop may have ended early.
    await (signal.aborted ? leaveTurn(db, turn) : endTurn(db, turn));
  } catch (error) {
    await writeDown(db, turn, { job, isStopped: signal.aborted });
    throw error;
  } finally {
    clearInterval(lease);
  }
  return true;
}

async function writeDown(db: Db, turn: Turn, o: { job: Job; isStopped: boolean }): Promise<void> {
  const waits = {
    firstSeconds: Math.min(o.job.everyMs / 1_000, firstWaitSeconds),
    longestSeconds: longestWaitSeconds,
  };
  const written = o.isStopped ? leaveTurn(db, turn) : failTurn(db, turn, waits);
  // What the work failed of says more. Its lease ends by itself, and somebody tries again then.
  await written.catch(() => undefined);
}

/** Keeps the lease while the work is under way. */
function holdOn(db: Db, turn: Turn): NodeJS.Timeout {
  const began = performance.now();
  const timer = setInterval(() => {
    if (performance.now() - began > longestHeldMs) return clearInterval(timer);
    // The lease is longer than a few of these.
    holdTurn(db, turn, leaseSeconds).catch(() => undefined);
  }, heldEveryMs);
  return timer.unref();
}
