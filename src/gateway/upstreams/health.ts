import type { Clock } from '../../platform/clock.ts';
import type { Entry } from './make-room.ts';
import type { Standing } from './standing.ts';
import { failureToStart } from './start.ts';

export interface HealthOptions {
  readonly clock: Clock;
  standingOf(entry: Entry): Standing;
}

/** How long a connection may be silent before it is asked for a sign of life, in milliseconds, give or take a fifth. */
const checkEvery = 30_000;
/** Servers that are asked at one time. */
const atOnce = 8;

/**
 * Asks servers that nobody is using at the moment for a sign of life, so that the first caller after a failure is told
 * at once instead of waiting. It is no use of a connection: one that nobody uses is put to rest all the same.
 */
export class HealthChecks {
  readonly #options: HealthOptions;
  /** When each was last checked, and will be next, in milliseconds since the epoch. */
  readonly #times = new WeakMap<Entry, { readonly checkedAt: number; readonly dueAt: number }>();
  #running = 0;

  constructor(options: HealthOptions) {
    this.#options = options;
  }

  /** Begins what is due. Resolves when that has ended; never rejects. */
  async look(entries: readonly Entry[]): Promise<void> {
    const due = entries.filter((entry) => this.#isDue(entry));
    const room = Math.max(0, atOnce - this.#running);
    await Promise.all(due.slice(0, room).map((entry) => this.#check(entry)));
  }

  #isDue(entry: Entry): boolean {
    const { upstream } = entry;
    const { circuit } = this.#options.standingOf(entry);
    if (upstream.inFlight > 0) return false;
    if (!circuit.isClosed) return circuit.refusal === undefined;
    if (!upstream.hello) return false;
    const { checkedAt, dueAt } = this.#times.get(entry) ?? { checkedAt: 0, dueAt: 0 };
    const heardAt = Math.max(upstream.lastUsedAt, checkedAt);
    // Not all of them at the same moment, after a start or a rush.
    const due = dueAt > heardAt ? dueAt : heardAt + checkEvery * (0.8 + 0.4 * Math.random());
    this.#times.set(entry, { checkedAt, dueAt: due });
    return this.#options.clock() >= due;
  }

  async #check(entry: Entry): Promise<void> {
    const { upstream } = entry;
    const standing = this.#options.standingOf(entry);
    const wasOpen = upstream.hello !== undefined;
    this.#running++;
    try {
      if (wasOpen) standing.circuit.begin();
      // One that broke is made again: whoever used it a moment ago is likely to come back.
      await (wasOpen ? upstream.check() : upstream.ready());
      standing.circuit.answered();
    } catch (error) {
      // A connection that cannot be made has told the circuit itself.
      if (!wasOpen || upstream.isClosed) return;
      await upstream.silent(failureToStart(upstream.options.name, error)).catch(() => undefined);
    } finally {
      const checkedAt = this.#options.clock();
      standing.lastCheckAt = checkedAt;
      this.#times.set(entry, { checkedAt, dueAt: 0 });
      this.#running--;
    }
  }
}
