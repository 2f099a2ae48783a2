// What was sent to the gate and how it was answered. Each request has a mark of its own as its User-Agent, which its
// record keeps: `load/<kind>/<number>`.
import { setTimeout as wait } from 'node:timers/promises';

/** A call that takes longer will never end. */
const hangsMs = 120_000;

/** What became of a request: nothing yet, an answer whose head came, or none. */
const states = { open: 0, answered: 1, unanswered: 2 } as const;

export interface Mark {
  readonly agent: string;
  answered(status: number): void;
  /** The connection broke, or the client itself left before there was an answer. */
  unanswered(why: unknown): void;
}

export class Requests {
  /** By number, from 0. */
  readonly #states: number[] = [];
  readonly statuses = new Map<number, number>();
  readonly troubles = new Map<string, number>();
  readonly kind: string;

  constructor(kind: string) {
    this.kind = kind;
  }

  get sent(): number {
    return this.#states.length;
  }

  count(state: keyof typeof states): number {
    return this.#states.filter((one) => one === states[state]).length;
  }

  wasAnswered(at: number): boolean {
    return this.#states[at] === states.answered;
  }

  next(): Mark {
    const at = this.#states.push(states.open) - 1;
    return {
      agent: `load/${this.kind}/${at}`,
      answered: (status) => {
        this.#states[at] = states.answered;
        add(this.statuses, status);
      },
      unanswered: (why) => {
        this.#states[at] = states.unanswered;
        add(this.troubles, shortened(why));
      },
    };
  }
}

/** Calls of one kind as their clients saw them. */
export class Calls {
  readonly milliseconds: number[] = [];
  readonly errors = new Map<string, number>();

  get failed(): number {
    return [...this.errors.values()].reduce((sum, one) => sum + one, 0);
  }

  percentile(share: number): number {
    const sorted = this.milliseconds.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  }
}

export class Ledger {
  readonly requests = new Map<string, Requests>();
  readonly calls = new Map<string, Calls>();

  mark(kind: string): Mark {
    return found(this.requests, kind, () => new Requests(kind)).next();
  }

  /** Measures a call; `call` resolves with undefined when it went well, else with what the client was told. */
  async timed(kind: string, call: () => Promise<string | undefined>): Promise<void> {
    const calls = found(this.calls, kind, () => new Calls());
    const began = performance.now();
    const late = new AbortController();
    const hung = wait(hangsMs, 'it was still hanging after two minutes', { signal: late.signal });
    const error = await Promise.race([call(), hung]).catch(shortened);
    late.abort();
    hung.catch(() => undefined);
    calls.milliseconds.push(performance.now() - began);
    if (error !== undefined) add(calls.errors, shortened(error));
  }

  /** Forgets how long calls took, such as the first ones; what was sent stays. */
  forgetCalls(): void {
    this.calls.clear();
  }
}

/** `fetch` whose requests to the gate are marked. `redirect` says where each goes, which of the replicas. */
export function markingFetch(
  ledger: Ledger,
  kind: string,
  o: { readonly origins: readonly string[]; readonly redirect?: (url: URL) => URL },
): typeof fetch {
  return async (input, init) => {
    const url = new URL(input instanceof Request ? input.url : input);
    if (!o.origins.includes(url.origin)) return fetch(input, init);
    const mark = ledger.mark(kind);
    const headers = new Headers(init?.headers);
    headers.set('user-agent', mark.agent);
    try {
      const response = await fetch(o.redirect?.(url) ?? url, { ...init, headers });
      mark.answered(response.status);
      return response;
    } catch (error) {
      mark.unanswered(error);
      throw error;
    }
  };
}

/** Numbers and ids differ from call to call and say nothing. */
function shortened(why: unknown): string {
  const text = why instanceof Error ? `${why.message}${causeOf(why)}` : String(why);
  return text
    .replaceAll(/[\da-f]{8}-[\da-f-]{27}/g, 'ID')
    .replaceAll(/\d+/g, 'N')
    .replaceAll(/\s+/g, ' ')
    .slice(0, 140);
}

function causeOf({ cause }: Error): string {
  return cause instanceof Error ? ` (${cause.message})` : '';
}

function add<K>(counts: Map<K, number>, key: K): void {
  counts.set(key, (counts.get(key) ?? 0) + 1);
}

function found<K, V>(map: Map<K, V>, key: K, make: () => V): V {
  const value = map.get(key) ?? make();
  map.set(key, value);
  return value;
}
