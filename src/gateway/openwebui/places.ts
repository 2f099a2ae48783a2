/** Places of which everybody has so many. */
export class Places {
  readonly #counts = new Map<string, number>();
  readonly #mostEach: number;
  readonly #most: number;
  #taken = 0;

  constructor(o: { each: number; all: number }) {
    this.#mostEach = o.each;
    this.#most = o.all;
  }

  get taken(): number {
    return this.#taken;
  }

  /** One more; returns what gives it back, or undefined where there is none left. */
  take(whose: string): (() => void) | undefined {
    const count = this.#counts.get(whose) ?? 0;
    if (count >= this.#mostEach || this.#taken >= this.#most) return undefined;
    this.#counts.set(whose, count + 1);
    this.#taken++;
    let isTaken = true;
    return () => {
      if (!isTaken) return;
      isTaken = false;
      this.#taken--;
      const left = (this.#counts.get(whose) ?? 1) - 1;
      if (left === 0) this.#counts.delete(whose);
      else this.#counts.set(whose, left);
    };
  }
}
