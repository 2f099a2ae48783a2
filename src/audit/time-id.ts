import { randomUUID } from 'node:crypto';

/**
 * A UUID that begins with its time (RFC 9562, version 7): records of requests are kept in partitions by it. `at` is in
 * milliseconds since the epoch.
 */
export function timeId(at: number): string {
  const time = Math.min(Math.max(Math.trunc(at) || 0, 0), 0xffffffffffff)
    .toString(16)
    .padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
