// What an installation of the version before has when it is upgraded.
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { change } from '../../test/audit-world.ts';
import { storeCalls } from '../../test/call-record.ts';
import { emptyDatabaseUrl } from '../../test/database.ts';
import { type Db, migrate, openDatabase } from '../platform/db/index.ts';
import { createLog } from '../platform/log.ts';
import { weeksJob } from './analytics/keep-weeks.ts';
import { verifyChain } from './chain/verify.ts';
import { listCalls, writeAudit } from './store.ts';

const migrations = fileURLToPath(new URL('../../migrations/', import.meta.url));

/** A folder with those that the version before had. */
function migrationsBefore(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-migrations-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of readdirSync(migrations).filter((one) => /^\d{4}_/.test(one) && one < '0014'))
    copyFileSync(path.join(migrations, name), path.join(folder, name));
  return folder;
}

/** A database as the version before left it. */
async function databaseBefore() {
  const database = await openDatabase({
    url: await emptyDatabaseUrl(),
    dataDir: '',
    log: createLog('silent'),
  });
  onTestFinished(() => database.close());
  await migrate(database, migrationsBefore());
  await database.walls.raise();
  return database;
}

test('records that are there are chained, kept, and found', async () => {
  const database = await databaseBefore();
  const { db } = database;
  for (let at = 0; at < 5; at += 1) await writeAudit(db, change({ targetId: `old-${at}` }));
  const now = Date.now();
  await storeCalls(db, { id: randomUUID(), at: now, requestId: 'old' });
  await storeCalls(db, { id: randomUUID(), at: now - 91 * 86_400_000, requestId: 'kept no longer' });

  await migrate(database, migrations);
  await database.walls.raise();
  await writeAudit(db, change({ targetId: 'new' }));
  await storeCalls(db, { id: randomUUID(), at: now + 1, requestId: 'of the version before' });
  const turn = { state: {}, signal: new AbortController().signal, keep: async () => undefined };
  await weeksJob({
    ...{ database, log: createLog('silent'), clock: () => now, retainDays: () => 90, targets: () => [] },
  }).run(turn);
  await storeCalls(db, { at: now + 2, requestId: 'new' });

  expect(database.walls.missing()).toBeNull();
  // One is of what was deleted.
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 7 });
  const { items } = await listCalls(db, { limit: 9, from: new Date(now - 1_000).toISOString() });
  expect(items.map(({ requestId }) => requestId)).toEqual(['new', 'of the version before', 'old']);
  const { rows } = await sql`select 1 from mcp_proxy.api_analytics_rest`.execute(db);
  expect(rows).toHaveLength(2);
});

test('what is written while the records that are there are chained is chained after them, in whatever order it comes', async () => {
  const database = await databaseBefore();
  const { db } = database;
  for (let at = 0; at < 5; at += 1) await writeAudit(db, change({ targetId: `old-${at}` }));
  let upgraded: Promise<unknown> | undefined;
  // Its record has a lower number than those that the upgrade finds, and cannot be seen yet.
  await db.transaction().execute(async (trx) => {
    await writeAudit(trx, change({ targetId: 'under way' }));
    await writeAudit(db, change({ targetId: 'old' }));
    upgraded = migrate(database, migrations);
    await expect.poll(() => database.withoutTimeLimit(isWaited), { timeout: 30_000 }).toBe(true);
    await writeAudit(trx, change({ targetId: 'under way, too' }));
  });
  await upgraded;
  await database.walls.raise();
  await writeAudit(db, change({ targetId: 'new' }));
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 9 });
});

/** Has the upgrade come to where it waits for whoever writes? */
async function isWaited(owner: Db): Promise<boolean> {
  const { rows } = await sql`
    select from pg_locks where relation = 'mcp_proxy.audit_log'::regclass and mode = 'ShareRowExclusiveLock'
      and not granted and database = (select oid from pg_database where datname = current_database())`.execute(
    owner,
  );
  return rows.length > 0;
}
