import { createHmac, randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { RedisLink } from '../../platform/redis/contract.ts';
import { keyOf, type Limit } from './limit.ts';
import { countScript, tellScript } from './count-script.ts';
import type { Ceiling, Held } from './under-way.ts';

/** What all replicas have counted. */
export interface SharedCounts {
  /** Is it worth asking at this moment? */
  isUsable(): boolean;
  /** Counts a call with all of the limits, or with none, and notes it as under way. Rejects when there is no answer. */
  take(limits: readonly Limit[], held: readonly (Ceiling & Held)[]): Promise<Taken>;
  /** So many calls are under way in this process. */
  tell(held: readonly Held[]): Promise<unknown>;
  /** These, and no others: an end of which nobody could be told makes room with this, or with the end of a lease. */
  tellAll(held: readonly Held[]): Promise<unknown>;
  awaySince(): Date | null;
  close(): Promise<void>;
}

export interface Taken {
  /** The ceiling under which all have as many calls under way as may be; null: none. Then nothing was counted. */
  readonly ceiling: number | null;
  /** The limit that has no room for the longest time, and how long in milliseconds; null: the call was counted. */
  readonly full: { readonly at: number; readonly milliseconds: number } | null;
  /** Calls of each limit that count, this one included when it was counted. */
  readonly counts: readonly number[];
}

const mostNames = 50_000;
/** Told at a time, when all of them are. */
const mostTold = 500;

/** Counts in Redis, under names that say nothing to whoever reads them: `key` is a secret of the installation. */
export function redisCounts(link: RedisLink, key: Buffer): SharedCounts {
  const names = new LRUCache<string, string>({ max: mostNames });
  const hidden = (prefix: string, plain: string) => {
    const known = names.get(prefix + plain) ?? named(prefix, plain, key);
    names.set(prefix + plain, known);
    return known;
  };
  const nameOf = (limit: Limit) => hidden('', keyOf(limit));
  const heldName = ({ kind, id }: Held) => hidden('-at-once', `${kind} ${id}`);
  // Of this process alone: one that takes its place has other calls under way.
  const self = randomUUID();
  const tell = async (held: readonly Held[]) => {
    for (let at = 0; at < held.length && link.isUsable(); at += mostTold) {
      const some = held.slice(at, at + mostTold);
      await link.run(tellScript, some.map(heldName), [self, ...some.map(({ calls }) => calls)]);
    }
  };
  return {
    isUsable: () => link.isUsable(),
    async take(limits, held) {
      const ceilings = held.flatMap(({ atOnce, calls }) => [atOnce, calls]);
      const values = [limits.length, self, ...limits.map(({ perMinute }) => perMinute), ...ceilings];
      const answer = await link.run(countScript, [...limits.map(nameOf), ...held.map(heldName)], values);
      return takenFrom(answer, limits.length);
    },
    tell,
    tellAll: tell,
    awaySince: () => link.awaySince(),
    close: () => link.close(),
  };
}

/** In braces: a cluster keeps all of them in one place, or no script could count them together. */
function named(prefix: string, plain: string, key: Buffer): string {
  return `{toolgate-limits}${prefix}:${createHmac('sha256', key).update(plain).digest('base64url')}`;
}

function takenFrom(answer: unknown, length: number): Taken {
  const isList = Array.isArray(answer) && answer.length === length + 2;
  if (!isList || !answer.every((one) => typeof one === 'number')) throw new Error('Redis counted strangely');
  const [at = 0, milliseconds = 0, ...counts] = answer;
  if (at > length) return { ceiling: at - length - 1, full: null, counts: [] };
  return { ceiling: null, full: at === 0 ? null : { at: at - 1, milliseconds }, counts };
}
