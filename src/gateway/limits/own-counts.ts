import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import { keyOf, type Limit, type LimitKind, type Over } from './limit.ts';
import { SlidingWindow, windowSeconds } from './sliding-window.ts';

/** What this process knows of one limit. */
interface Count {
  readonly limit: Limit;
  /** Calls that passed here. */
  readonly own: SlidingWindow;
  /** Calls that had passed elsewhere when the other replicas were last heard of, and when that was. */
  elsewhere: number;
  elsewhereAt: number;
  /** The replicas together have no room until then, in milliseconds; for a limit of this height. */
  fullUntil: number;
  fullAt: number;
}

/** Kept of each kind, the last used: a flood of addresses must not push out what people have used. */
const mostOfAKind = 50_000;

/** Counts of this process alone. Nothing here waits. */
export class OwnCounts {
  readonly #clock: Clock;
  readonly #kinds = new Map<LimitKind, LRUCache<string, Count>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** The limit with the longest wait of those that certainly have no room; undefined: all may have some. */
  over(limits: readonly Limit[], isAlone: boolean): Over | undefined {
    let longest: Over | undefined;
    for (const limit of limits) {
      const seconds = this.#wait(limit, isAlone);
      if (seconds > (longest?.seconds ?? 0)) longest = { limit, seconds };
    }
    return longest;
  }

  add(limits: readonly Limit[]): void {
    const second = this.#second();
    for (const limit of limits) this.#of(limit).own.add(second);
  }

  /** The replicas have counted so many together. */
  learn(limit: Limit, together: number): void {
    const count = this.#of(limit);
    const second = this.#second();
    count.elsewhere = Math.max(0, together - count.own.count(second));
    count.elsewhereAt = second;
  }

  /** The replicas have no room for so long. Nothing makes room sooner, so nobody need ask before. */
  learnFull(limit: Limit, milliseconds: number): void {
    const count = this.#of(limit);
    count.fullUntil = this.#clock() + milliseconds;
    count.fullAt = limit.perMinute;
  }

  /** Calls that count, as far as this process knows; and for how long the oldest of its own does. */
  state(limit: Limit): { used: number; seconds: number } {
    const second = this.#second();
    const count = this.#of(limit);
    const own = count.own.count(second);
    const until = count.own.freeAt(own);
    return { used: own + elsewhere(count, second), seconds: Math.max(0, until - second) };
  }

  /** The fullest counts of a kind, of this process alone. */
  top(kind: LimitKind, most: number): { limit: Limit; used: number }[] {
    const second = this.#second();
    const all = [...(this.#kinds.get(kind)?.values() ?? [])];
    return all
      .map(({ limit, own }) => ({ limit, used: own.count(second) }))
      .filter(({ used }) => used > 0)
      .sort((a, b) => b.used - a.used)
      .slice(0, most);
  }

  #wait(limit: Limit, isAlone: boolean): number {
    const now = this.#clock();
    const count = this.#kinds.get(limit.kind)?.get(keyOf(limit));
    if (!count) return 0;
    const second = Math.floor(now / 1000);
    const own = count.own.count(second);
    const away = isAlone ? elsewhere(count, second) : 0;
    const left = count.fullAt === limit.perMinute ? count.fullUntil - now : 0;
    // No wait is that long: the clock was set back.
    const full = left > longestMs ? 0 : left;
    if (own + away < limit.perMinute) return Math.max(0, Math.ceil(full / 1000));
    // Of the calls elsewhere it is only known that all have left the window by then.
    const ownFree = own >= limit.perMinute ? count.own.freeAt(limit.perMinute) : 0;
    const free = Math.max(ownFree, away > 0 ? count.elsewhereAt + windowSeconds + 1 : 0);
    return Math.max(1, free - second, Math.ceil(full / 1000));
  }

  #of(limit: Limit): Count {
    const kind = this.#kinds.get(limit.kind) ?? new LRUCache<string, Count>({ max: mostOfAKind });
    this.#kinds.set(limit.kind, kind);
    const key = keyOf(limit);
    const known = kind.get(key);
    if (known?.limit.perMinute === limit.perMinute) return known;
    const none = { own: new SlidingWindow(), elsewhere: 0, elsewhereAt: 0, fullUntil: 0, fullAt: 0 };
    const count = { ...(known ?? none), limit };
    kind.set(key, count);
    return count;
  }

  #second(): number {
    return Math.floor(this.#clock() / 1000);
  }
}

const longestMs = (windowSeconds + 1) * 1_000;

function elsewhere(count: Count, second: number): number {
  return Math.abs(second - count.elsewhereAt) > windowSeconds ? 0 : count.elsewhere;
}
