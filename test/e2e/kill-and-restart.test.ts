import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { testDatabaseUrl } from '../database.ts';
import { askModern, openSession, textOf } from './clients.ts';
import { configOf, eventually, type Gate, query, startGate } from './gate.ts';
import { runProgram } from './program.ts';

const stdio = fileURLToPath(new URL('../fakes/hostile-stdio.ts', import.meta.url));
/** In the arguments of every server of one test, so that /proc tells which are left. */
let marker = '';
beforeEach(({ task }) => {
  marker = `marker=e2e-${process.pid}-${task.id}`;
});

function withServers(): object {
  const server = (kind: string) => ({ command: process.execPath, args: [stdio, kind, marker] });
  return configOf({
    honest: server('ok'),
    stubborn: server('ignores-sigterm'),
    'never-ready': server('never'),
  });
}

/** Processes that run with the marker in their arguments: servers, and what stands around them. */
function marked(): number[] {
  return processes().filter((pid) => read(pid, 'cmdline').includes(marker));
}

/** Those of them that are servers. */
function servers(): number[] {
  return marked().filter((pid) => read(pid, 'cmdline').startsWith(process.execPath));
}

/** What one of the servers has started itself. */
function grandchildren(): number[] {
  const parents = servers().map(String);
  return processes().filter((pid) =>
    parents.includes(/^PPid:\s+(\d+)$/m.exec(read(pid, 'status'))?.[1] ?? ''),
  );
}

function processes(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

function isAlive(pid: number): boolean {
  return /^State:\s+[^ZX]/m.test(read(pid, 'status'));
}

interface Running {
  readonly call: (name: string, args?: object) => Promise<ReturnType<typeof textOf>>;
  /** The stubborn server and the process that it started itself. */
  readonly grandchild: number;
}

/** Makes every server run and finds out who they are. */
async function startAll(gate: Gate): Promise<Running> {
  const raw = { url: `${gate.url}/mcp`, token: await gate.tokenFor('alice@acme.com') };
  const call = async (name: string, args: object = {}) =>
    textOf((await askModern(raw, 'tools/call', { name, arguments: args })).message.result);
  await eventually('the honest server', async () => (await call('honest__echo', { text: 'x' })).text === 'x');
  await call('stubborn__whoami');
  await eventually('three servers', () => servers().length >= 3);
  return { call, grandchild: await eventually('what a server started', () => grandchildren()[0]) };
}

test('kill -9 under load loses no admin change that was acknowledged and leaves no process, and the next start is clean', async () => {
  const gate = await startGate({ embedded: true, config: withServers() });
  const { call, grandchild } = await startAll(gate);
  expect(isAlive(grandchild)).toBe(true);
  const acknowledged: string[] = [];
  let killed = false;
  const load = Array.from({ length: 8 }, async () => {
    while (!killed) await call('honest__echo', { text: 'x' }).catch(() => undefined);
  });
  const changes = Array.from({ length: 2 }, async (_, writer) => {
    for (let at = 0; !killed; at++) {
      const email = `u${writer}-${at}@acme.com`;
      const answer = await gate
        .admin('POST', '/users', { email, groups: ['Everyone'] })
        .catch(() => undefined);
      if (answer?.status === 201) acknowledged.push(email);
    }
  });
  await eventually('changes', () => acknowledged.length >= 40);
  expect(await gate.kill('SIGKILL')).toEqual({ code: null, signal: 'SIGKILL' });
  killed = true;
  await Promise.all([...load, ...changes]);
  await eventually('no server is left', () => marked().length === 0);
  await eventually('what a server started is gone too', () => !isAlive(grandchild));

  const next = await gate.again();
  expect(next.logs()).not.toMatch(/"level":"(error|fatal)"/);
  const users = new Set<string>();
  for (let cursor: string | null = ''; cursor !== null; ) {
    const page = await next.admin('GET', `/users?limit=100${cursor ? `&cursor=${cursor}` : ''}`);
    for (const user of page.body.items) if (user.groups.length === 1) users.add(user.email);
    cursor = page.body.nextCursor;
  }
  expect(acknowledged.filter((email) => !users.has(email))).toEqual([]);
  await startAll(next);
  expect(await next.kill('SIGTERM')).toEqual({ code: 0, signal: null });
  await eventually('no server is left', () => marked().length === 0);
  await gate.close();
}, 120_000);

test('kill -9 under load loses no record of an answered call: the next start stores them, each once', async () => {
  const gate = await startGate({ config: withServers() });
  const { call } = await startAll(gate);
  let [sent, answered, killed] = [0, 0, false];
  const load = Array.from({ length: 16 }, async () => {
    while (!killed) {
      sent += 1;
      const answer = await call('honest__echo', { text: 'x' }).catch(() => undefined);
      if (answer?.text === 'x') answered += 1;
    }
  });
  await eventually('calls', () => answered >= 500);
  await gate.kill('SIGKILL');
  killed = true;
  await Promise.all(load);

  const next = await gate.again();
  const recorded = async () => {
    const [row] = await query(
      next.databaseUrl ?? '',
      `select count(*)::int as count from mcp_proxy.api_analytics where tool = 'echo'`,
    );
    return Number(row?.['count']);
  };
  // One more, for the call that found the server ready.
  await eventually('every answered call is recorded', async () => (await recorded()) >= answered + 1);
  await eventually('nothing waits', () => spilledIn(next).length === 0);
  expect(await recorded()).toBeLessThanOrEqual(sent + 1);
}, 120_000);

/** Files with records that are not in the database yet. */
function spilledIn(gate: Gate): string[] {
  return readdirSync(path.join(gate.folder, 'data', 'spill')).filter((name) => name.startsWith('calls-'));
}

test('Ctrl-C ends it with code 0 and leaves no process, with calls under way and streams open', async () => {
  const gate = await startGate({ config: withServers() });
  const { call, grandchild } = await startAll(gate);
  const session = await openSession(`${gate.url}/mcp`, await gate.tokenFor('alice@acme.com'));
  const headers = {
    Authorization: `Bearer ${session.token}`,
    accept: 'text/event-stream',
    'mcp-session-id': session.session,
  };
  const stream = await fetch(session.url, { headers });
  const streamEnds = stream.text().catch(() => 'cut');
  const slow = call('honest__slow', { ms: 60_000 }).catch(() => 'cut');
  expect(await gate.kill('SIGINT')).toEqual({ code: 0, signal: null });
  await Promise.all([streamEnds, slow]);
  await eventually('no server is left', () => marked().length === 0);
  await eventually('what a server started is gone too', () => !isAlive(grandchild));
}, 60_000);

test('when whoever started it is gone, it ends and leaves no process', async () => {
  const gate = await startGate({ config: withServers() });
  await startAll(gate);
  gate.letGo();
  await eventually('it has ended', () => !isAlive(gate.pid), 30);
  await eventually('no server is left', () => marked().length === 0);
}, 60_000);

const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-e2e-fails-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** What it says last, and that it says it in one sentence without a stack. */
async function sentenceOfFailedStart(o: {
  config?: object | string;
  env?: Record<string, string>;
}): Promise<string> {
  const { code, printed } = await runProgram({
    folder,
    config: o.config ?? {},
    ...(o.env && { env: o.env }),
  });
  expect(code, printed).toBe(1);
  expect(printed).not.toMatch(/^\s+at /m);
  return printed;
}

test('a port in use is one clear sentence', async () => {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as { port: number };
  expect(
    await sentenceOfFailedStart({ env: { PORT: String(port), DATABASE_URL: await testDatabaseUrl() } }),
  ).toMatch(
    new RegExp(
      `\\nPort ${port} is in use already; stop the other program or choose another port with PORT\\.\\n$`,
    ),
  );
  taken.close();
}, 60_000);

test('a data directory that cannot be written is one clear sentence', async () => {
  const file = path.join(folder, 'a-file');
  writeFileSync(file, '');
  const printed = await sentenceOfFailedStart({ env: { TOOLGATE_DATA_DIR: path.join(file, 'data') } });
  expect(printed.trim().split('\n').at(-1)).toMatch(/^[A-Z].*a-file.*\.$/);
}, 60_000);

test('a wrong config file names every mistake with file, line and key', async () => {
  const file = path.join(folder, 'wrong.json');
  writeFileSync(
    file,
    '{\n  "mcpServers": { "a": { "url": "http://x.example", "tols": [] } },\n  "groups": { "G": { "servers": ["nowhere"] } }\n}\n',
  );
  const printed = await sentenceOfFailedStart({ config: file });
  expect(printed).toMatch(
    /The configuration has 2 mistakes:\n.*wrong\.json:2:\d+: mcpServers\.a\.tols: .*did you mean "tools"\?\n.*wrong\.json:3:\d+: groups\.G.*nowhere.*\n$/,
  );
}, 60_000);

test('a config file that is not there is one clear sentence', async () => {
  const printed = await sentenceOfFailedStart({ config: path.join(folder, 'nothing.json') });
  expect(printed).toMatch(/nothing\.json: does not exist; TOOLGATE_CONFIG says where the config file is\n$/);
}, 60_000);

test('two programs do not share one embedded database', async () => {
  const gate = await startGate({ embedded: true });
  const { code, printed } = await runProgram({ folder: gate.folder, config: {}, env: { PORT: '0' } });
  expect(code).toBe(1);
  expect(printed.trim().split('\n').at(-1)).toMatch(/^.*data director.*\.$/i);
  expect((await fetch(`${gate.url}/gateway/ready`)).status).toBe(200);
}, 60_000);
