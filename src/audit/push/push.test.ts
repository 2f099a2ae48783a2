import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { change, recordedWorld } from '../../../test/audit-world.ts';
import { callRecord, storeCalls } from '../../../test/call-record.ts';
import { asOwner } from '../../../test/database.ts';
import { localhostCertificate } from '../../../test/fakes/localhost-certificate.ts';
import { httpReceiver, syslogReceiver, udpReceiver } from '../../../test/fakes/log-receivers.ts';
import type { Db } from '../../platform/db/index.ts';
import { createGuardedFetch } from '../../platform/guarded-fetch.ts';
import { createLog } from '../../platform/log.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import { auditFile, type PushTarget } from '../contract.ts';
import { createJobs } from '../jobs/jobs.ts';
import { writeAudit } from '../store.ts';
import { httpSender } from './http.ts';
import { pushJob, type Send } from './push.ts';
import { syslogLine, syslogSender } from './syslog.ts';

const guard = createNetGuard({ allow: ['127.0.0.0/8'] });
const never = new AbortController().signal;

function target(over: object): PushTarget {
  const [found] = auditFile.parse({
    push: [{ name: 'siem', kind: 'http', url: 'http://127.0.0.1/', ...over }],
  }).push;
  if (!found) throw new Error('no target');
  return found;
}

function sending(deadlineMs = 300) {
  const fetch = createGuardedFetch({ guard, deadlineMs });
  onTestFinished(() => fetch.close());
  return fetch;
}

/** A process that sends when a test says so. */
function sender(db: Db, send: Send, over: object = {}) {
  const jobs = createJobs({
    db,
    log: createLog('silent'),
    jobs: [pushJob({ db, target: target(over), send })],
  });
  onTestFinished(() => jobs.close());
  return () => jobs.run('push siem');
}

const seqs = (rows: { chain: { seq: number } }[]) => rows.map(({ chain }) => chain.seq);
const upTo = (count: number) => Array.from({ length: count }, (_, at) => at + 1);

describe('over HTTP', () => {
  test('every change is sent once, in order, and what came since the next time', async () => {
    const { db } = await recordedWorld(450);
    const receiver = await httpReceiver();
    const push = sender(db, httpSender(sending(), { url: receiver.url, bearer: 'very-secret' }));
    await push();
    await push();
    await writeAudit(db, change());
    await push();
    expect(seqs(receiver.rows())).toEqual(upTo(451));
    expect(receiver.rows()[0]).toMatchObject({
      type: 'audit',
      actor: 'alice@acme.com',
      action: 'group.update',
    });
    expect(receiver.headers[0]).toMatchObject({ authorization: 'Bearer very-secret' });
    expect(JSON.stringify(receiver.rows())).not.toContain('salts');
  });

  test.each(['refuses', 'drops', 'hangs'] as const)('nothing is lost while the receiver %s', async (mood) => {
    const { db } = await recordedWorld(250);
    const receiver = await httpReceiver();
    const push = sender(db, httpSender(sending(), { url: receiver.url }));
    receiver.mood = mood;
    await expect(push()).rejects.toThrow();
    receiver.mood = 'takes';
    await push();
    expect([...new Set(seqs(receiver.rows()))]).toEqual(upTo(250));
  });

  test('another process goes on where the one before stopped', async () => {
    const { db } = await recordedWorld(3);
    const receiver = await httpReceiver();
    const send = httpSender(sending(), { url: receiver.url });
    await sender(db, send)();
    await writeAudit(db, change());
    await sender(db, send)();
    expect(seqs(receiver.rows())).toEqual(upTo(4));
  });

  test('two processes at once send as one', async () => {
    const { db } = await recordedWorld(300);
    const receiver = await httpReceiver();
    const send = httpSender(sending(5_000), { url: receiver.url });
    const turns = await Promise.all([sender(db, send)(), sender(db, send)()]);
    expect(turns.toSorted()).toEqual([false, true]);
    expect(seqs(receiver.rows())).toEqual(upTo(300));
  });

  test('a private address is not reached unless it is allowed', async () => {
    const { db } = await recordedWorld(1);
    const receiver = await httpReceiver();
    const closed = createGuardedFetch({ guard: createNetGuard({ allow: [] }) });
    onTestFinished(() => closed.close());
    await expect(sender(db, httpSender(closed, { url: receiver.url }))()).rejects.toMatchObject({
      kind: 'not_allowed',
    });
    expect(receiver.bodies).toEqual([]);
  });
});

describe('requests', () => {
  const at = Date.UTC(2026, 10, 20);
  /** As if the records had been stored so many seconds ago. */
  const age = (db: Db, seconds: number) =>
    asOwner(db, (owner) =>
      sql`update mcp_proxy.api_analytics set stored_at = now() - make_interval(secs => ${seconds})`.execute(
        owner,
      ),
    );

  /** As if the target had been configured long ago and had taken nothing. */
  const fromLongAgo = (db: Db) =>
    sql`update mcp_proxy.jobs set state = jsonb_set(state, '{storedAt}', '"2020-01-01T00:00:00Z"')`.execute(
      db,
    );

  test.each([
    ['none', []],
    ['refused', ['r-denied']],
    ['all', ['r-denied', 'r-ok']],
  ])('%s of them are sent when so configured', async (calls, expected) => {
    const { db } = await recordedWorld(0);
    const receiver = await httpReceiver();
    const push = sender(db, httpSender(sending(), { url: receiver.url }), { calls });
    await push();
    await fromLongAgo(db);
    await storeCalls(db, { at, requestId: 'r-ok' }, { at, requestId: 'r-denied', outcome: 'denied' });
    await push();
    expect(receiver.bodies).toEqual([]); // Others may still be storing what comes before.
    await age(db, 61);
    await fromLongAgo(db);
    await push();
    await push();
    const sent = receiver.bodies.length === 0 ? [] : receiver.rows().map(({ requestId }) => requestId);
    expect(new Set(sent)).toEqual(new Set(expected));
    expect(sent).toHaveLength(expected.length);
  });

  test('what is not sent is looked through once', async () => {
    const { db } = await recordedWorld(0);
    const receiver = await httpReceiver();
    const push = sender(db, httpSender(sending(), { url: receiver.url }), { calls: 'refused' });
    await push();
    await fromLongAgo(db);
    await storeCalls(db, { at });
    await age(db, 61);
    await push();
    const { rows } = await sql<{ isPast: boolean }>`
      select (state ->> 'storedAt')::timestamptz > now() - interval '1 hour' as "isPast" from mcp_proxy.jobs`.execute(
      db,
    );
    expect(rows).toEqual([{ isPast: true }]);
    await storeCalls(db, { at, requestId: 'r-denied', outcome: 'denied' });
    await age(db, 61);
    await sql`update mcp_proxy.jobs set state = jsonb_set(state, '{storedAt}', to_jsonb(now() - interval '62 seconds'))`.execute(
      db,
    );
    await push();
    expect(receiver.rows().map(({ requestId }) => requestId)).toEqual(['r-denied']);
  });

  test('a refusal among very many others is found', async () => {
    const { db } = await recordedWorld(0);
    const receiver = await httpReceiver();
    const push = sender(db, httpSender(sending(), { url: receiver.url }), { calls: 'refused' });
    await push();
    await fromLongAgo(db);
    await asOwner(db, (owner) =>
      sql`insert into mcp_proxy.api_analytics (id, timestamp, request_id, face, method, endpoint, outcome, status_code,
          response_time_ms, bytes_in, bytes_out, stored_at)
        select gen_random_uuid(), now(), 'r-' || n, 'stream', 'POST', '/mcp',
          case when n = 100002 then 'denied' else 'ok' end, 200, 1, 1, 1, now() - interval '1 day' + n * interval '1 ms'
        from generate_series(1, 100003) n`.execute(owner),
    );
    await push();
    await push();
    expect(receiver.rows().map(({ requestId }) => requestId)).toEqual(['r-100002']);
  });

  test('those from before the target was configured are not sent', async () => {
    const { db } = await recordedWorld(0);
    await storeCalls(db, { at });
    await age(db, 500);
    const receiver = await httpReceiver();
    await sender(db, httpSender(sending(), { url: receiver.url }), { calls: 'all' })();
    expect(receiver.bodies).toEqual([]);
  });

  test('many that were stored in the same moment are each sent once', async () => {
    const { db } = await recordedWorld(0);
    const receiver = await httpReceiver();
    const push = sender(db, httpSender(sending(), { url: receiver.url }), { calls: 'all' });
    await push();
    await fromLongAgo(db);
    const records = Array.from({ length: 450 }, () => callRecord());
    await storeCalls(db, ...records);
    await age(db, 61);
    await push();
    expect(receiver.rows().map(({ id }) => id)).toEqual(records.map(({ id }) => id).sort());
  });
});

describe('over syslog', () => {
  test('TCP: each message is framed, and nothing is lost while the receiver drops connections', async () => {
    const { db } = await recordedWorld(3);
    const receiver = await syslogReceiver();
    const push = sender(db, syslogSender({ address: `tcp://127.0.0.1:${receiver.port}`, guard }));
    receiver.mood = 'drops';
    await expect(push()).rejects.toThrow();
    receiver.mood = 'takes';
    await push();
    expect(receiver.messages).toHaveLength(3);
    expect(receiver.messages[0]).toMatch(
      /^<110>1 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z \S+ toolgate - audit - \ufeff\{"type":"audit",/,
    );
  });

  test('TLS: a receiver with the right certificate gets them, any other nothing', async () => {
    const { db } = await recordedWorld(2);
    const receiver = await syslogReceiver(localhostCertificate);
    const address = `tls://localhost:${receiver.port}`;
    await expect(sender(db, syslogSender({ address, guard }))()).rejects.toThrow(/self.signed/i);
    expect(receiver.messages).toEqual([]);
    await sender(db, syslogSender({ address, guard, caFile: trustFile() }))();
    expect(receiver.messages).toHaveLength(2);
  });

  test('UDP: long messages are cut where they may be', async () => {
    const { db } = await recordedWorld(1);
    await writeAudit(db, change({ after: { text: 'x'.repeat(20_000) } }));
    const receiver = await udpReceiver();
    await sender(db, syslogSender({ address: `udp://127.0.0.1:${receiver.port}`, guard }))();
    await expect.poll(() => receiver.messages.length).toBe(2);
    expect(receiver.messages[1]).toContain('"isCut":true');
  });

  test('a receiver that hangs fails the turn, which ends with the process', async () => {
    const receiver = await syslogReceiver();
    receiver.mood = 'hangs';
    const send = syslogSender({ address: `tcp://127.0.0.1:${receiver.port}`, guard });
    const stop = new AbortController();
    const sent = send([{ type: 'audit', row: { timestamp: 't' } }], stop.signal);
    stop.abort();
    await expect(sent).rejects.toThrow(/in time/);
  });

  test('a private address is not reached unless it is allowed', async () => {
    const receiver = await syslogReceiver();
    for (const address of [`tcp://127.0.0.1:${receiver.port}`, `tcp://localhost:${receiver.port}`]) {
      const send = syslogSender({ address, guard: createNetGuard({ allow: [] }) });
      await expect(send([{ type: 'audit', row: {} }], never)).rejects.toThrow(/no public address/);
    }
  });

  test('a line break in a record does not begin another message', () => {
    const line = syslogLine({
      type: 'call',
      row: { timestamp: 't', outcome: 'denied', tool: 'a\n<1>1 - - - - - -' },
    });
    expect(line).not.toContain('\n');
    expect(line).toMatch(/^<108>1 /);
  });
});

/** A file that says whom to trust. */
function trustFile(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-trust-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'ca.pem');
  writeFileSync(file, localhostCertificate.cert);
  return file;
}
