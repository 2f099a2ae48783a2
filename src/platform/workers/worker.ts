// The side of a worker: one of several processes that serve at one port, started by a primary.
import cluster from 'node:cluster';
import { z } from 'zod';
import type { Closing } from '../closing.ts';
import { Link } from './link.ts';

/** What a worker is told about itself. */
export const placement = z.object({
  /** From 1; a worker that is started again has the number of the one before. */
  number: z.number().int().min(1),
  /** The embedded database, where the primary has it. */
  databaseUrl: z.string().optional(),
});
export type Placement = z.infer<typeof placement>;

export interface WorkerSide {
  readonly link: Link;
  readonly placement: Placement;
  /** What all other workers say to a question; those that say nothing in time are left out. */
  others(topic: string): Promise<unknown[]>;
}

/** Longer than the primary waits for the others, in milliseconds. */
const patience = 3_000;

/** Undefined in a process that no primary started. */
export async function openWorkerSide(): Promise<WorkerSide | undefined> {
  const { worker } = cluster;
  if (!cluster.isWorker || !worker) return undefined;
  // Without it Node ends this process the moment the primary is gone, with records that are not written yet.
  worker.exitedAfterDisconnect = true;
  const link = new Link((wire) => process.connected && process.send?.(wire));
  // Until `closeWithPrimary` is called it just ends. What was said before this is lost; the primary then gives it no place.
  link.answer('stop', () => process.exit(0));
  process.on('message', (message) => link.hear(message));
  process.once('disconnect', () => link.close());
  const told = placement.parse(await link.ask('placement', null, 30_000));
  return {
    link,
    placement: told,
    others: async (topic) => {
      const answers = await link.ask('others', topic, patience).catch(() => []);
      return Array.isArray(answers) ? answers : [];
    },
  };
}

/**
 * Ends this process when the primary says so, or is gone. Signals are the primary's to hear: a terminal sends them to
 * every process at once.
 */
export function closeWithPrimary({ link }: WorkerSide, closing: Closing, seconds: number): void {
  let asked = false;
  const stop = () => {
    if (asked) return;
    asked = true;
    setTimeout(() => {
      closing.tellLate();
      process.exit(1);
    }, seconds * 1_000).unref();
    closing.close(seconds * 1_000).then(
      () => process.exit(0),
      () => process.exit(1),
    );
  };
  link.answer('stop', () => stop());
  process.once('disconnect', stop);
  if (!process.connected) stop();
}

/** For a worker, whose primary tells it when to stop. */
export function ignoreSignals(): void {
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
}
