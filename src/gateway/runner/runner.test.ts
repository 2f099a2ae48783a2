import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunnerWorld, runnerWorld } from '../../../test/runner-world.ts';
import { closeWorlds, failureOf, worldOf } from '../../../test/upstream-world.ts';
import type { UpstreamError } from '../connectors/contract.ts';
import { closedError } from '../connectors/pending.ts';
import { passedOnNames } from './containment/passed-on.ts';

const program = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));
const hostile = fileURLToPath(new URL('../../../test/fakes/hostile-runner-server.ts', import.meta.url));
const commands = {
  ok: { args: [program, 'ok'] },
  exits: { args: [program, 'exits'] },
  look: { args: [hostile], env: { PLACE: '${dataDir}/x', KEY: '${credential}' } },
  closed: { args: [hostile], limits: { network: 'none' } },
  absent: { command: '/nowhere/no-such-command', args: [] },
};

let world: RunnerWorld;
beforeAll(async () => {
  world = runnerWorld(commands, {
    ...{ TOOLGATE_RUNNER_PROCESSES: '8', NODE_EXTRA_CA_CERTS: '/etc/ca.pem', NO_PROXY: 'acme.com' },
    HTTPS_PROXY: 'http://user:password@proxy.acme.com',
  });
  await world.health();
}, 60_000);
afterAll(async () => {
  await closeWorlds();
  await world.close();
}, 30_000);

const ok = { server: 'ok', tenant: null, scope: '', command: process.execPath, args: commands.ok.args };
const input = { ...ok, env: {}, cwd: '/', secrets: [], maxMessageBytes: 1_000_000 };
const silent = { onMessage: () => undefined, onClosed: () => undefined };
const start = (server: keyof typeof commands, more = {}) =>
  worldOf((sink) => world.open(server, sink, { args: commands[server].args, ...more }));
const processes = async () =>
  (
    await world.ask<{ items: { id: string; pid: number; server: string; scope: string }[] }>(
      'GET',
      '/processes',
    )
  ).body.items;
/** Ended by the test that started it, so that the next one finds room. */
async function ended(one: ReturnType<typeof start>): Promise<void> {
  await one.upstream.close();
}

describe('the key', () => {
  test.each<[string, string, string, unknown]>([
    ['start anything', 'POST', '/processes', input],
    ['see what runs', 'GET', '/processes', undefined],
    ['speak to a process', 'POST', '/processes/aaaaaaaaaaaa/mcp', { jsonrpc: '2.0', id: 1, method: 'ping' }],
    ['end a process', 'DELETE', '/processes/aaaaaaaaaaaa/mcp', undefined],
  ])('without it, nobody may %s', async (_what, method, where, body) => {
    for (const key of [null, 'wrong', 'x'.repeat(43), ''])
      expect((await world.ask(method, where, { body, key })).status).toBe(401);
  });

  test('without it, health says that somebody is there and no more; with a wrong one, not even that', async () => {
    expect(await world.ask('GET', '/health', { key: null })).toEqual({ status: 200, body: { status: 'ok' } });
    expect((await world.ask('GET', '/health', { key: 'wrong' })).status).toBe(401);
    const { inForce, status } = await world.health();
    expect(status).toBe('ok');
    expect(inForce.map(({ feature }) => feature)).toEqual(
      expect.arrayContaining(['environment', 'user', 'files', 'memory', 'processes', 'disk', 'network']),
    );
  });

  test('no process list and no environment shows it', async () => {
    const { key } = await world.runner.place(AbortSignal.timeout(5_000));
    const { pid } = world.runner;
    if (process.platform !== 'linux') return;
    for (const file of ['cmdline', 'environ'])
      expect(readFileSync(`/proc/${pid}/${file}`, 'latin1')).not.toContain(key);
    const { call, upstream } = start('look', { env: { PLACE: '${dataDir}/x', KEY: 'k' } });
    expect(await call('look')).not.toContain(key);
    await upstream.close();
  });
});

describe('what is started', () => {
  test.each<[string, object]>([
    ['a server that is in no file', { server: 'other' }],
    ['another command', { command: '/bin/sh', args: ['-c', 'id'] }],
    ['an argument more', { args: [...ok.args, 'more'] }],
    ['a variable that runs something', { env: { NODE_OPTIONS: '--import=data:text/javascript,x' } }],
    ['a package that is in no catalog', { command: 'npx', args: ['-y', 'evil@1.0.0'] }],
  ])('not %s', async (_what, change) => {
    const answer = await world.ask('POST', '/processes', { body: { ...input, ...change } });
    expect(answer).toMatchObject({ status: 403, body: { failure: { kind: 'not_allowed' } } });
    expect(await processes()).toEqual([]);
  });

  test.each<[string, object]>([
    ['a NUL in an argument', { args: ['a\0b'] }],
    ['a variable name that is two', { env: { 'A=B': 'c' } }],
    ['an unknown key', { uid: 0 }],
    ['a server with a path in its id', { server: '../../etc' }],
  ])('not with %s', async (_what, change) => {
    expect((await world.ask('POST', '/processes', { body: { ...input, ...change } })).status).toBe(400);
  });

  test('a command that was just written into the file, and no longer one that was taken out', async () => {
    const fresh = { ...commands, fresh: { args: [program, 'ok', 'fresh'] } };
    world.rewrite(fresh);
    const later = worldOf((sink) => world.open('fresh', sink, { args: fresh.fresh.args }));
    expect(await later.list()).toContain('echo');
    await ended(later);
    world.rewrite(commands);
    expect(
      await failureOf(worldOf((sink) => world.open('fresh', sink, { args: fresh.fresh.args })).list()),
    ).toBe('not_allowed');
  });

  test('a broken file changes nothing', async () => {
    writeFileSync(path.join(world.folder, 'mcp-servers.json'), '{ "mcpServers": ');
    const { list, upstream } = start('ok');
    expect(await list()).toContain('echo');
    await upstream.close();
    world.rewrite(commands);
  });

  test('a command that is not there, or exits at once, is told with its code and its last words', async () => {
    expect(await failureOf(start('absent', { command: commands.absent.command }).list())).toBe('unreachable');
    const closed: UpstreamError[] = [];
    const connector = world.open(
      'exits',
      { ...silent, onClosed: (error) => void closed.push(error) },
      { args: commands.exits.args },
    );
    await expect
      .poll(() => closed.map(({ message }) => message))
      .toEqual(['The server "exits" exited with code 3.']);
    expect(connector.diagnostics()).toBe('I do not feel like serving.\n');
    await connector.close();
  });

  test('no more than there may be: in all, for a server, for a tenant', async () => {
    const all = await Promise.all(
      [1, 2, 3, 4].map(async (n) => ({ n, one: start('ok', { scope: `user:${n}`, tenant: 'acme' }) })),
    );
    for (const { one } of all) await one.list();
    expect(await failureOf(start('ok', { scope: 'user:5', tenant: 'globex' }).list())).toBe('busy');
    expect(
      await failureOf(
        start('look', { env: { PLACE: '${dataDir}/x', KEY: '' }, scope: 'user:5', tenant: 'acme' }).list(),
      ),
    ).toBe('busy');
    const other = start('look', {
      env: { PLACE: '${dataDir}/x', KEY: '' },
      scope: 'user:5',
      tenant: 'globex',
    });
    expect(await other.list()).toContain('look');
    for (const one of [...all.map((each) => each.one), other]) await ended(one);
  });
});

describe('what a process finds', () => {
  const look = async (more = {}) => {
    const one = start('look', { env: { PLACE: '${dataDir}/x', KEY: 'canary' }, ...more });
    const seen = JSON.parse(await one.call('look')) as {
      env: Record<string, string>;
      cwd: string;
      uid: number;
    };
    return { ...seen, one };
  };

  test('an environment with nothing of the gate’s or the runner’s', async () => {
    const { env, one } = await look();
    const known = /^(PATH|HOME|TMPDIR|PWD|OLDPWD|SHLVL|_|MCP_PROCESS_MARK|PLACE|KEY)$/;
    const own = Object.keys(env).filter((name) => !known.test(name) && !passedOnNames.includes(name));
    expect(own).toEqual([]);
    expect(env).toMatchObject({ NODE_EXTRA_CA_CERTS: '/etc/ca.pem', NO_PROXY: 'acme.com' });
    // A proxy that takes a password is not for everybody who is started here.
    expect(env).not.toHaveProperty('HTTPS_PROXY');
    await ended(one);
  });

  test('a directory of its own that stays, at the place that its definition asks for', async () => {
    const first = await look();
    expect(first.env['PLACE']).toBe(`${first.env['HOME']}/x`);
    expect(await first.one.call('touch', { paths: [first.env['PLACE']] })).toContain('"ok"');
    await ended(first.one);
    const { env, one } = await look();
    expect(env['HOME']).toBe(first.env['HOME']);
    expect(JSON.parse(await one.call('touch', { paths: [env['PLACE']] }))[0][1]).toBe('ok');
    await ended(one);
  });

  test('another for each tenant, person and session; what a session had goes with it', async () => {
    const whose = [
      { tenant: null, scope: '' },
      { tenant: 'acme', scope: 'user:alice@acme.com' },
      { tenant: 'globex', scope: 'user:alice@acme.com' },
      { tenant: 'acme', scope: 'session:1' },
    ];
    const homes: string[] = [];
    for (const owner of whose) {
      const { env, one } = await look(owner);
      homes.push(env['HOME'] ?? '');
      await ended(one);
    }
    expect(new Set(homes).size).toBe(4);
    expect(homes.map((home) => existsSync(home))).toEqual([true, true, true, false]);
    const leftBehind = readdirSync(path.dirname(homes[0] ?? '')).filter((name) => name.startsWith('tmp-'));
    expect(leftBehind).toEqual([]);
  });

  test('secrets that it prints are not told', async () => {
    const connector = world.open('exits', silent, { args: commands.exits.args, secrets: ['feel'] });
    await expect.poll(() => connector.diagnostics()).toBe('I do not [secret] like serving.\n');
    await connector.close();
  });
});

describe('when one side goes', () => {
  test('a process goes with the one who listens to it, and is nobody else’s to listen to', async () => {
    const one = start('ok');
    await one.list();
    const [{ id, pid } = { id: '', pid: 0 }] = await processes();
    expect((await world.ask('GET', `/processes/${id}/mcp`)).status).toBe(429);
    expect(existsSync(`/proc/${pid}`)).toBe(true);
    await one.upstream.close();
    await expect.poll(processes).toEqual([]);
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
  });

  test('a message to a process that is gone says so', async () => {
    expect((await world.ask('POST', '/processes/aaaaaaaaaaaa/mcp', { body: {} })).status).toBe(404);
  });

  test('a killed runner takes its processes along, says so to every caller, and is there again', async () => {
    const one = start('ok');
    await one.list();
    const [{ pid } = { pid: 0 }] = await processes();
    const slow = failureOf(one.call('slow', { ms: 60_000 }));
    const before = world.runner.pid!;
    process.kill(before, 'SIGKILL');
    expect(await slow).toBe('closed');
    await expect.poll(() => existsSync(`/proc/${pid}`)).toBe(false);
    one.pass(60_000);
    expect(await one.call('echo', { text: 'again' })).toBe('again');
    expect(world.runner.pid).not.toBe(before);
    await ended(one);
  });
});

test('a runner that cannot start says so, and is tried again when it is needed', async () => {
  const broken = runnerWorld(commands, { TOOLGATE_RUNNER_WALLS: 'nonsense' });
  await expect(broken.health()).rejects.toThrow('did not start; the log says why');
  expect(broken.runner.away()?.since).toBeInstanceOf(Date);
  await broken.close();
}, 30_000);

test('a runner whose socket would have too long a name listens at a port', async () => {
  const far = runnerWorld(commands, {}, { folderName: 'x'.repeat(100) });
  const { socketPath, origin } = await far.runner.place(AbortSignal.timeout(20_000));
  expect([socketPath, origin]).toEqual([undefined, expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/)]);
  expect((await far.health()).status).toBe('ok');
  await far.close();
}, 30_000);

test('what a closed connector is asked for fails', async () => {
  const connector = world.open('ok', silent, { args: commands.ok.args });
  await connector.close();
  await expect(connector.send('{}', AbortSignal.timeout(1_000))).rejects.toThrow(closedError('ok').message);
});
