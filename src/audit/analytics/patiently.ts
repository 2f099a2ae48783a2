import { setTimeout as sleep } from 'node:timers/promises';
import type { Log } from '../../platform/log.ts';

/** How a lock is tried for that others may hold for hours, such as a backup. */
export interface Patience {
  /** One try; whoever comes later waits behind it. */
  readonly lockMs: number;
  /** After the first try; longer after each. */
  readonly pauseMs: number;
  readonly tries: number;
}

export const usualPatience: Patience = { lockMs: 2_000, pauseMs: 5_000, tries: 10 };

const longestPauseMs = 60_000;
const lockNotAvailable = '55P03';

/** Does it as soon as a try finds its tables free, and lets the others through between tries. */
export async function patiently<T>(
  o: { readonly patience: Patience; readonly log: Log; readonly turn: { readonly signal: AbortSignal } },
  work: (brief: { readonly lockMs: number }) => Promise<T>,
): Promise<T> {
  const { lockMs, pauseMs, tries } = o.patience;
  for (let tried = 1; ; tried += 1) {
    try {
      return await work({ lockMs });
    } catch (cause) {
      if (!(cause instanceof Error && 'code' in cause && cause.code === lockNotAvailable)) throw cause;
      if (tried === tries) throw new Error(inUse, { cause });
      if (tried === 1) o.log.warn(inUse);
      await sleep(Math.min(pauseMs * tried, longestPauseMs), undefined, { signal: o.turn.signal });
    }
  }
}

const inUse =
  'The records of requests are in use by a long transaction, such as a backup: weeks are made or deleted when it has ended.';
