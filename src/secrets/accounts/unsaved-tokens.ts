import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { makeDirectory } from '../../platform/make-directory.ts';
import type { Renewed } from './accounts-store.ts';

/** What `putRenewed` stores, and in whose scope. */
export interface KeptTokens extends Renewed {
  readonly tenant: string | null;
}

/** Renewed tokens that may not be in the database yet, sealed, in the data directory: a crash does not lose them. */
export interface UnsavedTokens {
  /** Never rejects: without a file, only a crash in the next moment would cost anything. */
  keep(renewed: KeptTokens): Promise<void>;
  forget(renewed: Pick<Renewed, 'id' | 'generation'>): Promise<void>;
  /** What waits here, or was left by an earlier process. */
  left(): Promise<KeptTokens[]>;
}

const renewedShape = z.object({
  id: z.uuid(),
  tenant: z.string().nullable(),
  generation: z.number().int(),
  sealed: z.string(),
  scopes: z.array(z.string()),
  expiresAt: z.number().nullable(),
});
const fileName = /^[0-9a-f-]{36}\.\d{1,10}\.json$/;

export function createUnsavedTokens(directory: string, log: Log): UnsavedTokens {
  const fileOf = ({ id, generation }: Pick<Renewed, 'id' | 'generation'>) =>
    path.join(directory, `${id}.${generation}.json`);
  return {
    async keep(renewed) {
      const draft = `${fileOf(renewed)}.${randomUUID()}`;
      try {
        await makeDirectory(directory);
        await writeFile(draft, JSON.stringify(renewed), { mode: 0o600 });
        // As a whole or not at all.
        await rename(draft, fileOf(renewed));
      } catch (error) {
        log.warn({ error: messageOf(error) }, 'cannot keep renewed tokens in the data directory');
        await rm(draft, { force: true }).catch(() => undefined);
      }
    },
    async forget(renewed) {
      // What stays is looked at by the next process, and found to be over.
      await rm(fileOf(renewed), { force: true }).catch(() => undefined);
    },
    async left() {
      const names = await readdir(directory).catch(() => []);
      const found = await Promise.all(
        names.filter((name) => fileName.test(name)).map((name) => read(path.join(directory, name), log)),
      );
      return found.flatMap((one) => one ?? []);
    },
  };
}

async function read(file: string, log: Log): Promise<KeptTokens | null> {
  try {
    return renewedShape.parse(JSON.parse(await readFile(file, 'utf8')));
  } catch (error) {
    log.warn({ file, error: messageOf(error) }, 'a file of renewed tokens cannot be read');
    return null;
  }
}
