import { readFile } from 'node:fs/promises';
import type { Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import { anchorPoint } from '../contract.ts';
import type { Job } from '../jobs/jobs.ts';
import { writeAudit } from '../store.ts';
import { verifyChain } from './verify.ts';

/** Anchors that a check compares with: the newest are those that matter. */
const mostAnchors = 10_000;

/** Verifies the chain once a day, and tells of it in the log and in the chain when something is wrong. */
export function checkJob(o: {
  readonly db: Db;
  readonly log: Log;
  readonly anchors: () => string | undefined;
}): Job {
  return {
    name: 'audit check',
    everyMs: 86_400_000,
    async run({ keep, signal }) {
      const anchors = await anchorsIn(o.anchors());
      const found = await verifyChain(o.db, anchors, signal);
      const { ok, records, problem } = found;
      if (problem) {
        o.log.error({ problem }, 'THE AUDIT LOG WAS CHANGED: see docs/audit.md');
        await writeAudit(o.db, {
          ...{
            actor: 'toolgate',
            action: 'audit.verification_failed',
            targetKind: 'table',
            targetId: 'audit_log',
          },
          after: problem,
        });
      }
      await keep({ ok, records });
    },
  };
}

async function anchorsIn(file: string | undefined) {
  if (file === undefined) return [];
  const text = await readFile(file, 'utf8').catch(() => ''); // No anchor was written yet.
  const lines = text.split('\n').filter(Boolean).slice(-mostAnchors);
  return lines.map((line) => anchorPoint.parse(JSON.parse(line)));
}
