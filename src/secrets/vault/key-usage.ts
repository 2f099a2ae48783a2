import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { SealedCredential } from './sealed-credential.ts';
import { saveLastUsed } from './vault-store.ts';

/** Whether a key is still in use is a question of days. */
const onceIn = 10 * 60_000;
const flushEvery = 5_000;
/** Beyond this many unsaved keys, further uses are not noted: the time of last use is a hint, not a record. */
const maxUnsaved = 50_000;

/** Keeps `last_used_at` true to ten minutes without a write for each call. */
export interface KeyUsage {
  /** Costs a comparison; what is no stored key, such as an account, is passed over. */
  used(credential: unknown): void;
  /** Writes what is not saved yet. */
  close(): Promise<void>;
}

export function createKeyUsage(o: { db: Db; clock: Clock; log: Log }): KeyUsage {
  let unsaved = new Map<string, number>();
  let saving: Promise<void> | undefined;

  async function save(): Promise<void> {
    const batch = unsaved;
    unsaved = new Map();
    try {
      if (batch.size > 0) await saveLastUsed(o.db, batch);
    } catch (error) {
      for (const [id, at] of batch) if (!unsaved.has(id)) unsaved.set(id, at);
      o.log.warn({ error: messageOf(error) }, 'the time of last use of keys could not be saved yet');
    }
  }

  const flush = () => (saving ??= save().finally(() => (saving = undefined)));
  const timer = setInterval(() => void flush(), flushEvery).unref();

  return {
    used(credential) {
      if (!(credential instanceof SealedCredential)) return;
      const now = o.clock();
      if (now - credential.notedAt < onceIn || unsaved.size >= maxUnsaved) return;
      credential.notedAt = now;
      unsaved.set(credential.id, now);
    },
    async close() {
      clearInterval(timer);
      await saving;
      await flush();
    },
  };
}
