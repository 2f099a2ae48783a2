/** So many calls under way at a time. */
export interface Ceiling extends Whose {
  readonly atOnce: number;
}

interface Whose {
  readonly kind: 'user' | 'tenant' | 'server';
  readonly id: string;
}

/** How many calls of somebody, or to something, are under way in this process. */
export interface Held extends Whose {
  readonly calls: number;
}

export type Entry =
  | { readonly ok: true; readonly held: readonly (Ceiling & Held)[]; readonly leave: () => void }
  | { readonly ok: false; readonly full: Ceiling };

/** Calls under way in this process. */
export class UnderWay {
  readonly #tell: (held: readonly Held[]) => void;
  readonly #kinds = {
    user: new Map<string, number>(),
    tenant: new Map<string, number>(),
    server: new Map<string, number>(),
  };

  /** `tell` hears what is left when a call has ended. */
  constructor(tell: (held: readonly Held[]) => void) {
    this.#tell = tell;
  }

  /** Lets a call in under all of its ceilings, as far as this process knows, or under none. `leave` may be called more than once. */
  enter(ceilings: readonly Ceiling[]): Entry {
    const full = ceilings.find((one) => this.#calls(one) >= one.atOnce);
    if (full) return { ok: false, full };
    const held = ceilings.map((one) => ({ ...one, calls: this.#change(one, 1) }));
    let isIn = true;
    const leave = () => {
      if (!isIn) return;
      isIn = false;
      const left = ceilings.map(({ kind, id }) => ({ kind, id, calls: this.#change({ kind, id }, -1) }));
      if (left.length > 0) this.#tell(left);
    };
    return { ok: true, held, leave };
  }

  /** Those with the most calls under way. */
  top(kind: Ceiling['kind'], most: number): { id: string; calls: number }[] {
    const all = [...this.#kinds[kind]].map(([id, calls]) => ({ id, calls }));
    return all.sort((a, b) => b.calls - a.calls).slice(0, most);
  }

  all(): Held[] {
    const kinds = ['user', 'tenant', 'server'] as const;
    return kinds.flatMap((kind) => [...this.#kinds[kind]].map(([id, calls]) => ({ kind, id, calls })));
  }

  #calls({ kind, id }: Whose): number {
    return this.#kinds[kind].get(id) ?? 0;
  }

  #change({ kind, id }: Whose, by: 1 | -1): number {
    const calls = this.#calls({ kind, id }) + by;
    if (calls > 0) this.#kinds[kind].set(id, calls);
    else this.#kinds[kind].delete(id);
    return calls;
  }
}
