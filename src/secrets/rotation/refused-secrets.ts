import { createHash } from 'node:crypto';
import type { Db } from '../../platform/db/index.ts';
import { type AppError, messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import type { Binding } from '../binding.ts';
import { recordRefused } from './refused-store.ts';

/** Stored texts that do not belong where they are. Each is told once, whichever process meets it first. */
export interface RefusedSecrets {
  /** Never throws and never waits. */
  refused(binding: Binding, sealed: string, error: AppError): void;
  /** Resolves when everything so far is written, or given up. */
  close(): Promise<void>;
}

/** Beyond this many, known texts are asked for in the database again. */
const mostKnown = 10_000;
/** Beyond this many under way, more are written to the log alone. */
const mostUnderWay = 50;

export function createRefusedSecrets({ db, log }: { db: Db; log: Log }): RefusedSecrets {
  const known = new Set<string>();
  const underWay = new Set<Promise<void>>();
  const write = async (binding: Binding, digest: string, reason: string) => {
    try {
      await recordRefused(db, { binding, digest, reason });
    } catch (error) {
      // The next call with it tries again.
      known.delete(digest);
      log.error({ error: messageOf(error) }, 'a refused secret could not be written to the audit log');
    }
  };
  return {
    refused(binding, sealed, error) {
      const digest = digestOf(binding, sealed);
      if (known.has(digest)) return;
      if (known.size >= mostKnown) known.clear();
      known.add(digest);
      const { tenant, owner, server, name } = binding;
      log.error({ tenant, owner, server, name, reason: error.message }, 'a stored secret is refused');
      if (underWay.size >= mostUnderWay) return void known.delete(digest);
      const work = write(binding, digest, error.message).finally(() => underWay.delete(work));
      underWay.add(work);
    },
    async close() {
      await Promise.all(underWay);
    },
  };
}

/** Names this text at this place; gives nothing of it away. */
function digestOf({ tenant, owner, server, name }: Binding, sealed: string): string {
  const place = JSON.stringify([tenant, owner.level, owner.id, server, name, sealed]);
  return createHash('sha256').update(place).digest('base64url').slice(0, 22);
}
