import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, expect, test } from 'vitest';
import { type Reaper, startReaper } from './reaper.ts';
import {
  busierThan,
  busy,
  closeWorlds,
  failureOf,
  log,
  maxResponseBytes,
  worldOf,
} from '../../../test/upstream-world.ts';
import { connectorContract } from './connectors.contract.ts';
import type { Sink } from './contract.ts';
import { launchPlainly } from './launched.ts';
import { StdioConnector } from './stdio.ts';

const program = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));
const reaper = startReaper();

afterAll(() => reaper.close());
afterEach(closeWorlds);

interface How {
  readonly args?: readonly string[];
  readonly command?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly secrets?: readonly string[];
  readonly reaper?: Reaper;
}

function open(sink: Sink, how: How = {}): StdioConnector {
  const secrets = how.secrets ?? [];
  const launched = launchPlainly(
    {
      type: 'stdio',
      command: how.command ?? process.execPath,
      args: how.args ?? [program, 'ok'],
      env: how.env ?? {},
      cwd: process.cwd(),
      secrets,
    },
    { reaper: how.reaper ?? reaper, binDirs: [] },
  );
  return new StdioConnector(launched, { name: 'fake', maxResponseBytes, sink, log, secrets });
}

connectorContract('stdio', {
  sharesOneStream: true,
  open: (kind, options, sink) =>
    open(sink, {
      args: [program, kind, ...Object.entries(options).map(([key, value]) => `${key}=${value}`)],
    }),
  openBroken: (sink) => open(sink, { args: [program, 'exits'] }),
});

const silent: Sink = { onMessage: () => undefined, onClosed: () => undefined };

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}

test('a server sees what is meant for it of the gate’s environment, and nothing else', async () => {
  process.env['CANARY_SECRET'] = 'canary';
  const { call } = worldOf((sink) => open(sink, { env: { OWN: 'yes' } }));
  const { seen } = JSON.parse(await call('whoami')) as { seen: Record<string, string> };
  delete process.env['CANARY_SECRET'];
  expect(seen['OWN']).toBe('yes');
  expect(seen['PATH']).toContain(process.env['PATH']);
  const known =
    /^(OWN|PATH|HOME|USER|LOGNAME|SHELL|LANG|LC_ALL|TZ|TMPDIR|TEMP|TMP|SYSTEMROOT|(LOCAL)?APPDATA)$/;
  expect(Object.keys(seen).filter((name) => !known.test(name))).toEqual([]);
});

test('a command that does not exist is said to be that', async () => {
  const { upstream } = worldOf((sink) => open(sink, { command: '/nowhere/no-such-command' }));
  await expect(upstream.ready()).rejects.toMatchObject({ kind: 'unreachable' });
});

test('what starts a command behind walls may find no such program, and that is said to be that, too', async () => {
  const { upstream } = worldOf((sink) =>
    open(sink, { command: 'sh', args: ['-c', 'read -r line; exit 127'] }),
  );
  const message = 'The server "fake" could not be started: its program was not found.';
  await expect(upstream.ready()).rejects.toMatchObject({ kind: 'unreachable', message });
});

test.each([
  ['ends before it is written to', 'exit 127'],
  ['takes nothing before it ends', 'exec 0<&-; sleep 0.2; exit 127'],
])('the reason is the same for one that %s', async (_what, script) => {
  const { upstream } = worldOf((sink) => open(sink, { command: 'sh', args: ['-c', script] }));
  const message = 'The server "fake" could not be started: its program was not found.';
  await expect(upstream.ready()).rejects.toMatchObject({ kind: 'unreachable', message });
});

test('close() ends a server that ignores SIGTERM, and what that one started', async () => {
  const { upstream, call } = worldOf((sink) => open(sink, { args: [program, 'ignores-sigterm'] }));
  const { pid, seen } = JSON.parse(await call('whoami')) as { pid: number; seen: { GRANDCHILD_PID: string } };
  expect(isAlive(pid)).toBe(true);
  await upstream.close();
  await expect.poll(() => [isAlive(pid), isAlive(Number(seen.GRANDCHILD_PID))]).toEqual([false, false]);
});

test('a grandchild does not outlive a server that crashes', async () => {
  const { call } = worldOf((sink) => open(sink, { args: [program, 'ignores-sigterm'] }));
  const { seen } = JSON.parse(await call('whoami')) as { seen: { GRANDCHILD_PID: string } };
  expect(await failureOf(call('crash'))).toBe('closed');
  await expect.poll(() => isAlive(Number(seen.GRANDCHILD_PID))).toBe(false);
});

test('a flood on stderr neither blocks the server nor fills the memory', async () => {
  const connectors: StdioConnector[] = [];
  const { call } = worldOf((sink) => {
    const connector = open(sink, { args: [program, 'floods-stderr', 'bytes=20000000'] });
    connectors.push(connector);
    return connector;
  });
  expect(await call('echo', { text: 'x' })).toBe('x');
  await expect.poll(() => connectors[0]!.diagnostics().length).toBeGreaterThan(0);
  expect(connectors[0]!.diagnostics().length).toBeLessThanOrEqual(4_096);
});

test('what a server says on stderr is kept to find out why it failed, without its secrets', async () => {
  const said = `console.error('key is ' + process.env.KEY); process.exit(1)`;
  const connector = open(silent, { args: ['-e', said], env: { KEY: 'canary-123' }, secrets: ['canary-123'] });
  await expect.poll(() => connector.diagnostics()).toBe('key is [secret]\n');
  await connector.close();
});

test('a secret that was cut in two by the limit is not shown by half', async () => {
  const said = `process.stderr.write(process.env.KEY + 'x'.repeat(4090) + '\\nthe end\\n')`;
  const connector = open(silent, { args: ['-e', said], env: { KEY: 'canary-123' }, secrets: ['canary-123'] });
  await expect.poll(() => connector.diagnostics()).toContain('the end');
  expect(connector.diagnostics()).not.toMatch(/\d/);
  await connector.close();
});

test('a server that reads nothing makes its callers wait, and no queue grows without end', async () => {
  const { call, upstream } = worldOf((sink) =>
    open(sink, {
      // Answers the handshake and then leaves its input alone.
      args: [
        '-e',
        `process.stdin.once('data', () => {
          process.stdin.pause();
          console.log('{"jsonrpc":"2.0","id":0,"result":{"protocolVersion":"2025-11-25","capabilities":{}}}');
        }); setTimeout(() => {}, 60_000);`,
      ],
    }),
  );
  await upstream.ready();
  const text = 'x'.repeat(4_000_000);
  const failures = await Promise.all(
    Array.from({ length: 8 }, () => failureOf(call('echo', { text }, { timeoutMs: 300 }))),
  );
  expect(new Set(failures)).toEqual(new Set(['timeout', 'busy']));
});

test('after a SIGKILL of the gate, the reaper ends its servers', async () => {
  const gate = `
    import { spawn } from 'node:child_process';
    import { startReaper } from ${JSON.stringify(new URL('reaper.ts', import.meta.url).href)};
    const reaper = startReaper();
    const start = () => spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { detached: true, stdio: 'ignore' });
    const [kept, left] = [start(), start()];
    reaper.add(kept.pid); reaper.add(left.pid); reaper.remove(left.pid);
    console.log(JSON.stringify([kept.pid, left.pid]));
    setInterval(() => {}, 1000);
  `;
  const child = spawn(process.execPath, ['--input-type=module', '-e', gate], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = await once(child.stdout, 'data');
  const [kept, left] = JSON.parse(String(line)) as [number, number];
  child.kill('SIGKILL');
  await expect.poll(() => isAlive(kept)).toBe(false);
  expect(isAlive(left)).toBe(true);
  process.kill(left, 'SIGKILL');
});

test('a closed reaper leaves no process of its own', async () => {
  const before = busy();
  const own = startReaper();
  own.close();
  await expect.poll(() => busierThan(before)).toEqual([]);
});
