import type { Log } from '../../platform/log.ts';
import { newestUse, removeAbandoned } from './data-directory.ts';
import type { PackageShelf } from './packages/shelf.ts';
import type { Processes } from './processes.ts';

export interface SweeperOptions {
  /** What servers keep. */
  readonly root: string;
  readonly keepDays: number;
  readonly processes: Pick<Processes, 'inUse'>;
  readonly packages: Pick<PackageShelf, 'sweep'> | undefined;
  readonly log: Log;
}

const day = 24 * 3_600_000;
/** A machine that has just started may not know the time yet. */
const first = 600_000;

/** Longer than that nobody is believed to have used nothing. */
const quiet = 7 * day;

/** Removes what is of no use to anybody any more, once a day, until it is closed. */
export function startSweeper(options: SweeperOptions): { close(): void } {
  // Before a process of this runner begins, which would bear the time of a wrong clock.
  const newest = newestUse(options.root);
  let isClosed = false;
  let timer: NodeJS.Timeout | undefined;
  const begin = async () => {
    const now = steadyTime(Date.now(), await newest);
    if (isClosed) return;
    timer = setInterval(() => void sweep(options, now()), day).unref();
    await sweep(options, now());
  };
  timer = setTimeout(() => void begin(), first).unref();
  return {
    close() {
      isClosed = true;
      clearTimeout(timer);
    },
  };
}

/**
 * The time for whoever removes what is old. A clock that is set ahead must not make everything old: whatever it says
 * later does not count, and what it says at first only so far as something was used not long before.
 */
export function steadyTime(wall: number, newest: number | undefined): () => number {
  const began = Math.min(wall, newest === undefined ? wall : newest + quiet) - performance.now();
  return () => began + performance.now();
}

/** Never rejects: what fails today is tried again tomorrow. */
export async function sweep(o: SweeperOptions, now: number): Promise<void> {
  for (const work of [() => o.packages?.sweep(now), () => sweepOwners(o, now)]) {
    try {
      await work();
    } catch (error) {
      o.log.error({ err: error }, 'what nobody uses could not be removed');
    }
  }
}

async function sweepOwners({ root, keepDays, processes, log }: SweeperOptions, now: number): Promise<void> {
  if (keepDays === 0) return;
  const before = now - keepDays * day;
  const removed = await removeAbandoned(root, { before, log, inUse: () => processes.inUse() });
  for (const directory of removed)
    log.info({ directory, days: keepDays }, 'what a server kept was removed: nobody has used it for long');
}
