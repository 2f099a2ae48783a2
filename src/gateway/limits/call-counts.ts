import type { Clock } from '../../platform/clock.ts';
import type { Limit, Over, Verdict } from './limit.ts';
import { OwnCounts } from './own-counts.ts';
import type { SharedCounts, Taken } from './shared-counts.ts';
import type { Ceiling, Held } from './under-way.ts';

/**
 * Calls a minute. Where replicas count together they decide together, exactly; where they cannot, each decides by what
 * it has counted itself and what it last heard of the others. A call is counted with all of its limits or with none.
 */
export class CallCounts {
  readonly #own: OwnCounts;
  readonly #shared: SharedCounts | null;

  constructor(o: { clock: Clock; shared: SharedCounts | null }) {
    this.#own = new OwnCounts(o.clock);
    this.#shared = o.shared;
  }

  /** A limit that certainly has no room, as far as is known without asking anybody. Counts nothing. */
  over(limits: readonly Limit[]): Over | undefined {
    return this.#own.over(limits, false);
  }

  /** `held`: under which ceilings it is under way in this process already. */
  take(limits: readonly Limit[], held: readonly (Ceiling & Held)[] = []): Verdict | Promise<Verdict> {
    if (limits.length + held.length === 0) return { ok: true, quota: null };
    const over = this.over(limits);
    if (over) return { ok: false, over };
    const shared = this.#shared;
    if (!shared?.isUsable()) return this.#alone(limits);
    return shared.take(limits, held).then(
      (taken) => this.#together(limits, held, taken),
      () => this.#alone(limits), // The link has logged why.
    );
  }

  /** Since when this process limits alone although it should not; null: it does not. */
  aloneSince(): Date | null {
    return this.#shared?.awaySince() ?? null;
  }

  /** The fullest counts of a kind, as this process has them. */
  top(kind: Limit['kind'], most: number): { limit: Limit; used: number }[] {
    return this.#own.top(kind, most);
  }

  async close(): Promise<void> {
    await this.#shared?.close();
  }

  #alone(limits: readonly Limit[]): Verdict {
    const over = this.#own.over(limits, this.#shared !== null);
    if (over) return { ok: false, over };
    this.#own.add(limits);
    const [first] = limits;
    return passed(limits, first ? this.#own.state(first) : { used: 0, seconds: 0 });
  }

  #together(limits: readonly Limit[], held: readonly Ceiling[], taken: Taken): Verdict {
    const full = taken.ceiling === null ? undefined : held[taken.ceiling];
    if (full) return { ok: false, over: null, full };
    const limit = taken.full ? limits[taken.full.at] : undefined;
    if (taken.full && limit) {
      this.#own.learnFull(limit, taken.full.milliseconds);
      return { ok: false, over: { limit, seconds: Math.ceil(taken.full.milliseconds / 1000) } };
    }
    this.#own.add(limits);
    this.#learn(limits, taken);
    const [first] = limits;
    const seconds = first ? this.#own.state(first).seconds : 0;
    return passed(limits, { used: taken.counts[0] ?? 0, seconds });
  }

  #learn(limits: readonly Limit[], { counts }: Taken): void {
    for (const [at, limit] of limits.entries()) this.#own.learn(limit, counts[at] ?? 0);
  }
}

/** Callers are told of the first limit: it is their own. */
function passed([limit]: readonly Limit[], { used, seconds }: { used: number; seconds: number }): Verdict {
  if (!limit) return { ok: true, quota: null };
  return { ok: true, quota: { limit, remaining: Math.max(0, limit.perMinute - used), seconds } };
}
