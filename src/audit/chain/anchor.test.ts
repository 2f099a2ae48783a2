import { createHmac, createPublicKey, verify } from 'node:crypto';
import { appendFileSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { change, recordedWorld, tamper } from '../../../test/audit-world.ts';
import { whileLocked } from '../../../test/database.ts';
import { httpReceiver } from '../../../test/fakes/log-receivers.ts';
import type { Db } from '../../platform/db/index.ts';
import { createGuardedFetch } from '../../platform/guarded-fetch.ts';
import { createLog } from '../../platform/log.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import { createJobs } from '../jobs/jobs.ts';
import { writeAudit } from '../store.ts';
import { anchorJob } from './anchor.ts';
import { anchorSigner } from './anchor-line.ts';
import { chainHead } from './chain-store.ts';
import { checkJob } from './check.ts';
import { chainStanding } from './standing.ts';

const signer = anchorSigner(Buffer.alloc(32, 1));

function anchoring(db: Db, settings: { file?: string; url?: string; secret?: string }) {
  const fetch = createGuardedFetch({ guard: createNetGuard({ allow: ['127.0.0.0/8'] }), deadlineMs: 300 });
  const missing = () => jobs.run('audit check');
  const base = { db, clock: () => 0, fetch, signer, missing };
  const job = anchorJob({ ...base, settings: { everyMinutes: 15, ...settings } });
  const check = checkJob({
    ...{ db, log: createLog('silent'), key: signer.publicKey },
    anchors: () => settings.file,
  });
  const jobs = createJobs({ db, log: createLog('silent'), jobs: [job, check] });
  onTestFinished(async () => {
    await jobs.close();
    await fetch.close();
  });
  return {
    anchor: () => jobs.run('audit anchor'),
    check: () => jobs.run('audit check'),
    brokenSince: chainStanding(db),
  };
}

function anchorFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-anchors-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return path.join(folder, 'anchors.jsonl');
}

async function broken(db: Db) {
  const { rows } = await sql`
    select actor, after from mcp_proxy.audit_log where action = 'audit.verification_failed'`.execute(db);
  return rows;
}

const linesOf = (file: string) => readFileSync(file, 'utf8').trimEnd().split('\n');

test('the head goes to the file whenever something was recorded, and not otherwise', async () => {
  const { db } = await recordedWorld(2);
  const file = anchorFile();
  const { anchor } = anchoring(db, { file });
  await anchor();
  await anchor();
  await writeAudit(db, change());
  await anchor();
  expect(linesOf(file).map((line) => JSON.parse(line).seq)).toEqual([2, 3]);
});

test('a line is signed by the installation, and no other line has its signature', () => {
  const line = signer.line({ seq: 7, hash: 'ab' }, new Date(0));
  const { signature, ...said } = JSON.parse(line);
  const key = createPublicKey({ key: Buffer.from(signer.publicKey, 'base64'), format: 'der', type: 'spki' });
  const isBy = (text: object) =>
    verify(null, Buffer.from(JSON.stringify(text)), key, Buffer.from(signature, 'base64'));
  expect(isBy(said)).toBe(true);
  expect(isBy({ ...said, seq: 8 })).toBe(false);
  expect(anchorSigner(Buffer.alloc(32, 1)).publicKey).toBe(signer.publicKey);
  expect(anchorSigner(Buffer.alloc(32, 2)).publicKey).not.toBe(signer.publicKey);
});

test('a line goes to the file once, however often the other place refuses it', async () => {
  const { db } = await recordedWorld(1);
  const receiver = await httpReceiver();
  const file = anchorFile();
  const { anchor } = anchoring(db, { file, url: receiver.url });
  receiver.mood = 'refuses';
  await expect(anchor()).rejects.toThrow(/503/);
  await expect(anchor()).rejects.toThrow(/503/);
  receiver.mood = 'takes';
  await anchor();
  expect(linesOf(file)).toHaveLength(1);
  expect(receiver.bodies.at(-1)).toBe(linesOf(file)[0]);
});

test('part of a line, of a process that was killed, spoils no other line', async () => {
  const { db } = await recordedWorld(1);
  const file = anchorFile();
  const { anchor, check } = anchoring(db, { file });
  appendFileSync(file, '{"kind":"toolgate au');
  await anchor();
  expect(linesOf(file)).toHaveLength(2);
  expect(JSON.parse(linesOf(file)[1] ?? '')).toMatchObject({ seq: 1 });
  await check();
  expect(await broken(db)).toEqual([]);
});

test('an anchor of a time when the installation had another secret is no sign of a change', async () => {
  const { db } = await recordedWorld(1);
  const file = anchorFile();
  const head = (await chainHead(db))!;
  appendFileSync(file, `${anchorSigner(Buffer.alloc(32, 2)).line(head, new Date(0))}\n`);
  await anchoring(db, { file }).check();
  expect(await broken(db)).toEqual([]);
});

test('an anchor that somebody else put into the file is told of in the log of changes', async () => {
  const { db } = await recordedWorld(1);
  const file = anchorFile();
  const line = signer.line((await chainHead(db))!, new Date(0));
  appendFileSync(file, `${line.replace('1970-', '1971-')}\n`);
  await anchoring(db, { file }).check();
  expect(await broken(db)).toEqual([
    { actor: 'toolgate', after: expect.objectContaining({ kind: 'anchor_signature' }) },
  ]);
});

test('a POST has the HMAC of its body, and comes again until it is taken', async () => {
  const { db } = await recordedWorld(1);
  const receiver = await httpReceiver();
  const secret = 'a-secret-of-16-characters';
  const { anchor } = anchoring(db, { url: receiver.url, secret });
  receiver.mood = 'refuses';
  await expect(anchor()).rejects.toThrow(/503/);
  receiver.mood = 'takes';
  await anchor();
  const body = receiver.bodies[0] ?? '';
  const signature = `sha256=${createHmac('sha256', secret).update(body).digest('hex')}`;
  expect(receiver.headers[0]).toMatchObject({ 'x-toolgate-signature': signature });
  expect(JSON.parse(body)).toMatchObject({ kind: 'toolgate audit anchor 1', seq: 1 });
});

test('a chain that was made anew since its head was anchored is told of in the log of changes', async () => {
  const { db } = await recordedWorld(2);
  const { anchor, check } = anchoring(db, { file: anchorFile() });
  await anchor();
  await check();
  await tamper(db, sql`truncate mcp_proxy.audit_log, mcp_proxy.audit_chain restart identity`);
  await writeAudit(db, change());
  await writeAudit(db, change({ actor: 'mallory' }));
  await check();
  expect(await broken(db)).toEqual([
    { actor: 'toolgate', after: expect.objectContaining({ kind: 'anchor', seq: 2 }) },
  ]);
});

describe('what a check finds', () => {
  test('is known to every process, since it was first found and until all is in order', async () => {
    const { db } = await recordedWorld(3);
    const { check, brokenSince } = anchoring(db, {});
    await check();
    expect(await brokenSince()).toBeNull();
    await tamper(db, sql`update mcp_proxy.audit_log set actor = 'mallory' where id = 2`);
    await check();
    const since = await brokenSince();
    expect(since).toBeInstanceOf(Date);
    await check();
    expect(await chainStanding(db)()).toEqual(since);
    await tamper(db, sql`update mcp_proxy.audit_log set actor = 'alice@acme.com' where id = 2`);
    await check();
    expect(await brokenSince()).toBeNull();
  });

  test('is what was known last while the database says nothing', async () => {
    const { db } = await recordedWorld(1);
    const { check, brokenSince } = anchoring(db, {});
    await tamper(db, sql`update mcp_proxy.audit_log set actor = 'mallory' where id = 1`);
    await check();
    const since = await brokenSince();
    await whileLocked(db, 'jobs', async () => expect(await brokenSince()).toEqual(since));
  });
});

describe('a file of anchors', () => {
  const tricks: [string, (file: string) => void, RegExp][] = [
    ['that is gone', (file) => rmSync(file), /is gone/],
    ['that is empty', (file) => writeFileSync(file, ''), /is gone or empty/],
    ['whose end was cut off', (file) => writeFileSync(file, `${linesOf(file)[0]}\n`), /bytes, and had/],
    [
      'whose last line is another, of the same length',
      (file) => writeFileSync(file, `${linesOf(file)[0]}\n`.repeat(2)),
      /has 1 of them, and had 2/,
    ],
  ];
  async function twice() {
    const { db } = await recordedWorld(2);
    const file = anchorFile();
    const at = anchoring(db, { file });
    await at.anchor();
    await writeAudit(db, change());
    await at.anchor();
    await at.check();
    expect(await at.brokenSince()).toBeNull();
    return { db, file, ...at };
  }

  test.each(tricks)('%s is found, also after a new line was written', async (_, trick, message) => {
    const { db, file, anchor, check, brokenSince } = await twice();
    trick(file);
    await check();
    const found = {
      actor: 'toolgate',
      after: { kind: 'anchor_file', message: expect.stringMatching(message) },
    };
    expect(await broken(db)).toMatchObject([found]);
    expect(await brokenSince()).not.toBeNull();
    await anchor();
    await check();
    expect(await brokenSince()).not.toBeNull();
  });

  test('that is gone is found when the next anchor is due', async () => {
    const { file, anchor, brokenSince } = await twice();
    rmSync(file);
    await anchor();
    expect(await brokenSince()).not.toBeNull();
  });

  test('that is gone is found by whoever wrote it, also when the database says that there was none', async () => {
    const { db, file, check, brokenSince } = await twice();
    rmSync(file);
    await sql`update mcp_proxy.jobs set state = '{}' where name = 'audit anchor'`.execute(db);
    await check();
    expect(await brokenSince()).not.toBeNull();
  });

  test('that cannot be read is no file without anchors', async () => {
    const { file, check } = await twice();
    rmSync(file);
    mkdirSync(file);
    await expect(check()).rejects.toThrow(/EISDIR/);
  });

  test('with another name begins anew', async () => {
    const { db } = await twice();
    const other = anchorFile();
    const { anchor, check, brokenSince } = anchoring(db, { file: other });
    await anchor();
    await check();
    expect(linesOf(other)).toHaveLength(1);
    expect(await brokenSince()).toBeNull();
  });
});
