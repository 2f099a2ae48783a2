import { randomUUID } from 'node:crypto';
import { appendFile, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { renameTable, testDatabase, whileLocked } from '../../test/database.ts';
import type { Db } from '../platform/db/index.ts';
import { createLog } from '../platform/log.ts';
import type { CallRecord } from './contract.ts';
import { createRecorder, type Recorder, type RecorderOptions } from './recorder.ts';

const noon = Date.UTC(2026, 10, 20, 12);

function call(over: Partial<CallRecord> = {}): CallRecord {
  return {
    id: randomUUID(),
    at: noon,
    requestId: 'r-1',
    principal: 'alice@acme.com',
    authSource: 'api-token',
    tenant: 'acme',
    face: 'stream',
    httpMethod: 'POST',
    endpoint: '/mcp/{server}',
    rpcMethod: 'tools/call',
    server: 'github',
    tool: 'get_issue',
    outcome: 'ok',
    reason: null,
    status: 200,
    milliseconds: 1.5,
    bytesIn: 10,
    bytesOut: 20,
    userAgent: 'test',
    clientIp: '192.0.2.1',
    credentialId: null,
    arguments: null,
    ...over,
  };
}

async function folder(): Promise<string> {
  const dir = await mkdtemp(path.join(tmpdir(), 'toolgate-spill-'));
  onTestFinished(() => rm(dir, { recursive: true, force: true }));
  return dir;
}

/** Flushes only when a test says so. */
async function startRecorder(o: Partial<RecorderOptions> & { db: Db }): Promise<Recorder> {
  const recorder = await createRecorder({
    spillDir: await folder(),
    log: createLog('silent'),
    clock: () => noon,
    flushMs: 3_600_000,
    closeMs: 200,
    ...o,
  });
  onTestFinished(() => recorder.close());
  return recorder;
}

function recordMany(recorder: Recorder, count: number): string[] {
  return Array.from({ length: count }, () => {
    const record = call();
    recorder.record(record);
    return record.id;
  });
}

async function storedIds(db: Db): Promise<string[]> {
  const { rows } = await sql<{ id: string }>`select id::text as id from mcp_proxy.api_analytics`.execute(db);
  return rows.map((row) => row.id).sort();
}

const takeTableAway = (db: Db) => renameTable(db, 'api_analytics', 'away');
const bringTableBack = (db: Db) => renameTable(db, 'away', 'api_analytics');

async function filesIn(dir: string, prefix: string): Promise<string[]> {
  return (await readdir(dir)).filter((name) => name.startsWith(prefix));
}

test('every record is stored, whatever the size of the batches', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db, batchSize: 7 });
  const ids = recordMany(recorder, 50);
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
  expect(recorder.state()).toEqual({ queued: 0, spilled: 0, degradedSince: null, lost: 0, rejected: 0 });
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
  expect(recorder.state()).toEqual({ queued: 0, spilled: 0, degradedSince: null, lost: 0, rejected: 0 });
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

test('a shutdown while the database is gone puts everything on disk, and the next start stores it', async () => {
  const gone = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db: gone.db, spillDir, batchSize: 10 });
  await gone.close();
  const ids = recordMany(recorder, 25);
  await recorder.close();
  expect(recorder.state()).toMatchObject({ queued: 0, spilled: 25, lost: 0 });

  const { db } = await testDatabase();
  const next = await startRecorder({ db, spillDir, flushMs: 5 });
  expect(next.state().spilled).toBe(25);
  await expect.poll(() => readdir(spillDir)).toEqual([]);
  expect(await storedIds(db)).toEqual(ids.sort());
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

test('what a crash left behind is stored: a torn last line is counted, a damaged one is set aside', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const whole = [call(), call()];
  const older = path.join(spillDir, 'calls-1000-000000-aa.jsonl');
  await writeFile(older, `${JSON.stringify(whole[0])}\n{"id": broken\n${JSON.stringify(whole[1])}\n`);
  await appendFile(older, JSON.stringify(call()).slice(0, 50));
  await writeFile(path.join(spillDir, 'calls-2000-000000-bb.jsonl'), '{"id":"only half of a li');

  const recorder = await startRecorder({ db, spillDir });
  await recorder.flush();
  expect(await storedIds(db)).toEqual(whole.map((record) => record.id).sort());
  expect(recorder.state()).toMatchObject({ spilled: 0, lost: 2, rejected: 1 });
  expect(await filesIn(spillDir, 'calls-')).toEqual([]);
  const [rejected = ''] = await filesIn(spillDir, 'rejected-');
  expect(await readFile(path.join(spillDir, rejected), 'utf8')).toContain('broken');
});

test('a spill file that vanished or cannot be read does not hold up the others', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const record = call();
  await writeFile(path.join(spillDir, 'calls-1000-000000-aa.jsonl'), `${JSON.stringify(call())}\n`);
  await writeFile(path.join(spillDir, 'calls-2000-000000-bb.jsonl'), `${JSON.stringify(record)}\n`);
  const recorder = await startRecorder({ db, spillDir });
  await rm(path.join(spillDir, 'calls-1000-000000-aa.jsonl'));
  await recorder.flush();
  await recorder.flush();
  expect(await storedIds(db)).toEqual([record.id]);
  expect(recorder.state().spilled).toBe(0);
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
  expect(recorder.state()).toEqual({ queued: 0, spilled: 0, degradedSince: null, lost: 0, rejected: 2 });
  const [rejected = ''] = await filesIn(spillDir, 'rejected-');
  const lines = (await readFile(path.join(spillDir, rejected), 'utf8')).trim().split('\n');
  expect(lines.map((line) => JSON.parse(line).record.id)).toContain('no uuid');
});

test('when the disk is full as well, the gate is asked to refuse calls, and what is lost is counted', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db, maxInMemory: 10, maxSpillBytes: 10 });
  await takeTableAway(db);
  const kept = recordMany(recorder, 10);
  await recorder.flush();
  expect(recorder.accepting()).toBe(false);

  kept.push(...recordMany(recorder, 10)); // Calls that were under way still have room.
  recordMany(recorder, 3);
  expect(recorder.state()).toMatchObject({ queued: 20, lost: 3 });

  await bringTableBack(db);
  await recorder.flush();
  expect(recorder.accepting()).toBe(true);
  expect(await storedIds(db)).toEqual(kept.sort());
  expect(recorder.state()).toMatchObject({ queued: 0, lost: 3, degradedSince: null });
});

test('a spill folder that cannot be used is an error at start', async () => {
  const { db } = await testDatabase();
  const file = path.join(await folder(), 'file');
  await writeFile(file, '');
  await expect(startRecorder({ db, spillDir: path.join(file, 'spill') })).rejects.toMatchObject({
    code: 'spill_unwritable',
  });
});
