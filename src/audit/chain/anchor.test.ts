import { createHmac, createPublicKey, verify } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { change, recordedWorld, tamper } from '../../../test/audit-world.ts';
import { httpReceiver } from '../../../test/fakes/log-receivers.ts';
import type { Db } from '../../platform/db/index.ts';
import { createGuardedFetch } from '../../platform/guarded-fetch.ts';
import { createLog } from '../../platform/log.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import { createJobs } from '../jobs/jobs.ts';
import { writeAudit } from '../store.ts';
import { anchorJob } from './anchor.ts';
import { anchorSigner } from './anchor-line.ts';
import { checkJob } from './check.ts';

const signer = anchorSigner(Buffer.alloc(32, 1));

function anchoring(db: Db, settings: { file?: string; url?: string; secret?: string }) {
  const fetch = createGuardedFetch({ guard: createNetGuard({ allow: ['127.0.0.0/8'] }), deadlineMs: 300 });
  const job = anchorJob({ db, clock: () => 0, fetch, signer, settings: { everyMinutes: 15, ...settings } });
  const check = checkJob({ db, log: createLog('silent'), anchors: () => settings.file });
  const jobs = createJobs({ db, log: createLog('silent'), jobs: [job, check] });
  onTestFinished(async () => {
    await jobs.close();
    await fetch.close();
  });
  return { anchor: () => jobs.run('audit anchor'), check: () => jobs.run('audit check') };
}

function anchorFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-anchors-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return path.join(folder, 'anchors.jsonl');
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
  const { rows } = await sql`
    select actor, after from mcp_proxy.audit_log where action = 'audit.verification_failed'`.execute(db);
  expect(rows).toEqual([{ actor: 'toolgate', after: expect.objectContaining({ kind: 'anchor', seq: 2 }) }]);
});
