// A database in which the version before erased people: it wrote nothing down of what it left.
import { copyFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { type RawBuilder, sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { change } from '../../../test/audit-world.ts';
import { emptyDatabaseUrl } from '../../../test/database.ts';
import { type Database, type Db, migrate, openDatabase } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { addAudit, writeAudit } from '../store.ts';
import { verifyChain } from './verify.ts';

const migrations = fileURLToPath(new URL('../../../migrations/', import.meta.url));
const bobs = 'erased-bbbbbbbbbbbbbbbb';

function migrationsBefore(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-migrations-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const name of readdirSync(migrations).filter((one) => /^\d{4}_/.test(one) && one < '0017'))
    copyFileSync(path.join(migrations, name), path.join(folder, name));
  return folder;
}

/** A database of the version before, with three records: the second is of Bob. */
async function databaseBefore(): Promise<Database> {
  const url = await emptyDatabaseUrl();
  const database = await openDatabase({ url, dataDir: '', log: createLog('silent') });
  onTestFinished(() => database.close());
  await migrate(database, migrationsBefore());
  const names = ['x@acme.com', 'bob@acme.com', 'x@acme.com'];
  for (const actor of names) await writeAudit(database.db, change({ actor, clientIp: '192.0.2.1' }));
  return database;
}

/** Erased as that version did, after `times` erasures; upgraded after what somebody did to it meanwhile. */
async function upgraded(times: number, ...meanwhile: RawBuilder<unknown>[]): Promise<Database> {
  const database = await databaseBefore();
  const { db } = database;
  for (let at = 0; at < times; at += 1) await db.transaction().execute(eraseBefore);
  await tamper(db, meanwhile);
  await migrate(database, migrations);
  return database;
}

async function eraseBefore(trx: Db): Promise<void> {
  const said = { targetKind: 'user', targetId: bobs, after: { users: 1 } };
  const record = await addAudit(trx, change({ actor: 'root@acme.com', action: 'user.erase', ...said }));
  await sql`select mcp_proxy.erase_from_audit('bob@acme.com', ${bobs}, ${record}::bigint)`.execute(trx);
}

/** Has the upgrade read everything, and waits for whoever writes? */
async function isWaited(owner: Db): Promise<boolean> {
  const { rows } = await sql`
    select from pg_locks where relation = 'mcp_proxy.audit_log'::regclass and mode = 'ShareRowExclusiveLock'
      and not granted and database = (select oid from pg_database where datname = current_database())`.execute(
    owner,
  );
  return rows.length > 0;
}

function tamper(db: Db, statements: readonly RawBuilder<unknown>[]): Promise<void> {
  return db.transaction().execute(async (trx) => {
    await sql`set local session_replication_role = replica`.execute(trx);
    for (const statement of statements) await statement.execute(trx);
  });
}

test('is in order, and it is said that nobody can tell since when', async () => {
  const { db } = await upgraded(1);
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 5, erased: 1, unproved: 1 });
});

test('is in order also where somebody was erased while the upgrade read', async () => {
  const database = await databaseBefore();
  const { db } = database;
  let upgrade: Promise<unknown> | undefined;
  await db.transaction().execute(async (trx) => {
    await eraseBefore(trx);
    upgrade = migrate(database, migrations);
    await expect.poll(() => database.withoutTimeLimit(isWaited), { timeout: 15_000 }).toBe(true);
  });
  await upgrade;
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 5, erased: 1, unproved: 1 });
});

test('does not keep the upgrade from its end while changes are made', async () => {
  const database = await databaseBefore();
  const { db } = database;
  for (let at = 0; at < 50; at += 1) await db.transaction().execute(eraseBefore);
  let over = false;
  const upgrade = migrate(database, migrations).finally(() => {
    over = true;
  });
  const changing = [1, 2, 3].map(async () => {
    while (!over) await writeAudit(db, change());
  });
  await Promise.all([upgrade, ...changing]);
  expect(await verifyChain(db)).toMatchObject({ ok: true, unproved: 1 });
});

test('is kept as it was when it was upgraded', async () => {
  const { db } = await upgraded(1);
  await tamper(db, [sql`update mcp_proxy.audit_log set actor = ${`mallory ${bobs}`} where id = 2`]);
  expect(await verifyChain(db)).toMatchObject({ ok: false, problem: { kind: 'changed', record: '2' } });
});

test('is found where it is no erasure', async () => {
  const pretended = [
    sql`update mcp_proxy.audit_log set actor = 'erased-0000000000000000' where id = 3`,
    sql`update mcp_proxy.audit_chain set salts = array_prepend(null, salts[2:6]), erased_by = 4 where seq = 3`,
  ];
  const { db } = await upgraded(1, ...pretended);
  expect((await verifyChain(db)).problem).toMatchObject({ kind: 'changed', record: '3', message: /actor/ });
});

test('is nothing where nobody was erased: the upgrade records nothing', async () => {
  const { db } = await upgraded(0);
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 3, unproved: 0 });
});

test('that version can erase nobody any more', async () => {
  const { db } = await upgraded(1);
  await expect(db.transaction().execute(eraseBefore)).rejects.toMatchObject({ code: '42883' });
});
