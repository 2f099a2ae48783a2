import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import { createLastUsed } from '../../platform/last-used.ts';
import type { Log } from '../../platform/log.ts';
import { SealedCredential } from './sealed-credential.ts';
import { saveLastUsed } from './vault-store.ts';

/** Whether a key is still in use is a question of days. */
const onceIn = 10 * 60_000;

/** Keeps `last_used_at` true to ten minutes without a write for each call. */
export interface KeyUsage {
  /** Costs a comparison; what is no stored key, such as an account, is passed over. */
  used(credential: unknown): void;
  /** Writes what is not saved yet. */
  close(): Promise<void>;
}

export function createKeyUsage({ db, clock, log }: { db: Db; clock: Clock; log: Log }): KeyUsage {
  const lastUsed = createLastUsed({ save: (batch) => saveLastUsed(db, batch), what: 'keys', log });
  return {
    used(credential) {
      if (!(credential instanceof SealedCredential)) return;
      const now = clock();
      if (now - credential.notedAt < onceIn) return;
      if (lastUsed.note(credential.id, now)) credential.notedAt = now;
    },
    close: () => lastUsed.close(),
  };
}
