// What the workers of one machine say together.
import type { Degraded } from '../admin/index.ts';
import { AppError } from '../platform/errors.ts';
import type { MetricsPicture } from '../platform/metrics/metrics.ts';
import type { WorkerSide } from '../platform/workers/worker.ts';

/** What does not work as it should here or in another worker. */
export async function degradedOfWorkers(
  worker: WorkerSide,
  own: () => Promise<readonly Degraded[]>,
): Promise<Degraded[]> {
  const [mine, others] = await Promise.all([own(), worker.others('degraded')]);
  // Over the pipe times are texts; they are those of the other workers, which are this program.
  const told = (others as (readonly (Omit<Degraded, 'since'> & { readonly since: string | null })[])[])
    .flat()
    .map((one) => ({ ...one, since: one.since === null ? null : new Date(one.since) }));
  const byPart = new Map<string, Degraded>();
  for (const one of [...mine, ...told]) if (!byPart.has(one.part)) byPart.set(one.part, one);
  return [...byPart.values()];
}

/** Longer than the primary waits for the others, in milliseconds. */
const patience = 3_000;

/** The numbers of the other workers, for which the primary is told those of this one. */
export async function picturesOf(
  worker: WorkerSide,
  own: MetricsPicture,
): Promise<readonly MetricsPicture[]> {
  try {
    return (await worker.link.ask('metrics', own, patience)) as MetricsPicture[]; // Made by the same program.
  } catch (cause) {
    const message = 'The numbers of the other workers are not there at the moment; ask again.';
    // Without them all counts would fall, which Prometheus takes for a new beginning.
    throw new AppError('metrics_incomplete', 503, message, { cause });
  }
}
