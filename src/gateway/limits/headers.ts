import type { Quota } from './limit.ts';
import { windowSeconds } from './sliding-window.ts';

/** The fields of draft-ietf-httpapi-ratelimit-headers-07, which clients know; later drafts spell them in another way. */
export function limitHeaders({ limit, remaining, seconds }: Quota): Readonly<Record<string, string>> {
  const { perMinute } = limit;
  return {
    'ratelimit-limit': String(perMinute),
    'ratelimit-remaining': String(remaining),
    'ratelimit-reset': String(seconds),
    'ratelimit-policy': `${perMinute};w=${windowSeconds}`,
  };
}
