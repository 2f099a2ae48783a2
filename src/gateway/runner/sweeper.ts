import type { Log } from '../../platform/log.ts';
import { removeAbandoned } from './data-directory.ts';
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

/** Removes what is of no use to anybody any more, once a day, until it is closed. */
export function startSweeper(options: SweeperOptions): { close(): void } {
  const run = () => {
    sweep(options, Date.now()).catch((error: unknown) =>
      options.log.error({ err: error }, 'what nobody uses could not be removed'),
    );
  };
  let daily: NodeJS.Timeout | undefined;
  const soon = setTimeout(() => {
    run();
    daily = setInterval(run, day).unref();
  }, first).unref();
  return {
    close() {
      clearTimeout(soon);
      clearInterval(daily);
    },
  };
}

export async function sweep(o: SweeperOptions, now: number): Promise<void> {
  await o.packages?.sweep(now);
  if (o.keepDays === 0) return;
  const before = now - o.keepDays * day;
  const removed = await removeAbandoned(o.root, { before, inUse: () => o.processes.inUse() });
  for (const directory of removed)
    o.log.info(
      { directory, days: o.keepDays },
      'what a server kept was removed: nobody has used it for long',
    );
}
