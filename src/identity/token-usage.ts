import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { saveLastUsed } from './tokens-store.ts';

const onceIn = 60_000;
const flushEvery = 5_000;
/** Beyond this many unsaved tokens, further uses are not noted: the time of last use is a hint, not a record. */
const maxUnsaved = 50_000;

/** Keeps `last_used_at` true to the minute without a write per request. */
export interface TokenUsage {
  used(id: string, now: number): void;
  /** Writes what is not saved yet. */
  close(): Promise<void>;
}

export function createTokenUsage(o: { db: Db; clock: Clock; log: Log }): TokenUsage {
  const noted = new Map<string, number>();
  let unsaved = new Map<string, number>();
  let saving: Promise<void> | undefined;

  async function save(): Promise<void> {
    const batch = unsaved;
    unsaved = new Map();
    try {
      if (batch.size > 0) await saveLastUsed(o.db, batch);
    } catch (error) {
      for (const [id, at] of batch) if (!unsaved.has(id)) unsaved.set(id, at);
      o.log.warn({ error: messageOf(error) }, 'the time of last use of tokens could not be saved yet');
    }
    forgetOld();
  }

  /** Also what keeps `noted` from growing: it never holds more than the tokens of the last minute. */
  function forgetOld(): void {
    const limit = o.clock() - onceIn;
    for (const [id, at] of noted) if (at <= limit) noted.delete(id);
  }

  const flush = () => (saving ??= save().finally(() => (saving = undefined)));
  const timer = setInterval(() => void flush(), flushEvery).unref();

  return {
    used(id, now) {
      const last = noted.get(id);
      if ((last !== undefined && now - last < onceIn) || unsaved.size >= maxUnsaved) return;
      noted.set(id, now);
      unsaved.set(id, now);
    },
    async close() {
      clearInterval(timer);
      await saving;
      await flush();
    },
  };
}
