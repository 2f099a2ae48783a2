/** Seconds that a hit counts for; what is left of the second it came in counts as well, so never less than a minute. */
export const windowSeconds = 60;

/**
 * Hits of the last minute, by second: in no minute are there more than the limit, wherever it begins. It costs as much
 * as there are seconds with hits.
 */
export class SlidingWindow {
  /** Seconds since the epoch, rising, and how many hits each had. */
  readonly #seconds: number[] = [];
  readonly #hits: number[] = [];
  #total = 0;

  /** Hits that count at this second. */
  count(second: number): number {
    const now = this.#settle(second);
    let gone = 0;
    while (gone < this.#seconds.length && now - (this.#seconds[gone] ?? 0) > windowSeconds) gone++;
    if (gone === 0) return this.#total;
    this.#seconds.splice(0, gone);
    for (const hits of this.#hits.splice(0, gone)) this.#total -= hits;
    return this.#total;
  }

  add(second: number): void {
    const now = this.#settle(second);
    const last = this.#seconds.length - 1;
    this.#total++;
    if (this.#seconds[last] === now) this.#hits[last] = (this.#hits[last] ?? 0) + 1;
    else {
      this.#seconds.push(now);
      this.#hits.push(1);
    }
  }

  /** The second from which on fewer than `limit` hits count, when no more come. */
  freeAt(limit: number): number {
    let left = this.#total;
    for (const [at, second] of this.#seconds.entries()) {
      if (left < limit) break;
      left -= this.#hits[at] ?? 0;
      if (left < limit) return second + windowSeconds + 1;
    }
    return 0;
  }

  /**
   * A clock that was set back a little stands still until it is where it was. One that was set back by more than the
   * window would stand for long, so everything counts as if it had come now.
   */
  #settle(second: number): number {
    const last = this.#seconds.at(-1) ?? second;
    if (second >= last) return second;
    if (last - second <= windowSeconds) return last;
    this.#seconds.splice(0, this.#seconds.length, second);
    this.#hits.splice(0, this.#hits.length, this.#total);
    return second;
  }
}
