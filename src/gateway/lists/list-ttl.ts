import type { Hello } from '../upstreams/handshake.ts';
import type { FetchedList } from './fetch-list.ts';

/** How often a list is asked for anew where nobody announces changes, in milliseconds. */
export const defaultTtl = 60_000;
/** Servers that announce changes are trusted, but not for ever. */
const announcedTtl = 600_000;
export const shortestTtl = 1_000;
/** A server that is not running is not started just to see whether its list is the same. */
export const restingTtl = 3_600_000;

/** How long these lists are believed. */
export function ttlOf(hello: Hello, fetched: readonly (FetchedList | undefined)[]): number {
  const announces = JSON.stringify(hello.capabilities).includes('"listChanged":true');
  const told = fetched.flatMap((list) => (list?.ttlMs === undefined ? [] : [list.ttlMs]));
  return Math.max(shortestTtl, Math.min(announces ? announcedTtl : defaultTtl, ...told));
}
