import { z } from 'zod';
import type { WorkerSide } from '../platform/workers/worker.ts';

const standing = z.object({ serving: z.number(), count: z.number(), since: z.coerce.date().nullable() });
/** The primary answers from memory, in milliseconds. */
const patience = 1_000;

/** Since when one of several workers is missing; null: none is, or nobody can say. */
export async function missingWorkers({ link }: WorkerSide): Promise<{ since: Date; meaning: string } | null> {
  const told = standing.safeParse(await link.ask('workers', null, patience).catch(() => null));
  if (!told.success || told.data.since === null) return null;
  const { serving, count, since } = told.data;
  return {
    since,
    meaning: `${serving} of ${count} workers serve; the others are started again by themselves.`,
  };
}
