import type { Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { Verification } from '../contract.ts';
import type { Job } from '../jobs/jobs.ts';
import { stateOf } from '../jobs/jobs-store.ts';
import {
  anchorJobName,
  type AnchorProgress,
  anchorProgress,
  missingOf,
  readAnchors,
  unwritten,
} from './anchor-file.ts';
import { noteBroken } from './note-broken.ts';
import { checkJobName, checkState } from './standing.ts';
import { verifyChain } from './verify.ts';

/** Anchors that a check compares with: the newest are those that matter. */
const mostCompared = 10_000;

interface Options {
  readonly db: Db;
  readonly log: Log;
  readonly anchors: () => string | undefined;
  /** SPKI in base64: what the anchors are signed with. */
  readonly key: string;
}

/** Verifies the chain once a day, and tells of it in the log and in the chain when something is wrong. */
export function checkJob(o: Options): Job {
  const written = writtenBefore(o.db);
  return {
    name: checkJobName,
    everyMs: 86_400_000,
    async run({ state, keep, signal }) {
      const { ok, records, problem } = await checked(o, written, signal);
      // Of a time when the installation had another secret: no sign that anything was changed.
      const isBroken = problem !== null && problem.kind !== 'anchor_key';
      if (isBroken) {
        o.log.error({ problem }, 'THE AUDIT LOG WAS CHANGED: see docs/audit.md');
        await noteBroken(o.db, { id: 'toolgate' }, problem);
      } else if (problem) o.log.warn({ problem }, 'an anchor cannot be checked: see docs/audit.md');
      const since = checkState.parse(state).brokenSince ?? new Date().toISOString();
      await keep({ ok, records, problem, brokenSince: isBroken ? since : null });
    },
  };
}

async function checked(
  { db, key, anchors: file }: Options,
  written: (file: string) => Promise<AnchorProgress>,
  signal: AbortSignal,
): Promise<Pick<Verification, 'ok' | 'records' | 'problem'>> {
  const path = file();
  // First how far it was: meanwhile it grows.
  const progress = path === undefined ? undefined : await written(path);
  const all = path === undefined ? [] : await readAnchors(path);
  const anchors = all.slice(-mostCompared);
  const found = await verifyChain(db, { anchors, keys: [key] }, signal);
  if (!progress || (found.problem && found.problem.kind !== 'anchor_key')) return found;
  const missing = await missingOf(progress, all);
  return missing ? { ...found, ok: false, problem: missing } : found;
}

/** As much as the file ever had, as far as this process saw: whoever writes the database can say that it was less. */
function writtenBefore(db: Db): (file: string) => Promise<AnchorProgress> {
  let most = unwritten('');
  return async (file) => {
    const at = anchorProgress.parse(await stateOf(db, anchorJobName));
    if (most.path !== file) most = unwritten(file);
    if (at.path === file && at.size >= most.size && at.file >= most.file) most = at;
    return most;
  };
}
