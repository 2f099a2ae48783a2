// What may go wrong while weeks are made and deleted: others use the tables, clocks are wrong, a system has not taken its records.
import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { storeCalls } from '../../../test/call-record.ts';
import { asOwner, testDatabase } from '../../../test/database.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { auditFile } from '../contract.ts';
import { weeksJob } from './keep-weeks.ts';
import { listWeeks } from './partitions-store.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 20, 12);
const turn = { state: {}, signal: new AbortController().signal, keep: async () => undefined };

type Deps = Parameters<typeof weeksJob>[0];
const job = (database: Database, over: Partial<Deps> = {}) =>
  weeksJob({
    ...{ database, log: createLog('silent'), clock: Date.now, retainDays: () => 90, targets: () => [] },
    ...over,
  });
const keepWeeks = (database: Database, at = now, over: Partial<Deps> = {}) =>
  job(database, { clock: () => at, now: async () => new Date(at), ...over }).run(turn);

const weeksOf = async (db: Db) =>
  (await asOwner(db, (owner) => listWeeks(owner))).map((week) => week.toISOString().slice(0, 10));
const storedInTime = (db: Db) =>
  asOwner(db, (owner) => sql`update mcp_proxy.api_analytics set stored_at = timestamp`.execute(owner));
async function count(db: Db): Promise<number> {
  const { rows } = await sql<{
    count: number;
  }>`select count(*)::int as count from mcp_proxy.api_analytics`.execute(db);
  return rows[0]?.count ?? 0;
}
async function notes(db: Db): Promise<unknown[]> {
  const { rows } = await sql<{ after: unknown }>`
    select after from mcp_proxy.audit_log where action = 'records.retention' order by id`.execute(db);
  return rows.map(({ after }) => after);
}

describe('while somebody reads in a long transaction, as a backup does', () => {
  /** Until `end`, every table is read. */
  async function reader(db: Db) {
    let end = () => {};
    const held = new Promise<void>((resolve) => (end = resolve));
    let read: Promise<void> | undefined;
    await new Promise<void>((reading) => {
      read = asOwner(db, (owner) =>
        owner.transaction().execute(async (trx) => {
          await sql`lock table mcp_proxy.api_analytics in access share mode`.execute(trx);
          reading();
          await held;
        }),
      );
    });
    onTestFinished(() => end());
    return async () => {
      end();
      await read;
    };
  }
  const isWaitedFor = async (db: Db) => {
    const { rows } = await asOwner(db, (owner) =>
      sql`select from pg_locks where not granted and relation is not null
        and database = (select oid from pg_database where datname = current_database())`.execute(owner),
    );
    return rows.length > 0;
  };

  test('the next week is made without that anything is stored later', async () => {
    const database = await testDatabase();
    const { db } = database;
    await keepWeeks(database);
    const end = await reader(db);
    const patience = { lockMs: 60_000, pauseMs: 1, tries: 1 };
    const made = keepWeeks(database, now + 7 * day, { retainDays: () => 200, patience });
    await expect.poll(() => isWaitedFor(db)).toBe(true);
    await storeCalls(db, { at: now });
    expect(await isWaitedFor(db)).toBe(true);
    await end();
    await made;
    expect(await weeksOf(db)).toContain('2027-01-18');
  });

  test.each([
    ['made for the first time', 0, '2027-01-11'],
    ['deleted', 7 * day, '2026-08-17'],
  ])('weeks are %s when it has ended, and records are stored meanwhile', async (_, later, week) => {
    const database = await testDatabase();
    const { db } = database;
    if (later > 0) await keepWeeks(database);
    // Nothing but what is to be deleted is left to do.
    if (later > 0) await keepWeeks(database, now + later, { retainDays: () => 200 });
    const isThere = (await weeksOf(db)).includes(week);
    const end = await reader(db);
    const patience = { lockMs: 300, pauseMs: 50, tries: 10_000 };
    const done = keepWeeks(database, now + later, { retainDays: () => 90, patience });
    await expect.poll(() => isWaitedFor(db)).toBe(true);
    for (let at = 0; at < 3; at += 1) await storeCalls(db, { at: now });
    expect((await weeksOf(db)).includes(week)).toBe(isThere);
    await end();
    await done;
    expect((await weeksOf(db)).includes(week)).toBe(!isThere);
    expect(await count(db)).toBe(3);
  });

  test('a job that has tried for long fails, so that it is told of', async () => {
    const database = await testDatabase();
    await reader(database.db);
    const patience = { lockMs: 50, pauseMs: 1, tries: 3 };
    await expect(keepWeeks(database, now, { patience })).rejects.toThrow(/long transaction/);
  });
});

test('a week that is put beside the others takes what belongs there out of the rest, and nothing else', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  const { db } = database;
  const at = now + 60 * day;
  await storeCalls(
    db,
    { at },
    { id: `${at.toString(16).padStart(12, '0').slice(0, 8)}${randomUUID().slice(8)}`, at: now },
  );
  await storeCalls(db, { at: now });
  await keepWeeks(database, now + 7 * day);
  const { rows } = await sql`
    select tableoid::regclass::text as place from mcp_proxy.api_analytics order by 1`.execute(db);
  expect(rows.map((row) => Object(row).place.replace('mcp_proxy.api_analytics_', ''))).toEqual([
    ...['20261116', '20270118', 'rest'],
  ]);
});

describe('nothing is deleted by a wrong clock', () => {
  async function fiftyDays() {
    const database = await testDatabase();
    await job(database).run(turn);
    const records = Array.from({ length: 50 }, (_, days) => ({ at: Date.now() - days * day }));
    await storeCalls(database.db, ...records);
    return database;
  }

  const ahead = Date.now() + 366 * day;
  test.each([
    ['of a process', { clock: () => ahead }],
    ['of the database', { now: async () => new Date(ahead) }],
  ])('%s', async (_, over) => {
    const database = await fiftyDays();
    await expect(job(database, over).run(turn)).rejects.toThrow(/clocks .* hours apart/);
    expect(await count(database.db)).toBe(50);
  });

  test('of a process that gave its records times long ago', async () => {
    const database = await fiftyDays();
    await storeCalls(database.db, { at: Date.now() - 400 * day }, { at: Date.now() - 80 * day });
    const later = Date.now() + 20 * day;
    await job(database, { clock: () => later, now: async () => new Date(later) }).run(turn);
    expect(await count(database.db)).toBe(52);
    await storedInTime(database.db);
    await job(database, { clock: () => later, now: async () => new Date(later) }).run(turn);
    expect(await count(database.db)).toBe(50);
  });
});

test('what was deleted is recorded', async () => {
  const database = await testDatabase();
  const { db } = database;
  await keepWeeks(database);
  await storeCalls(
    db,
    { at: now - 90 * day },
    { at: now - 89 * day },
    { id: randomUUID(), at: now - 89 * day },
  );
  await storedInTime(db);
  await keepWeeks(database, now + 7 * day);
  expect(await notes(db)).toEqual([
    { week: '2026-08-17', records: 2 },
    { before: new Date(now - 83 * day).toISOString(), records: 1 },
  ]);
  await keepWeeks(database, now + 7 * day);
  expect(await notes(db)).toHaveLength(2);
});

describe('what a system has not taken', () => {
  const targets = (calls: string) => () =>
    auditFile.parse({ push: [{ name: 'siem', kind: 'http', url: 'https://siem.acme.com/', calls }] }).push;
  /** Two records of a week, one refused, and one that is in none; how far the system is. */
  async function world(takenAt: number) {
    const database = await testDatabase();
    const { db } = database;
    await keepWeeks(database);
    const at = now - 90 * day;
    await storeCalls(db, { at }, { at, outcome: 'denied' }, { id: randomUUID(), at });
    await storedInTime(db);
    await taken(db, takenAt);
    return database;
  }
  const taken = (db: Db, at: number) =>
    sql`insert into mcp_proxy.jobs (name, state)
      values ('push siem', ${JSON.stringify({ seq: 0, storedAt: new Date(at).toISOString(), id: randomUUID() })}::jsonb)
      on conflict (name) do update set state = excluded.state`.execute(db);

  test('is kept until it has, for 14 days at most', async () => {
    const database = await world(now - 91 * day);
    const { db } = database;
    await keepWeeks(database, now + 7 * day, { targets: targets('all') });
    expect([await count(db), await notes(db)]).toEqual([3, []]);
    await taken(db, now);
    await keepWeeks(database, now + 7 * day, { targets: targets('all') });
    expect(await count(db)).toBe(0);
  });

  test.each([
    ['all', 2, { siem: 1 }],
    ['refused', 1, undefined],
  ])('is counted and told when it goes all the same (%s)', async (calls, unsent, ofRest) => {
    const database = await world(now - 91 * day);
    const log = createLog('silent');
    const told = vi.spyOn(log, 'error');
    await keepWeeks(database, now + 21 * day, { targets: targets(calls), log });
    expect(await count(database.db)).toBe(0);
    expect(await notes(database.db)).toEqual([
      { week: '2026-08-17', records: 2, unsent: { siem: unsent } },
      ...[expect.objectContaining({ records: 1, ...(ofRest && { unsent: ofRest }) })],
    ]);
    expect(told).toHaveBeenCalledTimes(ofRest ? 2 : 1);
  });

  test('keeps nothing when it takes no records of requests, or has not begun', async () => {
    const database = await world(now - 91 * day);
    await keepWeeks(database, now + 7 * day, { targets: targets('none') });
    expect(await count(database.db)).toBe(0);
  });
});
