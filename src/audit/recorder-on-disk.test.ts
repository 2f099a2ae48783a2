import { appendFile, copyFile, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
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

test('a record is in a file before anybody is answered, so that a killed process loses none', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db, spillDir, batchSize: 10 });
  const ids = recordMany(recorder, 25);
  const files = (await filesIn(spillDir, 'calls-')).sort();
  expect(files).toHaveLength(3);
  // What the next process finds of one that was killed.
  const left = await folder();
  for (const file of files) await copyFile(path.join(spillDir, file), path.join(left, file));

  const next = await startRecorder({ db, spillDir: left });
  expect(next.state().spilled).toBe(25);
  await next.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids);
  expect(await readdir(spillDir)).toEqual([]);
});

test('a disk that takes nothing is told of, left alone for a while and tried again; the database gets all records', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  let now = noon;
  const recorder = await startRecorder({ db, spillDir, batchSize: 5, clock: () => now });
  await rm(spillDir, { recursive: true });
  const ids = recordMany(recorder, 3);
  expect(recorder.state().diskRefusedSince).toEqual(new Date(noon));
  await mkdir(spillDir);
  ids.push(...recordMany(recorder, 2));
  expect(await readdir(spillDir)).toEqual([]);
  now += 10_000;
  ids.push(...recordMany(recorder, 2));
  expect(await filesIn(spillDir, 'calls-')).toHaveLength(1);
  expect(recorder.state()).toEqual({ ...idle, queued: 7 });
  await recorder.flush();
  expect(await storedIds(db)).toEqual(ids.sort());
});

test('records that the disk did not take at first are put there when memory has to be freed, each once', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db, spillDir, batchSize: 5 });
  const ids = recordMany(recorder, 2);
  await rm(spillDir, { recursive: true });
  ids.push(...recordMany(recorder, 7));
  await mkdir(spillDir);
  await takeTableAway(db);
  await recorder.close();
  await bringTableBack(db);
  const next = await startRecorder({ db, spillDir });
  await next.flush();
  expect(next.state()).toEqual(idle);
  expect(await storedIds(db)).toEqual(ids.sort());
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

test('those that are refused for want of room leave what there is to calls under way, and are counted', async () => {
  const { db } = await testDatabase();
  const recorder = await startRecorder({ db, maxInMemory: 10, maxSpillBytes: 10 });
  await takeTableAway(db);
  recordMany(recorder, 10);
  await recorder.flush();
  const refused = { outcome: 'error', reason: 'records_full', status: 503 } as const;
  for (let at = 0; at < 100; at++) recorder.record(call({ ...refused, requestId: `refused-${at}` }));
  recordMany(recorder, 5);
  expect(recorder.state()).toMatchObject({ queued: 20, lost: 0 });

  await bringTableBack(db);
  await recorder.flush();
  const { rows } = await sql<{ request_id: string; user_email: string | null; arguments: unknown }>`
    select request_id, user_email, arguments from mcp_proxy.api_analytics where reason = 'records_full'
  `.execute(db);
  expect(rows.filter(({ request_id }) => request_id.startsWith('refused-'))).toHaveLength(5);
  expect(rows.filter(({ request_id }) => request_id === '-')).toEqual([
    { request_id: '-', user_email: null, arguments: { requests: 95 } },
  ]);
  expect(recorder.state()).toMatchObject({ queued: 0, lost: 0 });
});

test('a spill folder that cannot be used is an error at start', async () => {
  const { db } = await testDatabase();
  const file = path.join(await folder(), 'file');
  await writeFile(file, '');
  await expect(startRecorder({ db, spillDir: path.join(file, 'spill') })).rejects.toMatchObject({
    code: 'spill_unwritable',
  });
});

test('whatever is long in a call is cut, so that nobody fills memory and disk, and files can be read', async () => {
  const { db } = await testDatabase();
  const spillDir = await folder();
  const recorder = await startRecorder({ db, spillDir });
  const long = 'm'.repeat(4_000_000);
  const all = { requestId: long, tenant: long, endpoint: long, rpcMethod: long, server: long, tool: long };
  for (let at = 0; at < 20; at++)
    recorder.record(call({ ...all, reason: long, userAgent: long, clientIp: long }));
  for (let at = 0; at < 200; at++) recorder.record(call({ arguments: JSON.stringify('y'.repeat(7_990)) }));
  const sizes = await Promise.all(
    (await filesIn(spillDir, 'calls-')).map(async (name) => (await stat(path.join(spillDir, name))).size),
  );
  expect(Math.max(...sizes)).toBeLessThan(1_100_000);
  expect(sizes.reduce((sum, size) => sum + size, 0)).toBeLessThan(2_000_000);
  await recorder.flush();
  expect(recorder.state()).toEqual(idle);
  expect(await storedIds(db)).toHaveLength(220);
});
