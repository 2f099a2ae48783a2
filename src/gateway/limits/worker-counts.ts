// Calls a minute of several workers of one machine: their primary counts, and is asked with each call.
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import { keyOf, type Limit } from './limit.ts';
import type { SharedCounts, Taken } from './shared-counts.ts';
import { SlidingWindow } from './sliding-window.ts';

/** What a worker asks about one limit; no limit at all for what was let in already. */
const question = z.array(z.object({ key: z.string(), perMinute: z.number().nullable() }));
const answer = z.object({
  full: z.object({ at: z.number(), milliseconds: z.number() }).nullable(),
  counts: z.array(z.number()),
});

const mostKeys = 200_000;
/** A primary does nothing else, so one that is late is stuck; each worker then counts by itself. In milliseconds. */
const patience = 500;
const restAfterFailure = 1_000;

/** The side of the primary: counts a call with all of its limits, or with none. */
export function countForWorkers(clock: Clock): (message: unknown) => Taken {
  const windows = new LRUCache<string, SlidingWindow>({ max: mostKeys });
  const windowOf = (key: string) => {
    const found = windows.get(key) ?? new SlidingWindow();
    windows.set(key, found);
    return found;
  };
  return (message) => {
    const second = Math.floor(clock() / 1000);
    const asked = question.parse(message).map((one) => ({ ...one, window: windowOf(one.key) }));
    let full: Taken['full'] = null;
    for (const [at, { window, perMinute }] of asked.entries()) {
      if (perMinute === null || window.count(second) < perMinute) continue;
      const milliseconds = Math.max(1_000, window.freeAt(perMinute) * 1_000 - clock());
      if (milliseconds > (full?.milliseconds ?? 0)) full = { at, milliseconds };
    }
    if (!full) for (const { window } of asked) window.add(second);
    return { full, counts: asked.map(({ window }) => window.count(second)) };
  };
}

/** The side of a worker. */
export function countsOfPrimary(
  ask: (message: unknown, timeoutMs: number) => Promise<unknown>,
  clock: Clock,
): SharedCounts {
  let failedAt: number | null = null;
  const run = async (limits: readonly Limit[], most: (limit: Limit) => number | null): Promise<Taken> => {
    try {
      const asked = limits.map((limit) => ({ key: keyOf(limit), perMinute: most(limit) }));
      const taken = answer.parse(await ask(asked, patience));
      failedAt = null;
      return taken;
    } catch (error) {
      failedAt = clock();
      throw error;
    }
  };
  return {
    isUsable: () => failedAt === null || clock() - failedAt > restAfterFailure,
    take: (limits) => run(limits, ({ perMinute }) => perMinute),
    add: (limits) => run(limits, () => null),
    awaySince: () => (failedAt === null ? null : new Date(failedAt)),
    close: () => Promise.resolve(),
  };
}
