import { writeAudit } from '../../audit/index.ts';
import type { Actor } from '../../platform/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import { AppError } from '../../platform/errors.ts';
import type { RotationProgress, UnreadableSecret } from '../contract.ts';
import {
  masterKeyMissing,
  masterKeyNotEverywhere,
  masterKeyRetired,
  masterKeyUnusable,
} from '../master-keys/master-key-errors.ts';
import { rewrap } from '../sealing/seal.ts';
import { type FollowedKeys, usableIds } from './followed-keys.ts';
import type { Holders } from './holders.ts';
import { designate, isLeased, lockRotation } from './key-store.ts';
import { countSealed, type SealedText, textsLeft, textsWithout } from './sealed-store.ts';
import { countLeft, type Sweeper } from './sweeper.ts';

export interface RotationDeps {
  readonly db: Db;
  readonly keys: FollowedKeys;
  readonly holders: Holders;
  readonly sweeper: Sweeper;
  /** How many secrets wait outside of the database, sealed under this key, to be stored there. */
  readonly unsavedUnder: (key: string) => Promise<number>;
}

/** How many secrets an answer names; it counts all. */
export const mostNamed = 100;

/**
 * Puts another key in force and has everything sealed under it. `to`: its id; without one a key that is made for it
 * where the keys are in a file of our own, else the first that is configured. Answers when the key is in force.
 */
export async function rotate(
  { db, keys, holders, sweeper }: RotationDeps,
  to: string | undefined,
  actor: Actor,
): Promise<{ readonly to: string; readonly wasMade: boolean }> {
  const before = currentId(keys);
  const target = await db.transaction().execute(async (trx) => {
    await lockRotation(trx);
    const chosen = await chooseKey(keys, to);
    await requireEverywhere(holders, chosen.to);
    if (!(await designate(trx, chosen.to))) throw masterKeyRetired(chosen.to);
    await writeAudit(trx, {
      ...{ actor: actor.id, requestId: actor.requestId, clientIp: actor.clientIp },
      ...{ action: 'master_key.rotate', targetKind: 'master_key', targetId: chosen.to },
      ...{ before: { inForce: before }, after: { inForce: chosen.to } },
    });
    return chosen;
  });
  await keys.refresh();
  // It goes on by itself, here or wherever this process is not the one to do it.
  void sweeper.sweep();
  return target;
}

async function chooseKey(
  keys: FollowedKeys,
  to: string | undefined,
): Promise<{ readonly to: string; readonly wasMade: boolean }> {
  const { ring } = keys;
  // An operator may just have written it there.
  await ring.reload();
  if (to !== undefined) return { to: requireUsable(keys, to), wasMade: false };
  if (ring.kind !== 'data-directory') {
    const [first] = ring.held();
    return { to: requireUsable(keys, first?.key.id ?? ''), wasMade: false };
  }
  // One that was made for a rotation which then did not come about is as good as another.
  const unused = ring.held().find(({ key }) => keys.rows().every(({ id }) => id !== key.id));
  if (unused) return { to: unused.key.id, wasMade: false };
  const made = await ring.add();
  if (!made) throw masterKeyUnusable('the data directory', new Error('no key was added'));
  return { to: made.id, wasMade: true };
}

function requireUsable(keys: FollowedKeys, id: string): string {
  if (keys.rows().some((row) => row.id === id && row.retiredAt !== null)) throw masterKeyRetired(id);
  if (keys.get(id)) return id;
  throw masterKeyMissing(`This process does not have the master key ${id}.`);
}

async function requireEverywhere(holders: Holders, id: string): Promise<void> {
  const survey = await holders.ask(id);
  if (survey === null) {
    const message =
      'The other processes cannot be asked whether they have the key, as messages between them do not get through; see /gateway/ready.';
    throw masterKeyNotEverywhere(message);
  }
  if (survey.lacking === 0) return;
  const who = survey.lacking === 1 ? '1 other process has' : `${survey.lacking} other processes have`;
  const message = `${who} not got the master key ${id}: give it to every process, beside the key that is in force, restart them, and rotate then.`;
  throw masterKeyNotEverywhere(message);
}

/** How far everything is sealed under the key in force. */
export async function progressOf({ db, keys }: RotationDeps): Promise<RotationProgress> {
  const row = keys.rows().find(({ isCurrent }) => isCurrent);
  if (!row) throw masterKeyMissing('No master key is in force.');
  const left = { current: row.id, held: usableIds(keys.ring, keys.rows()) };
  const running = await isLeased(db);
  const counts = await countSealed(db);
  const total = counts.reduce((sum, { count }) => sum + count, 0);
  const done = counts
    .filter(({ form, keyId }) => form === 'v2' && keyId === row.id)
    .reduce((sum, { count }) => sum + count, 0);
  const waiting = await countLeft(db, left);
  // While a process is at it, what is left is not yet tried.
  const tried = running ? [] : await textsLeft(db, { ...left, limit: mostNamed });
  const damaged = tried.flatMap((text) => failureOf(keys, text));
  const closed = await textsWithout(db, left.held, mostNamed);
  return {
    ...{ to: row.id, askedAt: row.rotationAskedAt?.toISOString() ?? null, running, total, done },
    remaining: waiting - damaged.length,
    failed: total - done - waiting + damaged.length,
    failures: [...damaged, ...closed.map((text) => unreadable(text))].slice(0, mostNamed),
  };
}

function failureOf(keys: FollowedKeys, text: SealedText): UnreadableSecret[] {
  try {
    rewrap(keys, text.sealed, text);
    return [];
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    return [unreadable(text, 'was changed, or sealed for something else')];
  }
}

/** A secret as operators may see it: whose it is, and what it lacks. */
export function unreadable({ sealed, ...text }: SealedText, reason?: string): UnreadableSecret {
  const keyId = /^v[12]\.([0-9a-f]{8})\./.exec(sealed)?.[1] ?? null;
  const missing = keyId === null ? 'is not in a sealed form' : 'needs a master key that is not here';
  const { table, tenant, owner, server, name } = text;
  return {
    table,
    tenant,
    level: owner.level,
    owner: owner.id,
    server,
    name,
    keyId,
    reason: reason ?? missing,
  };
}

export function currentId(keys: FollowedKeys): string | null {
  return keys.rows().find(({ isCurrent }) => isCurrent)?.id ?? null;
}
