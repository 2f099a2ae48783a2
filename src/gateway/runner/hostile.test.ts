// A hostile server in the runner, once for each way in which the system can hold it: what becomes of each attack, and
// that its neighbours, of the same tenant and of another, serve on. docs/runner.md has the table.
import { chmodSync, chownSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { type AddressInfo, createServer, type Server } from 'node:net';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type RunnerWorld, runnerWorld } from '../../../test/runner-world.ts';
import { closeWorlds, worldOf } from '../../../test/upstream-world.ts';

const hostile = fileURLToPath(new URL('../../../test/fakes/hostile-runner-server.ts', import.meta.url));
const honest = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));
const limits = { memoryMb: 256, cpus: 0.5, processes: 60, openFiles: 256, diskMb: 64 };
const commands = {
  hostile: { args: [hostile], limits },
  stubborn: { args: [hostile, 'stubborn'], limits },
  closed: { args: [hostile], limits: { ...limits, network: 'none' } },
  neighbour: { args: [honest, 'ok'] },
};

const isRoot = process.getuid?.() === 0;
/** Somebody without a name on most machines. */
const plainUser = 12_345;

interface System {
  readonly env: Readonly<Record<string, string>>;
  readonly user?: number;
  /** What holds a server there. */
  readonly holds: { readonly files: boolean; readonly pids: boolean; readonly network: boolean };
  /** Why it cannot be tried here; undefined: it can. */
  readonly missing?: string | undefined;
}

const works = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { timeout: 10_000 }).status === 0;
const noLinux = process.platform === 'linux' ? undefined : 'this is not Linux';
const noWalls = works('bwrap', ['--ro-bind', '/', '/', '--unshare-all', 'true'])
  ? undefined
  : 'bubblewrap is not there, or this machine lets nobody use it';
const noRoot = isRoot ? undefined : 'the tests do not run as root, so they cannot be another user';
const noUsers = works('unshare', ['--user', '--map-current-user', 'true'])
  ? undefined
  : 'user namespaces are off';

const systems: Readonly<Record<string, System>> = {
  'bubblewrap, as it is started': {
    env: { TOOLGATE_RUNNER_WALLS: 'bubblewrap' },
    holds: { files: true, pids: true, network: true },
    missing: noLinux ?? noWalls,
  },
  'bubblewrap, as a plain user': {
    env: { TOOLGATE_RUNNER_WALLS: 'bubblewrap', TOOLGATE_RUNNER_CGROUPS: 'false' },
    user: plainUser,
    holds: { files: true, pids: true, network: true },
    missing: noLinux ?? noWalls ?? noRoot ?? noUsers,
  },
  'unshare, as a plain user': {
    env: { TOOLGATE_RUNNER_WALLS: 'unshare', TOOLGATE_RUNNER_CGROUPS: 'false' },
    ...(isRoot && { user: plainUser }),
    holds: { files: false, pids: true, network: true },
    missing: noLinux ?? noUsers,
  },
  'nothing but limits and the watchdog, as a plain user': {
    env: { TOOLGATE_RUNNER_WALLS: 'none', TOOLGATE_RUNNER_CGROUPS: 'false' },
    ...(isRoot && { user: plainUser }),
    holds: { files: false, pids: false, network: false },
    missing: noLinux,
  },
};

for (const [name, system] of Object.entries(systems)) {
  describe.skipIf(system.missing)(
    `${name}${system.missing ? ` (left out: ${system.missing})` : ''}`,
    { timeout: 90_000 },
    () => attacks(system),
  );
}

function attacks({ env, user, holds }: System): void {
  let world: RunnerWorld;
  let gate: Server;
  let secret: string;
  let neighbours: ReturnType<typeof worldOf>[];
  let sequence = 0;

  beforeAll(async () => {
    world = runnerWorld(commands, env, user === undefined ? {} : { user });
    chmodSync(world.folder, 0o755);
    await world.health();
    secret = path.join(world.folder, 'data', 'master.key');
    writeFileSync(secret, 'canary-master-key', { mode: 0o600 });
    if (user !== undefined) chownSync(secret, user, user);
    gate = createServer().listen(0, '127.0.0.1');
    await once(gate, 'listening');
    neighbours = ['acme', 'globex'].map((tenant) =>
      start('neighbour', { tenant, scope: `tenant:${tenant}` }),
    );
    for (const one of neighbours) await one.list();
  }, 60_000);
  afterAll(async () => {
    await closeWorlds();
    await world.close();
    gate.close();
  }, 30_000);

  const start = (server: keyof typeof commands, owner: { tenant: string; scope: string }) =>
    worldOf((sink) => world.open(server, sink, { args: commands[server].args, ...owner }));

  /** Runs one attack while the neighbours are called without a pause; each attack has directories of its own. */
  async function attack(
    tool: string,
    { timeoutMs = 40_000, ...args }: { readonly timeoutMs?: number } & Readonly<Record<string, unknown>> = {},
    server: keyof typeof commands = 'hostile',
  ) {
    const one = start(server, { tenant: 'acme', scope: `user:${sequence++}` });
    let isOver = false;
    const load = neighbours.map(async (neighbour) => {
      let calls = 0;
      do expect(await neighbour.call('echo', { text: 'x' }, { timeoutMs: 20_000 })).toBe('x');
      while (++calls && !isOver);
      return calls;
    });
    const outcome = await one
      .call(tool, args, { timeoutMs })
      .catch((error: Error) => `failed: ${error.message}`);
    isOver = true;
    for (const calls of await Promise.all(load)) expect(calls).toBeGreaterThan(0);
    return { outcome, end: () => one.upstream.close() };
  }
  const told = async (
    tool: string,
    args?: Readonly<Record<string, unknown>>,
    server?: keyof typeof commands,
  ) => {
    const { outcome, end } = await attack(tool, args, server);
    await end();
    return /^[[{]/.test(outcome) ? JSON.parse(outcome) : outcome;
  };

  test('reads its environment: nothing of the gate’s', async () => {
    const { env: seen } = await told('look');
    expect(
      Object.keys(seen).filter((one) => /TOOLGATE_(?!PROCESS)|DATABASE|REDIS|VITEST|SECRET/.test(one)),
    ).toEqual([]);
  });

  test('reads the gate’s key, its socket and the files of other tenants: only where nothing stands between', async () => {
    const others = path.join(world.folder, 'data', 'runner', 'neighbour');
    const targets = [secret, path.join(world.folder, 'data', 'runner.sock'), '/etc/shadow'];
    const [key, socket, shadow] = (await told('touch', { paths: targets })) as string[][];
    expect(key![1]).toBe(holds.files ? 'ENOENT' : 'ok');
    expect(shadow![1]).not.toBe('ok');
    const connected = await told('connect', { targets: [socket![0]] });
    expect(connected[0] === 'connected').toBe(!holds.files);
    const [data] = (await told('touch', { paths: [`${others}.x`, path.dirname(others)] })) as string[][];
    expect(data![1]).toBe('ENOENT');
    const listing = await told('list', { directory: path.dirname(others) });
    expect(listing.filter((one: string) => one.startsWith('neighbour')).length > 0).toBe(!holds.files);
  });

  test('writes where it must not: nowhere', async () => {
    const targets = ['/usr/bin', '/etc/passwd', '/etc', '/', hostile, '/proc/sys/kernel/hostname'];
    const all = (await told('touch', { paths: targets })) as string[][];
    expect(all.map(([, , writing]) => writing).filter((one) => one === 'ok')).toEqual([]);
  });

  test('looks at other processes: none is there behind walls', async () => {
    const pids = [process.pid, world.runner.pid];
    const environs = (await told('touch', {
      paths: pids.map((pid) => `/proc/${pid}/environ`),
    })) as string[][];
    // In the open, and as the same user, nothing keeps it from them.
    const isSameUser = user === undefined && !isRoot;
    const read = environs.filter(([, reading]) => reading === 'ok');
    expect(read).toHaveLength(!holds.pids && isSameUser ? pids.length : 0);
    const signals = await told('signal', { pids });
    if (holds.pids) expect(signals).toEqual(['ESRCH', 'ESRCH']);
    const { pids: visible } = await told('look');
    expect(visible.length < 10).toBe(holds.pids);
  });

  test('opens the network: loopback too, unless it may have none', async () => {
    const { port } = gate.address() as AddressInfo;
    const targets = [`127.0.0.1 ${port}`];
    expect(await told('connect', { targets })).toEqual(['connected']);
    const closed = await told('connect', { targets: [...targets, '192.0.2.1 80'] }, 'closed');
    if (holds.network) expect(closed.join(' ')).toMatch(/^(ECONNREFUSED|ENETUNREACH) ENETUNREACH$/);
    else expect(closed).toMatch(/may not have a network, and nothing on this system can keep it from one/);
  });

  test('starts 5,000 processes, and daemons that leave it: some are started, none is left', async () => {
    const { outcome, end } = await attack('bomb', { children: 5_000, mark: process.pid });
    const started = outcome.startsWith('failed') ? 0 : Number(JSON.parse(outcome).started);
    expect(started).toBeLessThan(limits.processes);
    await end();
    // Without a namespace, a daemon that has taken the mark out of its environment and was never seen is not known.
    await expect.poll(() => sleepers(holds.pids ? [100, 101, 102] : [100, 101])).toEqual([]);
    for (const pid of sleepers([102])) kill(pid);
  });

  test('leaves a daemon behind: it goes with the server', async () => {
    await told('leave', { mark: process.pid });
    await expect.poll(() => sleepers([103])).toEqual([]);
  });

  test('leaves a daemon without its mark: it goes where there is a namespace', async () => {
    await told('leave', { scrubbed: true, mark: process.pid });
    if (holds.pids) await expect.poll(() => sleepers([103])).toEqual([]);
    else for (const pid of sleepers([103])) kill(pid);
  });

  test('fills the disk, with files, deleted files and one that is sparse: ended, or refused', async () => {
    const disk = 'was ended: it took more than 64 MiB of the disk';
    expect(await told('fill', { megabytes: 3_000 })).toContain(disk);
    expect(await told('fill', { megabytes: 3_000, deleted: true })).toContain(disk);
    expect(await told('sparse', { megabytes: 3_000 })).toBe('EFBIG');
  });

  test('takes 4 GB of memory: ended', async () => {
    expect(await told('eat', { megabytes: 4_096 })).toContain(
      'was ended: it took more than 256 MiB of memory',
    );
  });

  test('burns every processor: the others go on', async () => {
    expect(await told('burn', { threads: 8 })).toBe('burning');
  });

  test.each([
    ['noise', 'what it prints is not MCP'],
    ['blank', 'what it prints is not MCP'],
    ['endless', 'sent a message larger than'],
    ['news', 'it says more than anybody asked for'],
  ])('prints 1 GB of %s: ended', async (what, why) => {
    expect(await told('print', { megabytes: 1_024, what })).toContain(why);
  });

  test('prints 1 GB on stderr: slowed down, the others go on', async () => {
    const flood = { megabytes: 1_024, what: 'noise', to: 'stderr', timeoutMs: 3_000 };
    const { outcome, end } = await attack('print', flood);
    expect(outcome).toMatch(/printed|gave no answer/);
    await end();
  }, 60_000);

  test('ignores every signal: gone all the same', async () => {
    const { outcome, end } = await attack('look', {}, 'stubborn');
    const { env: seen } = JSON.parse(outcome) as { env: Record<string, string> };
    await end();
    await expect.poll(() => marked(seen['MCP_PROCESS_MARK'] ?? 'x')).toEqual([]);
  }, 30_000);
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function textOf(pid: number, file: string): string {
  try {
    return statSync(`/proc/${pid}`).isDirectory() ? readFileSync(`/proc/${pid}/${file}`, 'latin1') : '';
  } catch {
    return ''; // It has ended meanwhile.
  }
}

/** The processes that attacks leave are known by how long they sleep. */
function sleepers(seconds: readonly number[]): number[] {
  return pids().filter((pid) => seconds.some((one) => textOf(pid, 'cmdline') === `sleep\0${sleepOf(one)}\0`));
}

const sleepOf = (seconds: number) => `${seconds}.${process.pid}`;

function marked(mark: string): number[] {
  return pids().filter((pid) => textOf(pid, 'environ').includes(mark));
}

function kill(pid: number): void {
  process.kill(pid, 'SIGKILL');
}
