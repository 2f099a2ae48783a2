import type { Change } from '../access/index.ts';
import { createRecords, type Records, writeAudit } from '../audit/index.ts';
import type { ConfigFile } from '../config.ts';
import { systemClock as clock } from '../platform/clock.ts';
import type { Closing } from '../platform/closing.ts';
import type { Database, Db } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import type { NetGuard } from '../platform/net-guard.ts';

/** What becomes of records: kept by week, counted, and brought elsewhere. */
export function openRecords(o: {
  readonly database: Database;
  readonly log: Log;
  readonly closing: Closing;
  readonly guard: NetGuard;
  readonly secret: Buffer;
  readonly file: () => ConfigFile;
}): Records {
  const { file, closing, ...base } = o;
  const records = createRecords({
    ...{ ...base, clock },
    audit: () => file().audit,
    retainDays: () => file().analytics.retainDays,
  });
  return closing.keep('upkeep of records', records, 3_000);
}

/** That the config file changed something; what it was, the records of each change say. */
export async function noteApplied(db: Db, changes: readonly Change[], prune: boolean): Promise<void> {
  const made = changes.filter(({ kind }) => kind !== 'orphan').length;
  if (made === 0) return;
  const target = { targetKind: 'config', targetId: 'mcp-servers.json' };
  await writeAudit(db, {
    ...target,
    actor: 'config-file',
    action: 'config.apply',
    after: { changes: made, prune },
  });
}
