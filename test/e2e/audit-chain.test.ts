// The log of changes of a running Toolgate, and what an administrator does with it.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../../cli/main.ts';
import { configOf, eventually, type Gate, query, startGate } from './gate.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-audit-'));
const anchors = path.join(folder, 'anchors.jsonl');
afterAll(() => rmSync(folder, { recursive: true }));

let gate: Gate;
let databaseUrl = '';
beforeAll(async () => {
  // Once: none of what a test makes of the chain.
  gate = await startGate({
    config: configOf({}, { audit: { anchor: { everyMinutes: 60, file: anchors } } }),
  });
  databaseUrl = gate.databaseUrl ?? '';
});

async function toolgate(...args: string[]) {
  const printed = { out: '', error: '' };
  const code = await run(['--url', gate.url, ...args], {
    env: { TOOLGATE_ADMIN_TOKEN: gate.adminToken },
    write: (text) => void (printed.out += text),
    writeError: (text) => void (printed.error += text),
    complain: (text) => void (printed.error += text),
  });
  return { code, ...printed };
}

/** As the owner of the tables, without the triggers that stop mistakes. */
const tamper = (statements: string) =>
  query(databaseUrl, `begin; set local session_replication_role = replica; ${statements}; commit`);

async function changes(count: number): Promise<void> {
  for (let at = 0; at < count; at += 1) {
    const answer = await gate.admin('POST', '/groups', { name: `G${Math.random()}`, displayName: 'G' });
    expect(answer.status).toBe(201);
  }
}

test('changes are chained, found, exported and verified', async () => {
  await changes(4);
  expect(await toolgate('audit', 'verify')).toMatchObject({
    code: 0,
    out: expect.stringMatching(/records are in order/),
  });
  expect(
    (await toolgate('audit', 'search', '--action', 'group.create')).out.match(/group\.create/g)?.length,
  ).toBeGreaterThan(3);
  const { out } = await toolgate('audit', 'export');
  const lines = out
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  expect(lines.map(({ chain }) => chain.seq)).toEqual(lines.map((_, at) => at + 1));
  expect((await toolgate('audit', 'export', '--format', 'csv')).out).toMatch(/^id,timestamp,actor,.*\r\n/);
  expect((await toolgate('audit', 'export', '--format', 'xml')).code).toBe(2);
});

/** What whoever watches is told of the chain: at /gateway/ready, and at /metrics. */
async function isTold(): Promise<[boolean, number]> {
  const { degraded } = (await (await fetch(`${gate.url}/gateway/ready`)).json()) as {
    degraded: { part: string }[];
  };
  const metrics = await (await fetch(`${gate.url}/metrics`)).text();
  const sample = /^toolgate_degraded\{part="records of changes"\} (\d)$/m.exec(metrics)?.[1];
  return [degraded.some(({ part }) => part === 'records of changes'), Number(sample)];
}

/** Does something to the records, and puts them back afterwards. */
async function tampered(statements: string, look: () => Promise<void>): Promise<void> {
  const copy =
    'create table public.kept_log as table mcp_proxy.audit_log; create table public.kept_chain as table mcp_proxy.audit_chain';
  await query(databaseUrl, copy);
  await tamper(statements);
  await look();
  await tamper(
    'delete from mcp_proxy.audit_log; delete from mcp_proxy.audit_chain; insert into mcp_proxy.audit_log overriding system value select * from public.kept_log; insert into mcp_proxy.audit_chain select * from public.kept_chain; drop table public.kept_log, public.kept_chain',
  );
}

test('a chain whose end was cut off is found by the anchor in the file, here and by somebody who has an export alone', async () => {
  const [first] = await eventually('an anchor is written', () => {
    const lines = existsSync(anchors) ? readFileSync(anchors, 'utf8').split('\n').filter(Boolean) : [];
    return lines.length > 0 && lines;
  });
  const { body } = await gate.admin('GET', '/audit/head');
  expect((await toolgate('audit', 'verify', '--anchors', anchors)).code).toBe(0);
  const seq: number = JSON.parse(first ?? '').seq;
  const cut = `delete from mcp_proxy.audit_log where id in (select audit_id from mcp_proxy.audit_chain where seq >= ${seq}); delete from mcp_proxy.audit_chain where seq >= ${seq}`;
  await tampered(cut, async () => {
    // Without an anchor nothing shows: what the looking itself recorded took the places that are free again.
    expect((await toolgate('audit', 'verify')).code).toBe(0);
    const shorter = path.join(folder, 'shorter.jsonl');
    writeFileSync(shorter, (await toolgate('audit', 'export')).out);
    const found = await toolgate('audit', 'verify', '--anchors', anchors);
    expect(found).toMatchObject({ code: 1, error: expect.stringMatching(/cut off/) });
    const offline = exportVerified('--export', shorter, '--anchors', anchors, '--key', body.key);
    expect(offline).toMatchObject({ status: 1, stderr: expect.stringMatching(/cut off/) });
  });
});

test('an anchor that nobody signed is named, and a line that is none', async () => {
  const own = path.join(folder, 'own.jsonl');
  const { body } = await gate.admin('GET', '/audit/head');
  writeFileSync(own, `${JSON.stringify(body.head)}\n{"kind":\n`);
  const { code, error } = await toolgate('audit', 'verify', '--anchors', own);
  expect([code, error]).toEqual([1, expect.stringMatching(/no signature/)]);
  expect(error).toMatch(/no anchor: 2\./);
});

test('an export is verified with the command alone', async () => {
  const file = path.join(folder, 'changes.jsonl');
  writeFileSync(file, (await toolgate('audit', 'export')).out);
  expect(exportVerified('--export', file)).toMatchObject({
    status: 0,
    stdout: expect.stringMatching(/records are in order/),
  });
  const { body } = await gate.admin('GET', '/audit/head');
  const json = exportVerified('--json', '--export', file, '--anchors', anchors, '--key', body.key);
  expect(JSON.parse(json.stdout)).toMatchObject({ ok: true, problem: null });
  writeFileSync(file, readFileSync(file, 'utf8').replace('group.create', 'group.delete'));
  expect(exportVerified('--export', file)).toMatchObject({
    status: 1,
    stderr: expect.stringMatching(/was changed/),
  });
});

/** `toolgate audit verify …` on a machine where nothing else of Toolgate is. */
function exportVerified(...args: string[]) {
  const program = fileURLToPath(new URL('../../cli/main.ts', import.meta.url));
  const env = { PATH: process.env['PATH'] };
  return spawnSync(process.execPath, [program, 'audit', 'verify', ...args], { encoding: 'utf8', env });
}

test('a changed, a deleted and a reordered record are each found, named, and told of in the log itself', async () => {
  const tricks: [string, RegExp][] = [
    ["update mcp_proxy.audit_log set actor = 'mallory' where id = 3", /Record 3 .*was changed: actor/],
    ['delete from mcp_proxy.audit_log where id = 3', /Record 3 .*is gone/],
    [
      'update mcp_proxy.audit_chain set seq = case seq when 2 then -3 else -2 end where seq in (2, 3); update mcp_proxy.audit_chain set seq = -seq where seq < 0',
      /Record 3 stands at place 2/,
    ],
  ];
  for (const [trick, words] of tricks) {
    await tampered(trick, async () => {
      const found = await toolgate('audit', 'verify');
      expect(found).toMatchObject({ code: 1, error: expect.stringMatching(words) });
      const told = await query(
        databaseUrl,
        "select after from mcp_proxy.audit_log where action = 'audit.verification_failed'",
      );
      expect(told.length).toBeGreaterThan(0);
      expect(await isTold()).toEqual([true, 1]);
    });
  }
  expect((await toolgate('audit', 'verify')).code).toBe(0);
  expect(await isTold()).toEqual([false, 0]);
});

test('requests that no call is made of are recorded, with what their paths are called', async () => {
  await fetch(`${gate.url}/no/such/path?secret=1`);
  await fetch(`${gate.url}/mcp`, { headers: { origin: 'https://evil.example.com' } });
  await fetch(`${gate.url}/mcp-admin/api/users/alice@acme.com`, {
    headers: { authorization: 'Bearer wrong' },
  });
  await gate.admin('GET', '/users/alice@acme.com');
  await fetch(`${gate.url}/gateway/health`);
  const expected = [
    ['/{unknown}', 404, 'not_found', null],
    ['/mcp', 403, 'origin_not_allowed', null],
    ['/mcp-admin/api/users/{email}', 401, 'unauthenticated', null],
    ['/mcp-admin/api/users/{email}', 200, null, 'admin-token'],
  ];
  const rows = await eventually('the records are stored', async () => {
    const found = await query(
      databaseUrl,
      "select endpoint, status_code, reason, user_email from mcp_proxy.api_analytics where endpoint in ('/{unknown}', '/mcp') or endpoint like '%/users/{email}' order by timestamp, id",
    );
    return found.length >= expected.length && found;
  });
  expect(rows.map((row) => Object.values(row))).toEqual(expect.arrayContaining(expected));
  const all = await query(
    databaseUrl,
    "select 1 from mcp_proxy.api_analytics where endpoint like '%health%' or endpoint like '%secret%'",
  );
  expect(all).toEqual([]);
});

test('records lie in weeks soon after the start, and are counted', async () => {
  await eventually('this week has its partition', async () => {
    const found = await query(
      databaseUrl,
      "select 1 from mcp_proxy.api_analytics where tableoid::regclass::text ~ '_[0-9]{8}$'",
    );
    return found.length > 0 || void (await fetch(`${gate.url}/nothing`));
  });
  const [from, to] = [new Date(Date.now() - 86_400_000), new Date(Date.now() + 86_400_000)];
  const { status } = await gate.admin(
    'GET',
    `/analytics/summary?from=${from.toISOString()}&to=${to.toISOString()}&by=face`,
  );
  expect(status).toBe(200);
});

test('a person is exported and erased, and their token ends', async () => {
  const token = await gate.tokenFor('alice@acme.com');
  const asAlice = () => fetch(`${gate.url}/servers`, { headers: { authorization: `Bearer ${token}` } });
  expect((await asAlice()).status).toBe(200);
  const exported = JSON.parse((await toolgate('person', 'export', 'alice@acme.com')).out);
  expect(exported.tables.users).toHaveLength(1);
  expect((await toolgate('person', 'erase', 'alice@acme.com')).code).toBe(1);
  const erased = await toolgate('person', 'erase', 'alice@acme.com', '--yes');
  expect(erased).toMatchObject({
    code: 0,
    out: expect.stringMatching(/is erased-[0-9a-f]{16} in the records/),
  });
  expect(erased.error).toMatch(/config file/);
  await eventually('the token ends', async () => (await asAlice()).status === 401);
  expect((await toolgate('audit', 'verify')).code).toBe(0);
});

test('the embedded database chains, keeps weeks and erases, too', async () => {
  const small = await startGate({ embedded: true, config: configOf({}) });
  await small.tokenFor('alice@acme.com');
  const verified = async () => (await small.admin('POST', '/audit/verify', {})).body;
  expect(await verified()).toMatchObject({ ok: true, problem: null });
  const erased = await small.admin('POST', '/users/alice@acme.com/erase');
  expect(erased.body).toMatchObject({ tables: { api_tokens: 1, users: 1 } });
  expect(await verified()).toMatchObject({ ok: true });
  expect(small.logs()).not.toContain('a job failed');
}, 60_000);
