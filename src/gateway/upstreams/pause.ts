import type { Clock } from '../../platform/clock.ts';
import type { UpstreamError } from '../connectors/contract.ts';

const shortest = 500;
const longest = 60_000;

/** How long a server that failed is left alone: twice as long after each failure in a row. */
export class Pause {
  readonly #clock: Clock;
  #failures = 0;
  #until = 0;
  #error: UpstreamError | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Why nobody asks at the moment; undefined: whoever wants to may ask. */
  get reason(): UpstreamError | undefined {
    return this.remaining > 0 ? this.#error : undefined;
  }

  /** In milliseconds. */
  get remaining(): number {
    return this.#error ? Math.max(0, this.#until - this.#clock()) : 0;
  }

  /** `cost` is how long the attempt kept its callers waiting, in milliseconds: the next ones are spared as long. */
  failed(error: UpstreamError, cost = 0): number {
    this.#error = error;
    this.#failures++;
    const grown = Math.min(longest, shortest * 2 ** (this.#failures - 1));
    this.#until = this.#clock() + Math.max(grown, cost);
    return this.#failures;
  }

  succeeded(): void {
    this.#failures = 0;
    this.#error = undefined;
  }

  /** Somebody wants to know now. */
  end(): void {
    this.#until = 0;
  }
}
