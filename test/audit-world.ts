// Records of changes, and somebody who signs in to the database as the owner of the tables and changes them.
import { type RawBuilder, sql } from 'kysely';
import type { AuditEntry } from '../src/audit/contract.ts';
import { writeAudit } from '../src/audit/store.ts';
import type { Database, Db } from '../src/platform/db/index.ts';
import { asOwner, testDatabase } from './database.ts';

export const change = (over: Partial<AuditEntry> = {}): AuditEntry => ({
  ...{ actor: 'alice@acme.com', action: 'group.update', targetKind: 'group', targetId: 'MCP-GitHub' },
  ...{ tenant: 'acme', before: { name: 'a' }, after: { name: 'b', n: 12.5 }, requestId: 'r-1' },
  ...over,
});

/** A database with so many records of changes. */
export async function recordedWorld(count: number): Promise<Database> {
  const database = await testDatabase();
  await database.db.transaction().execute(async (trx) => {
    for (let at = 1; at <= count; at += 1) await writeAudit(trx, change({ targetId: `group-${at}` }));
  });
  return database;
}

/** As somebody whom no trigger stops. */
export function tamper(db: Db, ...statements: RawBuilder<unknown>[]): Promise<void> {
  return asOwner(db, (owner) =>
    owner.transaction().execute(async (trx) => {
      await sql`set local session_replication_role = replica`.execute(trx);
      for (const statement of statements) await statement.execute(trx);
    }),
  );
}
