import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import { SlidingWindow } from './sliding-window.ts';

interface Refusals {
  readonly lastMinute: SlidingWindow;
  sinceStart: number;
}

/** Those that were refused are kept so many; reasons are few. */
const mostKept = 1_000;

/** How often what was refused, for operators. */
export class Refused {
  readonly #clock: Clock;
  readonly #reasons = new Map<string, Refusals>();
  readonly #whose = new LRUCache<string, Refusals>({ max: mostKept });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `reason` is one of a few words; `whose` is what has the limit. */
  note(reason: string, whose: string): void {
    const byReason = this.#reasons.get(reason) ?? none();
    const byWhose = this.#whose.get(whose) ?? none();
    this.#reasons.set(reason, byReason);
    this.#whose.set(whose, byWhose);
    for (const one of [byReason, byWhose]) {
      one.lastMinute.add(this.#second());
      one.sinceStart++;
    }
  }

  byReason(): { reason: string; lastMinute: number; sinceStart: number }[] {
    const all = [...this.#reasons].map(([reason, one]) => ({ reason, ...this.#counted(one) }));
    return all.sort((a, b) => b.sinceStart - a.sinceStart);
  }

  /** What refused most in the last minute. */
  top(most: number): { whose: string; lastMinute: number; sinceStart: number }[] {
    const all = [...this.#whose.entries()].map(([whose, one]) => ({ whose, ...this.#counted(one) }));
    return all.sort((a, b) => b.lastMinute - a.lastMinute || b.sinceStart - a.sinceStart).slice(0, most);
  }

  #counted({ lastMinute, sinceStart }: Refusals): { lastMinute: number; sinceStart: number } {
    return { lastMinute: lastMinute.count(this.#second()), sinceStart };
  }

  #second(): number {
    return Math.floor(this.#clock() / 1000);
  }
}

function none(): Refusals {
  return { lastMinute: new SlidingWindow(), sinceStart: 0 };
}
