import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { createLastUsed } from '../platform/last-used.ts';
import type { Log } from '../platform/log.ts';
import { saveLastUsed } from './tokens-store.ts';

const onceIn = 60_000;

/** Keeps `last_used_at` true to the minute without a write per request. */
export interface TokenUsage {
  used(id: string, now: number): void;
  /** Writes what is not saved yet. */
  close(): Promise<void>;
}

export function createTokenUsage({ db, clock, log }: { db: Db; clock: Clock; log: Log }): TokenUsage {
  const noted = new Map<string, number>();
  const save = async (batch: ReadonlyMap<string, number>) => {
    // What keeps `noted` from growing: it holds no more than the tokens of a minute.
    const limit = clock() - onceIn;
    for (const [id, at] of noted) if (at <= limit) noted.delete(id);
    await saveLastUsed(db, batch);
  };
  const lastUsed = createLastUsed({ save, what: 'tokens', log });
  return {
    used(id, now) {
      const last = noted.get(id);
      if (last !== undefined && now - last < onceIn) return;
      if (lastUsed.note(id, now)) noted.set(id, now);
    },
    close: () => lastUsed.close(),
  };
}
