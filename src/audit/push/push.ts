import type { Db } from '../../platform/db/index.ts';
import type { PushTarget } from '../contract.ts';
import { auditAfter, callsStoredAfter, type ExportRow, scanEnd } from '../export-store.ts';
import { databaseTime } from '../analytics/rollup-store.ts';
import type { Job, Turn } from '../jobs/jobs.ts';
import { type Progress, progress, pushName } from './progress.ts';

/** One record on its way. */
export interface Sent {
  readonly type: 'audit' | 'call';
  readonly row: ExportRow;
}

/** Resolves when the receiver has taken all of them, rejects when it may not have. */
export type Send = (records: readonly Sent[], signal: AbortSignal) => Promise<void>;

interface Deps {
  readonly db: Db;
  readonly target: PushTarget;
  readonly send: Send;
}

const atOnce = 200;
/** Of how many records one statement looks for those that are sent: it takes no longer however few these are. */
const scannedAtOnce = 50_000;
const lastId = 'ffffffff-ffff-ffff-ffff-ffffffffffff';

/**
 * Sends records to one system, in order and each at least once: how far it came is written down after the receiver took
 * them. Changes from the first one on, requests from when the target was configured.
 */
export function pushJob(deps: Deps): Job {
  return {
    name: pushName(deps.target),
    everyMs: 5_000,
    async run(turn) {
      let at: Progress = progress.parse(turn.state);
      if (at.storedAt === null) at = { ...at, storedAt: (await databaseTime(deps.db)).toISOString() };
      at = await pushAudit(deps, at, turn);
      if (deps.target.calls !== 'none') at = await pushCalls(deps, at, turn);
      await turn.keep(at);
    },
  };
}

async function pushAudit({ db, send }: Deps, from: Progress, { keep, signal }: Turn): Promise<Progress> {
  let at = from;
  while (!signal.aborted) {
    const rows = await auditAfter(db, { limit: atOnce }, at.seq);
    const last = rows.at(-1);
    if (last === undefined) break;
    await send(
      rows.map(({ chain, ...row }) => ({
        type: 'audit',
        // Not the salts: with them, what was erased here could be proved of a copy there.
        row: { ...row, chain: { seq: chain.seq, hash: Object(chain).hash } },
      })),
      signal,
    );
    at = { ...at, seq: last.chain.seq };
    await keep(at);
  }
  return at;
}

async function pushCalls(
  { db, target, send }: Deps,
  from: Progress,
  { keep, signal }: Turn,
): Promise<Progress> {
  let at = from;
  while (!signal.aborted) {
    const place = { storedAt: at.storedAt ?? '-infinity', id: at.id };
    const end = await scanEnd(db, place, scannedAtOnce);
    const refusedOnly = target.calls === 'refused';
    const rows = await callsStoredAfter(db, { refusedOnly, limit: atOnce, upTo: end.storedAt }, place);
    if (rows.length > 0)
      await send(
        rows.map(({ storedAt: _, ...row }) => ({ type: 'call', row })),
        signal,
      );
    const last = rows.at(-1) ?? { storedAt: end.storedAt, id: lastId };
    at = { ...at, storedAt: last.storedAt, id: last.id };
    await keep(at);
    if (rows.length === 0 && end.isLast) break;
  }
  return at;
}
