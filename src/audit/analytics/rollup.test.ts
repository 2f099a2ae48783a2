import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { callRecord, storeCalls } from '../../../test/call-record.ts';
import { testDatabase } from '../../../test/database.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { api } from '../contract.ts';
import { rollupJob } from './rollup.ts';
import { summarize } from './summary-store.ts';

const hour = 3_600_000;
const day = 24 * hour;
const noon = Date.UTC(2026, 10, 20, 12);

/** The job with its own memory, as the table of jobs keeps it. */
function rollups(database: Database, now = noon, retainDays = 90) {
  const kept = { state: {} };
  const clock = { now };
  const run = () =>
    rollupJob({ database, now: async () => new Date(clock.now), retainDays: () => retainDays }).run({
      state: JSON.parse(JSON.stringify(kept.state)),
      signal: new AbortController().signal,
      keep: async (state) => {
        kept.state = state;
      },
    });
  return { run, clock };
}

const ask = (db: Db, query: Record<string, unknown>) =>
  summarize(
    db,
    api.summary.query.parse({ from: '2026-11-19T00:00:00Z', to: '2026-11-21T00:00:00Z', ...query }),
  );

const briefly = (lines: Awaited<ReturnType<typeof ask>>) => lines.map(({ key, requests }) => [key, requests]);

test('requests are counted by hour, and by what they were', async () => {
  const database = await testDatabase();
  await storeCalls(
    database.db,
    { at: noon },
    { at: noon + 1, outcome: 'denied', milliseconds: 1 },
    { at: noon + hour, outcome: 'timeout', server: 'jira', milliseconds: 20_000 },
    { at: noon - day, tenant: 'globex' },
  );
  await rollups(database, noon + 2 * hour).run();
  const { db } = database;
  expect(briefly(await ask(db, { by: 'hour' }))).toEqual([
    ['2026-11-19T12:00:00Z', 1],
    ['2026-11-20T12:00:00Z', 2],
    ['2026-11-20T13:00:00Z', 1],
  ]);
  expect(briefly(await ask(db, { by: 'day' }))).toEqual([
    ['2026-11-19T00:00:00Z', 1],
    ['2026-11-20T00:00:00Z', 3],
  ]);
  expect(briefly(await ask(db, { by: 'tenant' }))).toEqual([
    ['acme', 3],
    ['globex', 1],
  ]);
  expect(await ask(db, { by: 'server', tenant: 'acme' })).toEqual([
    {
      key: 'github',
      requests: 2,
      failed: 0,
      refused: 1,
      averageMs: 10.5,
      p95Ms: 50,
      bytesIn: 20,
      bytesOut: 40,
    },
    {
      key: 'jira',
      requests: 1,
      failed: 1,
      refused: 0,
      averageMs: 20_000,
      p95Ms: null,
      bytesIn: 10,
      bytesOut: 20,
    },
  ]);
  expect(briefly(await ask(db, { by: 'user' }))).toEqual([['alice@acme.com', 4]]);
});

test('counting again changes nothing, and records that come late are counted', async () => {
  const database = await testDatabase();
  const { run } = rollups(database);
  await storeCalls(database.db, { at: noon });
  await run();
  await run();
  expect(briefly(await ask(database.db, { by: 'day' }))).toEqual([['2026-11-20T00:00:00Z', 1]]);
  await storeCalls(database.db, { at: noon - day }, { at: noon });
  await run();
  expect(briefly(await ask(database.db, { by: 'day' }))).toEqual([
    ['2026-11-19T00:00:00Z', 1],
    ['2026-11-20T00:00:00Z', 2],
  ]);
});

test('what was counted stays when the records are deleted', async () => {
  const database = await testDatabase();
  const { run, clock } = rollups(database);
  await storeCalls(database.db, { at: noon }, { at: noon });
  await run();
  clock.now = noon + 91 * day;
  await storeCalls(database.db, { at: noon });
  await run();
  expect(briefly(await ask(database.db, { by: 'day' }))).toEqual([['2026-11-20T00:00:00Z', 2]]);
});

test('counts are kept for two years', async () => {
  const database = await testDatabase();
  const { run, clock } = rollups(database);
  await storeCalls(database.db, { at: noon });
  await run();
  clock.now = noon + 733 * day;
  await run();
  expect(await ask(database.db, { by: 'day' })).toEqual([]);
});

test('names that callers make up do not fill the counts', async () => {
  const database = await testDatabase();
  const tools = Array.from({ length: 300 }, (_, at) => callRecord({ at: noon, tool: `made-up-${at}` }));
  await storeCalls(
    database.db,
    ...tools,
    ...tools.map((one, at) => ({ ...one, id: callRecord().id, server: `s-${at % 3}` })),
  );
  await storeCalls(database.db, { at: noon, tool: 'real' }, { at: noon, tool: 'real' });
  await rollups(database).run();
  const { rows } = await sql<{ count: number }>`
    select count(distinct tool)::int as count from mcp_proxy.analytics_hourly where server = 'github'`.execute(
    database.db,
  );
  expect(rows).toEqual([{ count: 201 }]);
  const lines = await ask(database.db, { by: 'tool', server: 'github', limit: 1_000 });
  expect(lines.find(({ key }) => key === 'real')?.requests).toBe(2);
  expect(lines.find(({ key }) => key === '*')?.requests).toBe(101);
});
