import type { Actor } from '../../platform/contract.ts';
import type { Db } from '../../platform/db/index.ts';
import { writeAudit } from '../store.ts';

/** A chain that is broken is told of in the chain: whoever repairs it later cannot take that back. */
export async function noteBroken(
  db: Db,
  by: Pick<Actor, 'id'> & Partial<Actor>,
  problem: object,
): Promise<void> {
  const { id: actor, requestId, clientIp } = by;
  await writeAudit(db, {
    ...{ actor, requestId: requestId ?? null, clientIp: clientIp ?? null },
    ...{ action: 'audit.verification_failed', targetKind: 'table', targetId: 'audit_log', after: problem },
  });
}
