/** So many calls under way at a time. */
export interface Ceiling {
  readonly kind: 'user' | 'tenant' | 'server';
  readonly id: string;
  readonly atOnce: number;
}

export type Entry =
  | { readonly ok: true; readonly leave: () => void }
  | { readonly ok: false; readonly full: Ceiling };

/** Calls under way in this process. */
export class UnderWay {
  readonly #kinds = {
    user: new Map<string, number>(),
    tenant: new Map<string, number>(),
    server: new Map<string, number>(),
  };

  /** Lets a call in under all of its ceilings, or under none. `leave` may be called more than once. */
  enter(ceilings: readonly Ceiling[]): Entry {
    const full = ceilings.find(({ kind, id, atOnce }) => (this.#kinds[kind].get(id) ?? 0) >= atOnce);
    if (full) return { ok: false, full };
    for (const { kind, id } of ceilings) this.#change(kind, id, 1);
    let isIn = true;
    const leave = () => {
      if (!isIn) return;
      isIn = false;
      for (const { kind, id } of ceilings) this.#change(kind, id, -1);
    };
    return { ok: true, leave };
  }

  /** Those with the most calls under way. */
  top(kind: Ceiling['kind'], most: number): { id: string; calls: number }[] {
    const all = [...this.#kinds[kind]].map(([id, calls]) => ({ id, calls }));
    return all.sort((a, b) => b.calls - a.calls).slice(0, most);
  }

  #change(kind: Ceiling['kind'], id: string, by: 1 | -1): void {
    const calls = (this.#kinds[kind].get(id) ?? 0) + by;
    if (calls > 0) this.#kinds[kind].set(id, calls);
    else this.#kinds[kind].delete(id);
  }
}
