import { writeAudit } from '../audit/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Actor } from '../platform/contract.ts';
import type { Database, Db } from '../platform/db/index.ts';
import { lockWrites } from './store-lock.ts';
import type { Withheld } from './explain.ts';
import type { Snapshot } from './snapshot.ts';

export interface RouteDeps {
  /** The operator's scope. */
  readonly db: Db;
  readonly forTenant: Database['forTenant'];
  readonly snapshot: () => Snapshot;
  /** Brings the snapshot of this replica up to date, so that who changed something sees it at once. */
  readonly changed: () => Promise<void>;
  /** Rejects with an AppError when the URL leads somewhere that must not be fetched. */
  readonly checkUrl: (url: string) => Promise<void>;
  /** What holds tools back from everyone, for `explain`. */
  readonly withheld: Withheld;
  readonly clock: Clock;
}

export interface Edit<Stored> {
  readonly actor: Actor;
  /** Noun and verb, as the audit log names it: `group.update`. */
  readonly action: `${'user' | 'group' | 'server' | 'tenant'}.${string}`;
  readonly id: string;
  readonly find: (trx: Db, id: string) => Promise<Stored | undefined>;
  /** What the audit log may keep of the record. */
  readonly show: (stored: Stored) => unknown;
  readonly change: (trx: Db, before: Stored | undefined) => Promise<void>;
  /** In whose scope, for work on one tenant; the operator's where it is left out. */
  readonly within?: Db;
}

/** One change of one record with its audit entry, in one transaction; resolves with the record as it is then. */
export async function edit<Stored>(deps: RouteDeps, spec: Edit<Stored>): Promise<Stored | undefined> {
  const after = await (spec.within ?? deps.db).transaction().execute(async (trx) => {
    await lockWrites(trx);
    const before = await spec.find(trx, spec.id);
    await spec.change(trx, before);
    const stored = await spec.find(trx, spec.id);
    const [targetKind = ''] = spec.action.split('.');
    await writeAudit(trx, {
      actor: spec.actor.id,
      action: spec.action,
      targetKind,
      targetId: spec.id,
      tenant: targetKind === 'tenant' ? spec.id : null,
      before: before && spec.show(before),
      after: stored && spec.show(stored),
      requestId: spec.actor.requestId,
      clientIp: spec.actor.clientIp,
    });
    return stored;
  });
  await deps.changed();
  return after;
}

/** The answer to a PUT that has nothing to show. */
export const ok = { ok: true } as const;

/** For records whose stored form holds nothing that must not be seen. */
export function asIs<Stored>(stored: Stored): Stored {
  return stored;
}

/** The value, or the error when there is none. */
export function existing<T>(value: T | undefined, error: Error): T {
  if (value === undefined) throw error;
  return value;
}
