import { createHmac } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RedisLink } from '../../platform/redis/contract.ts';
import { keyOf, type Limit } from './limit.ts';
import { countScript } from './count-script.ts';

/** What all replicas have counted. */
export interface SharedCounts {
  /** Is it worth asking at this moment? */
  isUsable(): boolean;
  /** Counts a call with all of the limits, or with none. Rejects when there is no answer. */
  take(limits: readonly Limit[]): Promise<Taken>;
  /** Counts a request that was let in already, room or not. */
  add(limits: readonly Limit[]): Promise<Taken>;
  awaySince(): Date | null;
  close(): Promise<void>;
}

export interface Taken {
  /** The limit that has no room for the longest time, and how long in milliseconds; null: the call was counted. */
  readonly full: { readonly at: number; readonly milliseconds: number } | null;
  /** Calls of each limit that count, this one included when it was counted. */
  readonly counts: readonly number[];
}

const mostNames = 50_000;
const anyRoom = -1;

/** Counts in Redis, under names that say nothing to whoever reads them: `key` is a secret of the installation. */
export function redisCounts(link: RedisLink, key: Buffer): SharedCounts {
  const names = new LRUCache<string, string>({ max: mostNames });
  const nameOf = (limit: Limit) => {
    const plain = keyOf(limit);
    const known = names.get(plain) ?? hidden(plain, key);
    names.set(plain, known);
    return known;
  };
  const run = async (limits: readonly Limit[], most: (limit: Limit) => number) =>
    takenFrom(await link.run(countScript, limits.map(nameOf), limits.map(most)), limits.length);
  return {
    isUsable: () => link.isUsable(),
    take: (limits) => run(limits, ({ perMinute }) => perMinute),
    add: (limits) => run(limits, () => anyRoom),
    awaySince: () => link.awaySince(),
    close: () => link.close(),
  };
}

/** In braces: a cluster keeps all of them in one place, or no script could count them together. */
function hidden(plain: string, key: Buffer): string {
  return `{toolgate-limits}:${createHmac('sha256', key).update(plain).digest('base64url')}`;
}

function takenFrom(answer: unknown, length: number): Taken {
  const isList = Array.isArray(answer) && answer.length === length + 2;
  if (!isList || !answer.every((one) => typeof one === 'number')) throw new Error('Redis counted strangely');
  const [at = 0, milliseconds = 0, ...counts] = answer;
  return { full: at === 0 ? null : { at: at - 1, milliseconds }, counts };
}
