import { messageOf } from './errors.ts';
import type { Log } from './log.ts';

const flushEvery = 5_000;
/** Beyond this many that are not saved, further uses are not noted: the time of last use is a hint, not a record. */
const maxUnsaved = 50_000;

/** When things were used last, saved in batches instead of with each call. */
export interface LastUsed {
  /** False where too many wait to be saved. */
  note(id: string, at: number): boolean;
  /** Writes what is not saved yet. */
  close(): Promise<void>;
}

export function createLastUsed(o: {
  save: (batch: ReadonlyMap<string, number>) => Promise<void>;
  /** For the log, in the plural. */
  what: string;
  log: Log;
}): LastUsed {
  let unsaved = new Map<string, number>();
  let saving: Promise<void> | undefined;

  async function save(): Promise<void> {
    const batch = unsaved;
    unsaved = new Map();
    try {
      if (batch.size > 0) await o.save(batch);
    } catch (error) {
      for (const [id, at] of batch) if (!unsaved.has(id)) unsaved.set(id, at);
      o.log.warn({ error: messageOf(error) }, `the time of last use of ${o.what} could not be saved yet`);
    }
  }

  const flush = () => (saving ??= save().finally(() => (saving = undefined)));
  const timer = setInterval(() => void flush(), flushEvery).unref();

  return {
    note(id, at) {
      if (unsaved.size >= maxUnsaved) return false;
      unsaved.set(id, at);
      return true;
    },
    async close() {
      clearInterval(timer);
      await saving;
      await flush();
    },
  };
}
