// The gate and its runner as real programs: what dies is there again, what goes takes everything along, and nothing is
// run that the operator has not written.
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeEach, expect, test } from 'vitest';
import { askModern, textOf } from './clients.ts';
import { configOf, eventually, type Gate, query, startGate } from './gate.ts';
import { freePort } from './program.ts';
import { runnerKey as key, startRunner } from './runner-program.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const honest = path.join(root, 'test/fakes/hostile-stdio.ts');
const hostile = path.join(root, 'test/fakes/hostile-runner-server.ts');
const limits = { memoryMb: 256, cpus: 0.5, processes: 60, openFiles: 256, diskMb: 64 };

let marker = '';
beforeEach(({ task }) => {
  marker = `marker=runner-${process.pid}-${task.id}`;
});

const server = (kind = 'ok') => ({ command: process.execPath, args: [honest, kind, marker] });
const attacker = () => ({ command: process.execPath, args: [hostile, 'hostile', marker], limits });

function read(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}

function pids(test_: (pid: number) => boolean): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => test_(pid) && /^State:\s+[^ZX]/m.test(read(pid, 'status')));
}

const marked = () => pids((pid) => read(pid, 'cmdline').includes(marker));
const childrenOf = (parent: number) => pids((pid) => read(pid, 'status').includes(`PPid:\t${parent}\n`));
/** The gate's own runner. */
const runnerOf = (gate: Gate) =>
  eventually('a runner', () => childrenOf(gate.pid).find((pid) => read(pid, 'cmdline').includes('runner')));

/** What doctor prints. */
function doctor({ url, folder, adminToken }: Gate): string {
  const env = { TOOLGATE_DATA_DIR: path.join(folder, 'data'), TOOLGATE_ADMIN_TOKEN: adminToken };
  const args = [path.join(root, 'cli/main.ts'), '--url', url, 'doctor'];
  return spawnSync(process.execPath, args, { encoding: 'utf8', env: { ...process.env, ...env } }).stdout;
}

async function caller(gate: Gate, email = 'alice@acme.com') {
  const raw = { url: `${gate.url}/mcp`, token: await gate.tokenFor(email) };
  return async (name: string, args: object = {}) =>
    textOf((await askModern(raw, 'tools/call', { name, arguments: args })).message.result);
}

test('kill -9 of the runner under calls: each caller hears why, and is served again without anybody’s help', async () => {
  const gate = await startGate({ config: configOf({ one: server(), two: server() }) });
  const call = await caller(gate);
  for (const name of ['one', 'two']) expect((await call(`${name}__echo`, { text: 'x' })).text).toBe('x');
  const runner = await runnerOf(gate);
  const servers = marked();
  const slow = call('one__slow', { ms: 60_000 });
  await eventually(
    'the call is under way',
    async () => (await call('two__echo', { text: 'x' })).text === 'x',
  );
  process.kill(runner, 'SIGKILL');
  const lost = await slow;
  expect(lost.isError).toBe(true);
  expect(lost.text).toMatch(/runner of the server "one" is gone|closed the connection/);
  await eventually('the old servers are gone', () => servers.every((pid) => !marked().includes(pid)));
  const seen = new Set<string>();
  for (const name of ['one', 'two']) {
    await eventually(`${name} is back`, async () => {
      const answer = await call(`${name}__echo`, { text: 'again' });
      if (answer.isError) seen.add(answer.text);
      return answer.text === 'again';
    });
  }
  // Whatever was said meanwhile was about the server or the runner, and nothing of the inside.
  for (const text of seen) expect(text).toMatch(/^The (server "(one|two)"|runner)[^{}/]*$/);
  expect(await runnerOf(gate)).not.toBe(runner);
}, 60_000);

test('kill -9 of the gate: its runner and every server are gone', async () => {
  const gate = await startGate({ config: configOf({ one: server(), stubborn: server('ignores-sigterm') }) });
  const call = await caller(gate);
  for (const name of ['one', 'stubborn']) await call(`${name}__echo`, { text: 'x' });
  const runner = await runnerOf(gate);
  expect(marked().length).toBeGreaterThanOrEqual(2);
  await gate.kill('SIGKILL');
  await eventually('no server is left', () => marked().length === 0);
  await eventually('no runner is left', () => read(runner, 'cmdline') === '');
}, 60_000);

test('gate and runner killed at once: no server is left', async () => {
  const gate = await startGate({ config: configOf({ one: server(), stubborn: server('ignores-sigterm') }) });
  const call = await caller(gate);
  for (const name of ['one', 'stubborn']) await call(`${name}__echo`, { text: 'x' });
  process.kill(await runnerOf(gate), 'SIGKILL');
  await gate.kill('SIGKILL');
  await eventually('no server is left', () => marked().length === 0);
}, 60_000);

test.each(['auto', 'off'])(
  'with the runner %s, whoever can write the database cannot have a command run',
  async (mode) => {
    const env = { TOOLGATE_RUNNER: mode };
    const gate = await startGate({ config: configOf({ one: server() }), env });
    const call = await caller(gate);
    expect((await call('one__echo', { text: 'x' })).text).toBe('x');
    const proof = path.join(gate.folder, `proof-${mode}`);
    const evil = JSON.stringify({ command: '/bin/sh', args: ['-c', `touch ${proof}`] });
    const changes = [
      `definition || '${evil}'::jsonb`,
      `definition || '{"env":{"NODE_OPTIONS":"--import=data:text/javascript,process.exit(3)"}}'::jsonb`,
      `definition || '{"cwd":"/tmp"}'::jsonb`,
    ];
    const stored = `select definition from mcp_proxy.servers where id = 'one'`;
    const [before] = await query(gate.databaseUrl!, stored);
    for (const change of changes) {
      await query(gate.databaseUrl!, `update mcp_proxy.servers set definition = ${change} where id = 'one'`);
      await eventually('it is refused', async () => {
        const { isError, text } = await call('one__echo', { text: 'x' });
        return isError && text.includes('is not the one in the config file');
      });
    }
    await query(
      gate.databaseUrl!,
      `insert into mcp_proxy.servers (id, definition, enabled, managed_by)
     select 'evil', definition || '${evil}'::jsonb, true, 'file' from mcp_proxy.servers where id = 'one'`,
    );
    await eventually('the new one is refused', async () => {
      const { body } = await gate.admin('POST', '/servers/evil/test');
      return String(body?.message).includes('is not the one in the config file');
    });
    expect(readdirSync(gate.folder)).not.toContain(path.basename(proof));
    const was = JSON.stringify(before?.['definition']);
    await query(
      gate.databaseUrl!,
      `update mcp_proxy.servers set definition = '${was}'::jsonb where id = 'one'`,
    );
    await eventually(
      'the file’s own is run again',
      async () => (await call('one__echo', { text: 'y' })).text === 'y',
    );
  },
  60_000,
);

test('a runner by itself: says what it holds servers with, serves the gate, and lets nothing outlive it', async () => {
  const first = await startGate({ config: configOf({ one: server() }) });
  const runner = await startRunner(path.join(first.folder, 'mcp-servers.json'));
  expect(runner.printed()).toMatch(/What holds servers here:\n.*environment/);
  const env = { TOOLGATE_RUNNER_URL: runner.url, TOOLGATE_RUNNER_KEY: key };
  const gate = await startGate({ config: configOf({ one: server() }), env });
  const call = await caller(gate);
  const processes = async () => {
    const answer = await fetch(`${runner.url}/processes`, { headers: { authorization: `Bearer ${key}` } });
    return ((await answer.json()) as { items: unknown[] }).items.length;
  };
  expect((await call('one__echo', { text: 'x' })).text).toBe('x');
  expect(childrenOf(gate.pid).filter((pid) => read(pid, 'cmdline').includes('runner'))).toEqual([]);
  expect(await processes()).toBe(1);
  const { body } = await gate.admin('GET', '/runner');
  expect(body).toMatchObject({ mode: 'remote', answers: true, processes: 1 });
  // The gate that is killed cannot say so: the runner notices by itself.
  await gate.kill('SIGKILL');
  await eventually('its process is gone', async () => (await processes()) === 0);
  runner.child.kill('SIGTERM');
  expect(await once(runner.child, 'exit')).toEqual([0, null]);
}, 60_000);

test('a runner with another key, none that answers, one without a key: each is said', async () => {
  const config = configOf({ one: server() });
  const first = await startGate({ config });
  const runner = await startRunner(path.join(first.folder, 'mcp-servers.json'));
  const url = `http://127.0.0.1:${await freePort()}`;
  for (const [where, expected] of [
    [runner.url, /refuses the gate’s key; both need the same TOOLGATE_RUNNER_KEY/],
    [url, /The runner, which starts "one", cannot be reached/],
  ] as const) {
    const gate = await startGate({
      config,
      env: { TOOLGATE_RUNNER_URL: where, TOOLGATE_RUNNER_KEY: 'x'.repeat(40) },
    });
    expect((await (await caller(gate))('one__echo')).text).toMatch(expected);
    await gate.close();
  }
  const without = await startRunner(path.join(first.folder, 'mcp-servers.json'), { TOOLGATE_RUNNER_KEY: '' });
  await eventually('it has ended', () => without.child.exitCode === 1);
  expect(without.printed()).toMatch(/A runner needs TOOLGATE_RUNNER_KEY/);
}, 60_000);

test('a runner elsewhere that dies: calls say so, ready and doctor since when, and all is well when it is there again', async () => {
  const config = configOf({ one: server() });
  const first = await startGate({ config });
  const file = path.join(first.folder, 'mcp-servers.json');
  const runner = await startRunner(file);
  const env = { TOOLGATE_RUNNER_URL: runner.url, TOOLGATE_RUNNER_KEY: key };
  const gate = await startGate({ config, env });
  const call = await caller(gate);
  expect((await call('one__echo', { text: 'x' })).text).toBe('x');
  const ready = async () => {
    const answer = await fetch(`${gate.url}/gateway/ready`);
    return (
      ((await answer.json()) as { degraded?: { part: string; since: string; meaning: string }[] }).degraded ??
      []
    );
  };
  runner.child.kill('SIGKILL');
  await once(runner.child, 'exit');
  const lost = await call('one__echo', { text: 'x' });
  expect(lost.isError).toBe(true);
  expect(lost.text).toMatch(/^The (server|runner)[^{}/]*$/);
  await eventually('ready says so', async () => (await ready()).some(({ part }) => part === 'runner'));
  const { since, meaning } = (await ready()).find(({ part }) => part === 'runner')!;
  expect(meaning).toMatch(/processes cannot be used until the runner is back\. The runner does not answer\./);
  expect((await gate.admin('GET', '/runner')).body).toMatchObject({ answers: false, awaySince: since });
  expect(doctor(gate)).toContain(`Away since ${since}`);
  const again = await startRunner(file, { TOOLGATE_RUNNER_LISTEN: new URL(runner.url).host });
  await eventually('calls go on', async () => (await call('one__echo', { text: 'y' })).text === 'y');
  await eventually('ready says so', async () => (await ready()).every(({ part }) => part !== 'runner'));
  expect((await gate.admin('GET', '/runner')).body).toMatchObject({ answers: true, awaySince: null });
  again.child.kill('SIGKILL');
  await once(again.child, 'exit');
  const other = { TOOLGATE_RUNNER_LISTEN: new URL(runner.url).host, TOOLGATE_RUNNER_KEY: 'x'.repeat(40) };
  await startRunner(file, other);
  await eventually('a wrong key is told', async () =>
    (await ready()).some(
      ({ part, meaning: told }) => part === 'runner' && told.includes('it refuses the key'),
    ),
  );
}, 90_000);

test('doctor tells what holds servers', async () => {
  const gate = await startGate({ config: configOf({ one: server() }) });
  const stdout = doctor(gate);
  expect(stdout).toMatch(/runner\s+ok\s+child: The runner answers\./);
  for (const feature of ['environment', 'user', 'files', 'memory', 'processes', 'disk', 'network'])
    expect(stdout).toContain(`runner: ${feature}`);
}, 60_000);

test('a hostile server in the gate’s runner: the gate and its neighbours serve on, whatever it does', async () => {
  const config = configOf(
    { attacker: attacker(), near: server(), far: server() },
    {
      groups: {
        Near: { tenant: 'acme', servers: ['attacker', 'near'] },
        Far: { tenant: 'globex', servers: ['far'] },
      },
      tenants: { acme: {}, globex: {} },
      users: { 'alice@acme.com': { groups: ['Near'] }, 'bob@globex.com': { groups: ['Far'] } },
    },
  );
  const gate = await startGate({ config });
  const [alice, bob] = [await caller(gate), await caller(gate, 'bob@globex.com')];
  expect((await alice('near__echo', { text: 'x' })).text).toBe('x');
  expect((await bob('far__echo', { text: 'x' })).text).toBe('x');
  const attacks: readonly (readonly [tool: string, args: object])[] = [
    ['bomb', { children: 5_000, mark: process.pid }],
    ['fill', { megabytes: 3_000 }],
    ['eat', { megabytes: 4_096 }],
    ['burn', { threads: 8 }],
    ['print', { megabytes: 1_024, what: 'news' }],
    ['print', { megabytes: 1_024, what: 'endless' }],
  ];
  for (const [tool, args] of attacks) {
    let isOver = false;
    const load = [() => alice('near__echo', { text: 'x' }), () => bob('far__echo', { text: 'x' })].map(
      async (call) => {
        do expect((await call()).text).toBe('x');
        while (!isOver);
      },
    );
    // After one of them it may be left alone for a moment; then it attacks again.
    await eventually(
      tool,
      async () => !/tried again|has been failing/.test((await alice(`attacker__${tool}`, args)).text),
      30,
    );
    isOver = true;
    await Promise.all(load);
    expect((await fetch(`${gate.url}/gateway/ready`)).status).toBe(200);
  }
}, 120_000);
