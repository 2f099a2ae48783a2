import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import type { Era } from '../rpc/protocol.ts';
import { Circuit } from './circuit.ts';
import type { Target } from './target.ts';

/** What is known of a server as one target reaches it in one era: it outlives connections, and all of them share it. */
export class Standing {
  readonly circuit: Circuit;
  /** Requests that went to the server, and those that it failed. */
  calls = 0;
  failures = 0;
  /** Connections that were made again after they had broken. */
  restarts = 0;
  /** In milliseconds since the epoch; 0: never. */
  lastUsedAt = 0;
  lastCheckAt = 0;
  /** The sentence of the error is safe to show. */
  lastError: { readonly message: string; readonly at: number } | undefined;
  /** It leaves pings unanswered, so something else has to show that it is alive. */
  isDeafToPings = false;

  constructor(name: string, clock: Clock) {
    this.circuit = new Circuit(name, clock);
  }

  noted(error: unknown, at: number): void {
    this.failures++;
    if (error instanceof Error) this.lastError = { message: error.message, at };
  }
}

export interface Known {
  readonly target: Target;
  readonly era: Era;
  readonly standing: Standing;
}

const mostKept = 10_000;

export class Standings {
  readonly #clock: Clock;
  readonly #all = new LRUCache<string, Known>({ max: mostKept });

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of(target: Target, era: Era): Standing {
    const key = `${era}|${target.key}`;
    const known = this.#all.get(key);
    if (known) return known.standing;
    const standing = new Standing(target.server.id, this.#clock);
    this.#all.set(key, { target, era, standing });
    return standing;
  }

  all(): Known[] {
    return [...this.#all.values()];
  }

  forget(isOver: (target: Target) => boolean): void {
    for (const [key, { target }] of [...this.#all.entries()]) if (isOver(target)) this.#all.delete(key);
  }
}
