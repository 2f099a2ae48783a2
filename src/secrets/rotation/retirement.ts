import { writeAudit } from '../../audit/index.ts';
import type { Actor } from '../../platform/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import {
  confirmationNeeded,
  masterKeyNeeded,
  masterKeyNotEverywhere,
  masterKeyUnknown,
} from '../master-keys/master-key-errors.ts';
import { knowKey, lockKey, lockRotation, markRetired } from './key-store.ts';
import { type RotationDeps, unreadable } from './rotation.ts';
import { countSealed, deleteSealedUnder } from './sealed-store.ts';

export interface Retirement {
  readonly id: string;
  /** Delete what only this key opens. For a key that is lost. */
  readonly deleteSecrets: boolean;
  /** The id once more, because what is deleted does not come back. */
  readonly confirm: string | undefined;
}

/** How many deleted secrets the audit log names; it counts all. */
const mostNamed = 100;

/** Gives a key up for good. Refused while something needs it; answers how many secrets were deleted. */
export async function retire(
  deps: RotationDeps,
  what: Retirement,
  actor: Actor,
): Promise<{ deleted: number }> {
  const { db, keys } = deps;
  await requireKnown(deps, what.id);
  if (what.deleteSecrets) await requireLost(deps, what.id);
  await knowKey(db, what.id);
  const deleted = await db.transaction().execute(async (trx) => {
    await lockRotation(trx);
    const row = await lockKey(trx, what.id);
    if (row?.isCurrent)
      throw masterKeyNeeded(`The master key ${what.id} is in force; rotate to another one first.`);
    const count = await needing(trx, what.id);
    if (!what.deleteSecrets) await requireSaved(deps, what.id);
    const texts = count === 0 ? [] : await deleteThem(trx, what, count);
    await markRetired(trx, what.id);
    await writeAudit(trx, {
      ...{ actor: actor.id, requestId: actor.requestId, clientIp: actor.clientIp },
      ...{ action: 'master_key.retire', targetKind: 'master_key', targetId: what.id },
      after: { deletedSecrets: count, deleted: texts },
    });
    return count;
  });
  await keys.refresh();
  return { deleted };
}

async function needing(db: Db, id: string): Promise<number> {
  const counts = await countSealed(db);
  return counts.filter(({ keyId }) => keyId === id).reduce((sum, { count }) => sum + count, 0);
}

/** What waits to be stored would be refused by then. Other processes’ files cannot be counted here. */
async function requireSaved({ unsavedUnder }: RotationDeps, id: string): Promise<void> {
  const count = await unsavedUnder(id);
  if (count === 0) return;
  const tokens =
    count === 1 ? '1 renewed token of an account waits' : `${count} renewed tokens of accounts wait`;
  throw masterKeyNeeded(
    `${tokens} in unsaved-tokens of the data directory to be stored, sealed under the master key ${id}: try again in a moment, or after a restart.`,
  );
}

async function deleteThem(trx: Db, { id, deleteSecrets, confirm }: Retirement, count: number) {
  const secrets = count === 1 ? '1 stored secret needs' : `${count} stored secrets need`;
  if (!deleteSecrets)
    throw masterKeyNeeded(
      `${secrets} the master key ${id}: see "toolgate keys rotate". If the key is lost, --delete-secrets deletes them.`,
    );
  if (confirm !== id)
    throw confirmationNeeded(
      `${secrets} the master key ${id} and would be deleted for good; confirm it with the id of the key (--confirm ${id}).`,
    );
  const { texts } = await deleteSealedUnder(trx, id, mostNamed);
  return texts.map((text) => {
    const { table, tenant, level, owner, server, name } = unreadable(text);
    return { table, tenant, level, owner, server, name };
  });
}

async function requireKnown({ db, keys }: RotationDeps, id: string): Promise<void> {
  const isKnown =
    keys.rows().some((row) => row.id === id) || keys.ring.held().some(({ key }) => key.id === id);
  if (!isKnown && (await needing(db, id)) === 0) throw masterKeyUnknown(id);
}

/** What a process can still open is not lost: a rotation keeps it. */
async function requireLost({ keys, holders }: RotationDeps, id: string): Promise<void> {
  const isHere = keys.ring.held().some(({ key }) => key.id === id);
  const survey = isHere ? null : await holders.ask(id);
  if (!isHere && survey === null)
    throw masterKeyNotEverywhere(
      'The other processes cannot be asked whether they have the key, as messages between them do not get through; see /gateway/ready.',
    );
  if (isHere || (survey?.having ?? 0) > 0)
    throw masterKeyNeeded(
      `The master key ${id} is not lost: a process has it. Rotate, and nothing is deleted.`,
    );
}
