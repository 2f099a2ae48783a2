import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { storeCalls } from '../../../test/call-record.ts';
import { asOwner, testDatabase } from '../../../test/database.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { listCalls } from '../store.ts';
import { weeksJob } from './keep-weeks.ts';
import { listWeeks } from './partitions-store.ts';

const day = 86_400_000;
const now = Date.UTC(2026, 10, 20, 12); // A Friday.
const turn = { state: {}, signal: new AbortController().signal, keep: async () => undefined };

type Over = Partial<Parameters<typeof weeksJob>[0]>;

function keepWeeks(database: Database, at = now, over: Over = {}): Promise<void> {
  return weeksJob({
    ...{ database, log: createLog('silent'), retainDays: () => 90, targets: () => [] },
    ...{ clock: () => at, now: async () => new Date(at), ...over },
  }).run(turn);
}

/** As if each had been stored when it happened. */
const storedInTime = (db: Db) =>
  asOwner(db, (owner) => sql`update mcp_proxy.api_analytics set stored_at = timestamp`.execute(owner));

const weeksOf = (db: Db) => asOwner(db, (owner) => listWeeks(owner));

async function places(db: Db): Promise<Record<string, number>> {
  const { rows } = await sql<{ place: string; count: number }>`
    select replace(tableoid::regclass::text, 'mcp_proxy.api_analytics_', '') as place, count(*)::int as count
    from mcp_proxy.api_analytics group by 1`.execute(db);
  return Object.fromEntries(rows.map(({ place, count }) => [place, count]));
}

const total = async (db: Db) => Object.values(await places(db)).reduce((sum, count) => sum + count, 0);

test('a record lies in the week of its time', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  await storeCalls(database.db, { at: now }, { at: now - 7 * day }, { at: now - 80 * day });
  expect(await places(database.db)).toEqual({ '20261116': 1, '20261109': 1, '20260831': 1 });
});

test('weeks are there long before their time, and making them twice changes nothing', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  const weeks = await weeksOf(database.db);
  expect(weeks.at(0)).toEqual(new Date(Date.UTC(2026, 7, 17)));
  expect(weeks.at(-1)).toEqual(new Date(Date.UTC(2027, 0, 11)));
  await keepWeeks(database);
  expect(await weeksOf(database.db)).toEqual(weeks);
});

test('records from before there were weeks move into them, and none is lost', async () => {
  const database = await testDatabase();
  const times = Array.from({ length: 50 }, (_, at) => now - at * day);
  await storeCalls(database.db, ...times.map((at) => ({ at })));
  expect(await places(database.db)).toEqual({ rest: 50 });
  await keepWeeks(database);
  expect(await total(database.db)).toBe(50);
  expect((await places(database.db))['rest']).toBeUndefined();
});

test('random ids stay in the rest, even when they look like a time', async () => {
  const database = await testDatabase();
  const lookalike = `019a9${randomUUID().slice(5)}`; // Of November 2026.
  await storeCalls(database.db, { id: lookalike, at: now - 60 * day }, { id: randomUUID(), at: now });
  await keepWeeks(database);
  expect(await places(database.db)).toEqual({ rest: 2 });
});

test('the statement of the version before goes on working, and stores a record once', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  const id = randomUUID();
  const insert = sql`
    insert into mcp_proxy.api_analytics
      (id, timestamp, request_id, user_email, auth_source, tenant_id, face, method, endpoint, rpc_method, server_id,
       tool, outcome, reason, status_code, response_time_ms, bytes_in, bytes_out, user_agent, client_ip,
       credential_id, arguments)
    select ${id}::uuid, to_timestamp(${now / 1000}), 'r', null, null, 'acme', 'stream', 'POST', '/mcp', null, null, null, 'ok', null, 200,
      1, 1, 1, null, null, null, null
    on conflict (id) do nothing`;
  await insert.execute(database.db);
  await insert.execute(database.db);
  expect(await total(database.db)).toBe(1);
});

test('records are deleted when they are kept no longer: weeks as a whole, the rest one by one', async () => {
  const database = await testDatabase();
  await storeCalls(database.db, { id: randomUUID(), at: now - 91 * day }, { id: randomUUID(), at: now });
  await storedInTime(database.db);
  await keepWeeks(database);
  await storeCalls(database.db, { at: now }, { at: now - 85 * day });
  await storedInTime(database.db);
  await keepWeeks(database, now + 14 * day);
  expect(await places(database.db)).toEqual({ rest: 1, '20261116': 1 });
  expect((await weeksOf(database.db)).at(0)).toEqual(new Date(Date.UTC(2026, 7, 31)));
});

test('a list by time finds records in weeks and in the rest, in order', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  const at = (days: number) => now - days * day;
  await storeCalls(
    database.db,
    ...[1, 2, 3, 10, 20].map((days) => ({ at: at(days), requestId: `week-${days}` })),
    ...[1.5, 2.5, 15].map((days) => ({ id: randomUUID(), at: at(days), requestId: `rest-${days}` })),
  );
  const query = { limit: 50, from: new Date(at(12)).toISOString(), to: new Date(at(1)).toISOString() };
  const { items } = await listCalls(database.db, query);
  expect(items.map(({ requestId }) => requestId)).toEqual([
    'rest-1.5',
    'week-2',
    'rest-2.5',
    'week-3',
    'week-10',
  ]);
});

test('weeks outside a span are not looked at', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  const { db } = database;
  const { rows } = await sql<{ 'QUERY PLAN': string }>`
    explain select * from mcp_proxy.api_analytics
    where id >= mcp_proxy.first_id(${new Date(now - day)}::timestamptz) and id < mcp_proxy.first_id(${new Date(now)}::timestamptz)`.execute(
    db,
  );
  const plan = rows.map((row) => row['QUERY PLAN']).join('\n');
  expect([...new Set(plan.match(/api_analytics_\d{8}/g))]).toEqual(['api_analytics_20261116']);
});

test('the program reaches a week through the whole alone', async () => {
  const database = await testDatabase();
  await keepWeeks(database);
  await keepWeeks(database, now + 7 * day);
  for (const statement of ['select 1 from', 'delete from', 'truncate'])
    for (const week of ['20261116', '20270118'])
      await expect(
        sql`${sql.raw(statement)} mcp_proxy.${sql.id(`api_analytics_${week}`)}`.execute(database.db),
      ).rejects.toMatchObject({
        code: '42501',
      });
  await database.walls.raise();
  expect(database.walls.missing()).toBeNull();
});
