import { LRUCache } from 'lru-cache';

const mostKept = 50_000;

/** Equal things as one: what many have the same of is there once, for as long as any of them has it. */
export class Shared<T extends object> {
  readonly #kept = new LRUCache<string, WeakRef<T>>({ max: mostKept });

  /** The one that is kept under the key, else this one from here on. Whoever has the same key has the same thing. */
  of(key: string, value: T): T {
    const known = this.#kept.get(key)?.deref();
    if (known !== undefined) return known;
    this.#kept.set(key, new WeakRef(value));
    return value;
  }
}
