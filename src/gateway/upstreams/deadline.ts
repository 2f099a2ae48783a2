import type { Clock } from '../../platform/clock.ts';

/** How often its time a call may take in all, if its server keeps reporting progress. */
const mostExtended = 10;

/** The time that a server has for one call. It begins anew with progress, and stands still while a person is asked. */
export class Deadline {
  readonly #timer: NodeJS.Timeout;
  readonly #clock: Clock;
  #extendUntil: number;
  #asking = 0;
  #askingSince = 0;

  constructor(milliseconds: number, clock: Clock, onPassed: () => void) {
    this.#clock = clock;
    this.#extendUntil = clock() + mostExtended * milliseconds;
    this.#timer = setTimeout(() => {
      if (this.#asking > 0) this.#timer.refresh();
      else onPassed();
    }, milliseconds);
  }

  /** Whoever reports progress is at work, but not for ever (basic/utilities/progress.mdx). */
  progressed(): void {
    if (this.#clock() < this.#extendUntil) this.#timer.refresh();
  }

  /** Waits for a client's answer, which has a limit of its own; the server gets its whole time again afterwards. */
  async pausedFor<T>(answer: Promise<T>): Promise<T> {
    if (this.#asking++ === 0) this.#askingSince = this.#clock();
    try {
      return await answer;
    } finally {
      if (--this.#asking === 0) this.#extendUntil += this.#clock() - this.#askingSince;
      this.#timer.refresh();
    }
  }

  clear(): void {
    clearTimeout(this.#timer);
  }
}
