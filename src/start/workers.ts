// The primary of several workers: what is there once (the embedded database, the runner, counts), and who serves.
import { availableParallelism } from 'node:os';
import path from 'node:path';
import type { Config } from '../config.ts';
import { PrimaryCounts } from '../gateway/index.ts';
import { ChildRunner } from '../gateway/runner/index.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Closing } from '../platform/closing.ts';
import type { Database } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import { Pictures } from '../platform/metrics/pictures.ts';
import { Primary } from '../platform/workers/primary.ts';
import type { Placement, WorkerSide } from '../platform/workers/worker.ts';
import { projectDir } from './program.ts';
import { runnerOf } from './stdio.ts';

/** How many processes serve. */
export function workersWanted({ WORKERS: wanted }: Pick<Config, 'WORKERS'>): number {
  return wanted === 'auto' ? availableParallelism() : wanted;
}

/** Where a worker keeps what no other process may touch; the first has the place of a program that serves alone. */
export function ownDirectory(dataDir: string, worker: WorkerSide | undefined): string {
  const { number } = worker?.placement ?? { number: 1 };
  return number === 1 ? dataDir : path.join(dataDir, `worker-${number}`);
}

/** Starts the workers, and resolves with what the first one has to tell whoever started it. */
export async function startWorkers(o: {
  readonly count: number;
  readonly config: Config;
  readonly database: Database;
  readonly log: Log;
  readonly closing: Closing;
}): Promise<{ primary: Primary; text: string }> {
  const { config, log, closing } = o;
  const shared = await o.database.share?.();
  if (shared) closing.keep('shared database', shared);
  const runner = runnerOf(config, log);
  const isOwn = runner instanceof ChildRunner;
  if (isOwn) closing.keep('runner', runner, 9_000);
  // One that somebody else started is each worker's own affair.
  else runner?.close();
  const counts = new PrimaryCounts(clock);
  const pictures = new Pictures();
  const primary = new Primary({
    count: o.count,
    placementOf: (number): Placement => ({ number, ...(shared && { databaseUrl: shared.url }) }),
    answers: {
      limits: (calls, worker) => counts.answer(calls, worker),
      metrics: (own, worker) => pictures.answer(own, worker, primary.askOthers(worker, 'metrics')),
      runner: () => (isOwn ? runner.place(AbortSignal.timeout(30_000)) : null),
    },
    ended(worker) {
      counts.forget(worker);
      pictures.ended(worker);
    },
    log,
  });
  closing.keep('workers', primary, 'own');
  const text = await primary.start({ exec: path.join(projectDir, 'src', 'main.ts'), args: ['serve'] });
  return { primary, text: String(text) };
}
