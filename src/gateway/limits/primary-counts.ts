// What the workers of one machine count together: their primary counts, and is asked with each call.
import { LRUCache } from 'lru-cache';
import { z } from 'zod';
import type { Clock } from '../../platform/clock.ts';
import type { Taken } from './shared-counts.ts';
import { SlidingWindow } from './sliding-window.ts';

/** A call: names of its limits and how many a minute each has room for; and its ceilings. */
const question = z.object({
  limits: z.array(z.tuple([z.string(), z.number()])),
  /** Name, how many may be at a time (null: it is only told), how many the worker has with this one. */
  held: z.array(z.tuple([z.string(), z.number().nullable(), z.number()])),
  /** Whatever is not in `held` the worker has no longer. */
  isAll: z.literal(true).optional(),
});
const questions = z.array(question);
export type Question = z.infer<typeof question>;

const mostKeys = 200_000;

export class PrimaryCounts {
  readonly #clock: Clock;
  readonly #windows = new LRUCache<string, SlidingWindow>({ max: mostKeys });
  /** Calls under way, by name and worker. */
  readonly #underWay = new Map<string, Map<number, number>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Counts each call of a worker with all of its limits, or with none. */
  answer(message: unknown, worker: number): Taken[] {
    return questions.parse(message).map((asked) => {
      if (asked.isAll) this.forget(worker);
      return this.#count(asked, worker);
    });
  }

  /** A worker has ended, and with it its calls; or it says all that it has. */
  forget(worker: number): void {
    for (const name of [...this.#underWay.keys()]) this.#set(name, worker, 0);
  }

  #count({ limits, held }: Question, worker: number): Taken {
    const ceiling = held.findIndex(
      ([name, atOnce, calls]) => atOnce !== null && this.#elsewhere(name, worker) + calls > atOnce,
    );
    if (ceiling >= 0) return { ceiling, full: null, counts: [] };
    const now = this.#clock();
    const second = Math.floor(now / 1000);
    const windows = limits.map(([name]) => this.#windowOf(name));
    let full: Taken['full'] = null;
    for (const [at, window] of windows.entries()) {
      const most = limits[at]?.[1] ?? 0;
      if (window.count(second) < most) continue;
      const milliseconds = Math.max(1_000, window.freeAt(most) * 1_000 - now);
      if (milliseconds > (full?.milliseconds ?? 0)) full = { at, milliseconds };
    }
    if (!full) {
      for (const window of windows) window.add(second);
      for (const [name, , calls] of held) this.#set(name, worker, calls);
    }
    return { ceiling: null, full, counts: windows.map((window) => window.count(second)) };
  }

  #elsewhere(name: string, worker: number): number {
    let calls = 0;
    for (const [of, number] of this.#underWay.get(name) ?? []) if (of !== worker) calls += number;
    return calls;
  }

  #set(name: string, worker: number, calls: number): void {
    const byWorker = this.#underWay.get(name) ?? new Map<number, number>();
    if (calls > 0) byWorker.set(worker, calls);
    else byWorker.delete(worker);
    if (byWorker.size > 0) this.#underWay.set(name, byWorker);
    else this.#underWay.delete(name);
  }

  #windowOf(name: string): SlidingWindow {
    const found = this.#windows.get(name) ?? new SlidingWindow();
    this.#windows.set(name, found);
    return found;
  }
}
