import { LRUCache } from 'lru-cache';
import type { Clock } from '../platform/clock.ts';

export interface RateLimiter {
  /** Counts one request; the seconds to wait when it is one too many, else 0. */
  hit(key: string, limit: number): number;
}

interface Window {
  start: number;
  count: number;
  previous: number;
}

const windowMs = 60_000;
const mostKeys = 100_000;

/**
 * Requests per minute in a sliding window: the last minute's count is weighed by how much of it still lies
 * in the window. In the memory of this process.
 */
export function createLimiter(clock: Clock): RateLimiter {
  const windows = new LRUCache<string, Window>({ max: mostKeys });
  return {
    hit(key, limit) {
      const now = clock();
      const window = current(windows, key, now);
      const elapsed = (now - window.start) / windowMs;
      if (window.previous * (1 - elapsed) + window.count >= limit)
        return Math.max(1, Math.ceil(((1 - elapsed) * windowMs) / 1000));
      window.count++;
      return 0;
    },
  };
}

/**
 * Seconds to wait for an address that asked too often, else 0; nothing is limited where `perMinute` is null. `isExempt`
 * is asked with the `Authorization` header, and only about a request that would be one too many.
 */
export function createAddressLimit(
  perMinute: number | null,
  isExempt: (authorization: string | undefined) => boolean,
  clock: Clock,
): (address: string, authorization: string | undefined) => number {
  const limiter = createLimiter(clock);
  return (address, authorization) => {
    const wait = perMinute === null ? 0 : limiter.hit(address, perMinute);
    return wait > 0 && isExempt(authorization) ? 0 : wait;
  };
}

function current(windows: LRUCache<string, Window>, key: string, now: number): Window {
  const start = now - (now % windowMs);
  const found = windows.get(key);
  if (found?.start === start) return found;
  const previous = found?.start === start - windowMs ? found.count : 0;
  const made = { start, count: 0, previous };
  windows.set(key, made);
  return made;
}
