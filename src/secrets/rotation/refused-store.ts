import { sql } from 'kysely';
import { writeAudit } from '../../audit/index.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Binding } from '../binding.ts';

const action = 'credential.refused';
/** Whoever changes rows without end fills the audit log no further than this. */
const mostEntries = 10_000;

/** Writes the entry unless there is one for this text at this place. Several processes may try at once. */
export async function recordRefused(
  db: Db,
  { binding, digest, reason }: { binding: Binding; digest: string; reason: string },
): Promise<void> {
  const { tenant, owner, name } = binding;
  const server = binding.server === '' ? 'installation' : binding.server;
  await db.transaction().execute(async (trx) => {
    await sql`select pg_advisory_xact_lock(hashtextextended(${`refused ${digest}`}, 0))`.execute(trx);
    const { rows } = await sql<{ known: boolean; full: boolean }>`
      select exists (select 1 from mcp_proxy.audit_log
          where action = 'credential.refused' and target_id = ${server} and after ->> 'text' = ${digest}) as known,
        (select count(*) from (select 1 from mcp_proxy.audit_log where action = 'credential.refused'
          limit ${mostEntries}) as few) >= ${mostEntries} as full`.execute(trx);
    if (rows[0]?.known || rows[0]?.full) return;
    await writeAudit(trx, {
      ...{ actor: 'toolgate', action, targetKind: 'credential', targetId: server, tenant },
      after: { level: owner.level, owner: owner.id, name, text: digest, reason },
    });
  });
}
