interface Waiting {
  readonly go: () => void;
}

export interface TurnsOptions {
  /** So many at a time, of everybody and in all. */
  readonly each: number;
  readonly all: number;
  /** So many of everybody and in all wait, and so long, in milliseconds. */
  readonly waiting: number;
  readonly allWaiting: number;
  readonly waitMs: number;
}

/** Turns of which everybody has a share. Those who wait are let in by whose they are in turn: a long line delays its own. */
export class Turns {
  readonly #o: TurnsOptions;
  readonly #taken = new Map<string, number>();
  /** The first is the next whose turn it is. */
  readonly #lines = new Map<string, Set<Waiting>>();
  #all = 0;
  #allWaiting = 0;

  constructor(o: TurnsOptions) {
    this.#o = o;
  }

  /** Does this in its turn. Rejects with `none()` when there is no room, or none in time. */
  async take<T>(whose: string, act: () => Promise<T>, none: () => Error): Promise<T> {
    if (this.#isFree(whose)) this.#enter(whose);
    else await this.#wait(whose, none);
    try {
      return await act();
    } finally {
      this.#leave(whose);
    }
  }

  #isFree(whose: string): boolean {
    return this.#all < this.#o.all && (this.#taken.get(whose) ?? 0) < this.#o.each;
  }

  #enter(whose: string): void {
    this.#all++;
    this.#taken.set(whose, (this.#taken.get(whose) ?? 0) + 1);
  }

  #leave(whose: string): void {
    this.#all--;
    const left = (this.#taken.get(whose) ?? 1) - 1;
    if (left === 0) this.#taken.delete(whose);
    else this.#taken.set(whose, left);
    this.#callNext();
  }

  #wait(whose: string, none: () => Error): Promise<void> {
    const line = this.#lines.get(whose) ?? new Set();
    if (line.size >= this.#o.waiting || this.#allWaiting >= this.#o.allWaiting) return Promise.reject(none());
    this.#lines.set(whose, line);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.#strike(whose, one);
        reject(none());
      }, this.#o.waitMs).unref();
      const one: Waiting = {
        go: () => {
          clearTimeout(timer);
          resolve();
        },
      };
      line.add(one);
      this.#allWaiting++;
    });
  }

  #strike(whose: string, one: Waiting): void {
    const line = this.#lines.get(whose);
    if (line?.delete(one)) this.#allWaiting--;
    if (line?.size === 0) this.#lines.delete(whose);
  }

  #callNext(): void {
    for (const [whose, line] of this.#lines) {
      const [one] = line;
      if (!one || !this.#isFree(whose)) continue;
      this.#strike(whose, one);
      if (line.size > 0) {
        // To the end.
        this.#lines.delete(whose);
        this.#lines.set(whose, line);
      }
      this.#enter(whose);
      return one.go();
    }
  }
}
