import { setTimeout as sleep } from 'node:timers/promises';
import { z } from 'zod';
import type { Db } from '../../platform/db/index.ts';
import { stateOf } from '../jobs/jobs-store.ts';

/** The job that verifies the chain, by whose name what it found is kept. */
export const checkJobName = 'audit check';

/** What the last check found, whichever process made it. */
export const checkState = z
  .object({
    ok: z.boolean().default(true),
    /** When the chain, or what was kept of it elsewhere, was first found broken; null while all is well. */
    brokenSince: z.iso.datetime().nullable().default(null),
  })
  .catch({ ok: true, brokenSince: null });

/** A database that hangs must not keep anybody waiting who asks how things are. */
const longestMs = 800;

/** Answers since when the chain is found broken; what was known last while the database does not say. */
export function chainStanding(db: Db): () => Promise<Date | null> {
  let known: Date | null = null;
  return async () => {
    const asked = stateOf(db, checkJobName).then(
      (state) => {
        const { brokenSince } = checkState.parse(state);
        known = brokenSince === null ? null : new Date(brokenSince);
      },
      () => undefined,
    );
    await Promise.race([asked, sleep(longestMs, undefined, { ref: false })]);
    return known;
  };
}
