import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import { isMoreVerbose, type LogLevel } from '../rpc/log-level.ts';

/** How long a wish counts after its owner was last heard of, in milliseconds. */
const remembered = 600_000;
const mostWishes = 10_000;
/** How often it is looked whether the server may say less, in milliseconds. */
const lookEvery = 60_000;

/**
 * The log level of one legacy connection, which many share and which has but one: the most verbose that anyone wants
 * at the moment. What each of them gets to see of it is decided where messages are passed on.
 */
export class LogLevels {
  readonly #set: (level: LogLevel) => Promise<unknown>;
  readonly #clock: Clock;
  readonly #wishes: LRUCache<string, { readonly level: LogLevel; readonly at: number }>;
  #current: LogLevel | undefined;
  #lookAt = 0;

  /** `set` tells the server, and must not reject. */
  constructor(set: (level: LogLevel) => Promise<unknown>, clock: Clock) {
    this.#set = set;
    this.#clock = clock;
    this.#wishes = new LRUCache({ max: mostWishes });
  }

  /** A new session: the server has forgotten what it was told. */
  begin(): void {
    this.#current = undefined;
    const level = this.#mostVerbose();
    if (level) void this.#tell(level);
  }

  /** Resolves when the server says at least as much as this user wants to hear. */
  async want(user: string, level: LogLevel): Promise<void> {
    const now = this.#clock();
    const before = this.#wishes.get(user)?.level;
    this.#wishes.set(user, { level, at: now });
    if (isMoreVerbose(level, this.#current)) return this.#tell(level);
    const saysLess = before !== undefined && before !== level && before === this.#current;
    if (saysLess || now >= this.#lookAt) this.#lower(now);
    return undefined;
  }

  release(user: string): void {
    this.#wishes.delete(user);
  }

  #lower(now: number): void {
    this.#lookAt = now + lookEvery;
    const level = this.#mostVerbose();
    if (level !== undefined && level !== this.#current) void this.#tell(level);
  }

  async #tell(level: LogLevel): Promise<void> {
    this.#current = level;
    await this.#set(level);
  }

  #mostVerbose(): LogLevel | undefined {
    const since = this.#clock() - remembered;
    let most: LogLevel | undefined;
    for (const { level, at } of this.#wishes.values()) {
      if (at >= since && isMoreVerbose(level, most)) most = level;
    }
    return most;
  }
}
