import { readdir, readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase, whileLocked } from '../../test/database.ts';
import {
  bringTableBack,
  call,
  filesIn,
  folder,
  idle,
  noon,
  recordMany,
  startRecorder,
  storedIds,
  takeTableAway,
} from '../../test/recorder-world.ts';

test('every record is stored, whatever the size of the batches', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db, batchSize: 7 });
  const ids = recordMany(recorder, 50);
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
  expect(recorder.state()).toEqual({ ...idle });
});

test('where requests are not recorded, they are only shown to whoever watches', async () => {
  const { db } = await testDatabase();
  const seen: string[] = [];
  const recorder = await startRecorder({ db, keeps: false, seen: ({ id }) => void seen.push(id) });
  const ids = recordMany(recorder, 3);
  await recorder.flush();
  expect([await storedIds(db), seen]).toEqual([[], ids]);
  expect(recorder.state()).toEqual({ ...idle });
});

test('records reach the database without a flush', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db, flushMs: 5 });
  const ids = recordMany(recorder, 3);
  await expect.poll(() => storedIds(db)).toEqual(ids.sort());
});

test('all fields arrive as they were', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db });
  recorder.record(
    call({ arguments: '{"big":12345678901234567890,"a":"b"}', reason: 'because', milliseconds: 0.25 }),
  );
  await recorder.flush();
  const { rows } = await sql<Record<string, unknown>>`
    select timestamp, user_email, method, endpoint, status_code, response_time_ms, bytes_out::int as bytes_out, reason,
           arguments::text as arguments from mcp_proxy.api_analytics`.execute(db);
  expect(rows).toEqual([
    {
      timestamp: new Date(noon),
      user_email: 'alice@acme.com',
      method: 'POST',
      endpoint: '/mcp/{server}',
      status_code: 200,
      response_time_ms: 0.25,
      bytes_out: 20,
      reason: 'because',
      arguments: '{"a": "b", "big": 12345678901234567890}',
    },
  ]);
});

test('a record that comes twice is stored once', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db });
  const twice = call();
  recorder.record(twice);
  recorder.record(twice);
  await recorder.flush();
  recorder.record(twice);
  await recorder.flush();
  expect(await storedIds(db)).toEqual([twice.id]);
});

test('text that PostgreSQL cannot hold is cleaned, not refused', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db });
  recorder.record(call({ tool: 'a\u0000b\ud800', userAgent: 'x'.repeat(100_000), milliseconds: Number.NaN }));
  recorder.record(call({ arguments: '{"k\\u0000":"v\\u0000\\ud800"}' }));
  recorder.record(call({ arguments: 'no json \u0000' }));
  recorder.record(call({ arguments: JSON.stringify('y'.repeat(1_000_000)) }));
  await recorder.flush();
  const { rows } = await sql<{ tool: string; arguments: unknown }>`
    select tool, arguments from mcp_proxy.api_analytics where tool like 'a%' or arguments::text like '%v%'
    order by tool`.execute(db);
  expect(rows).toEqual([
    { tool: 'ab\ufffd', arguments: null },
    { tool: 'get_issue', arguments: { k: 'v\ufffd' } },
  ]);
  expect(await storedIds(db)).toHaveLength(4);
  expect(recorder.state().rejected).toBe(0);
});

test('a database that is away costs no record: memory first, then disk, then all of it is stored', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db, spillDir, maxInMemory: 40, batchSize: 10 });
  await takeTableAway(db);

  const ids = recordMany(recorder, 30);
  await recorder.flush();
  expect(recorder.state()).toMatchObject({ queued: 30, spilled: 0, degradedSince: new Date(noon) });

  ids.push(...recordMany(recorder, 45));
  await recorder.flush();
  const { queued, spilled } = recorder.state();
  expect({ sum: queued + spilled, withinBound: queued < 40 }).toEqual({ sum: 75, withinBound: true });
  expect(recorder.accepting()).toBe(true);
  const [file = ''] = await filesIn(spillDir, 'calls-');
  expect((await stat(path.join(spillDir, file))).mode & 0o777).toBe(0o600);

  ids.push(...recordMany(recorder, 5));
  await bringTableBack(db);
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
  expect(recorder.state()).toEqual({ ...idle });
  expect(await readdir(spillDir)).toEqual([]);
});

test('a database that hangs is as good as away', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db, maxInMemory: 10, insertMs: 30 });
  let ids: string[] = [];
  await whileLocked(db, 'api_analytics', async () => {
    ids = recordMany(recorder, 12);
    await recorder.flush();
    const { queued, spilled, degradedSince } = recorder.state();
    expect({ sum: queued + spilled, degradedSince }).toEqual({ sum: 12, degradedSince: new Date(noon) });
    expect(spilled).toBeGreaterThan(0);
  });
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
  expect(recorder.state()).toMatchObject({ queued: 0, spilled: 0, lost: 0 });
});

test('a shutdown does not wait for a database that hangs', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db, spillDir, closeMs: 30 });
  await whileLocked(db, 'api_analytics', async () => {
    recordMany(recorder, 12);
    await recorder.close();
  });
  expect(recorder.state()).toMatchObject({ queued: 0, spilled: 12, lost: 0 });
});

test('records that the database refuses are set aside and hold up none of the others', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db, spillDir, batchSize: 16 });
  const ids = recordMany(recorder, 20);
  recorder.record(call({ id: 'no uuid' }));
  recorder.record(call({ arguments: '1e999999' }));
  ids.push(...recordMany(recorder, 20));
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
  expect(recorder.state()).toEqual({ ...idle, rejected: 2 });
  const [rejected = ''] = await filesIn(spillDir, 'rejected-');
  const lines = (await readFile(path.join(spillDir, rejected), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).record.id)).toContain('no uuid');
});

test('what was only counted is told of without another request, and shown to whoever counts refusals', async () => {
  const { db } = await testDatabase();
  let seen = 0;
  const recorder = await startRecorder({ db, flushMs: 5, seen: () => (seen += 1) });
  const nobody = { principal: null, status: 401, outcome: 'unauthenticated' } as const;
  for (let at = 0; at < 80; at++) recorder.record(call(nobody));
  expect(seen).toBe(80);
  await expect.poll(() => storedIds(db)).toHaveLength(51);
  expect(recorder.state()).toEqual(idle);
});
