// Packages that everybody runs, in a runner with walls and real npm, from a registry on loopback: fetched once, without
// anybody's keys, and nobody can change what another one runs.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  globSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type FakeRegistry, npmRegistry } from '../../../../test/fakes/npm-registry.ts';
import { type Commands, type RunnerWorld, runnerWorld } from '../../../../test/runner-world.ts';
import { closeWorlds, worldOf } from '../../../../test/upstream-world.ts';

/** What a package that is installed finds out about the machine: it writes it down beside itself. */
const looksAround = `
const fs = require('node:fs');
const attempt = (work) => { try { return String(work() ?? 'ok').slice(0, 200); } catch (error) { return error.code; } };
const [place] = __dirname.split('/files/');
fs.writeFileSync('seen.json', JSON.stringify({
  env: process.env,
  pids: fs.readdirSync('/proc').filter((name) => /^\\d+$/.test(name)).length,
  planted: attempt(() => fs.writeFileSync(place + '/planted', '')),
  others: attempt(() => fs.readdirSync(place + '/..').join()),
  secret: attempt(() => fs.readFileSync(place + '/../../master.key', 'utf8')),
}));
fs.writeFileSync('setuid', '', { mode: 0o755 });
fs.chmodSync('setuid', 0o6777);
`;
/** Instead of its own manifest and program, links to what it must not have shown. */
const linksOut = `
const fs = require('node:fs');
fs.rmSync('package.json');
fs.symlinkSync(__dirname.split('/packages/')[0] + '/master.key', 'package.json');
`;
/** As those do that download a browser. */
const keepsFiles = `
const fs = require('node:fs');
fs.mkdirSync(require('node:os').homedir() + '/.cache/browser', { recursive: true });
fs.writeFileSync(require('node:os').homedir() + '/.cache/browser/program', 'x');
`;

const commands = {
  look: { command: 'npx', args: ['-y', 'looks-around@1.2.3', 'x'], env: { KEY: '${credential}' } },
  closed: { command: 'npx', args: ['-y', 'looks-around@1.2.3'], limits: { network: 'none' } },
  links: { command: 'npx', args: ['-y', 'links-out@1.2.3'] },
  keeps: { command: 'npx', args: ['-y', 'keeps-files@1.2.3'] },
  absent: { command: 'npx', args: ['-y', 'nowhere-to-be-found@1.2.3'] },
  registry: {
    ...{ command: 'npx', args: ['-y', 'own-registry@1.2.3'] },
    env: { npm_config_registry: '${env:OWN_REGISTRY}' },
  },
};

const works = (command: string, args: readonly string[]) =>
  spawnSync(command, args, { timeout: 60_000 }).status === 0;
const isRoot = process.getuid?.() === 0;
const missing =
  process.platform === 'linux' &&
  works('bwrap', ['--ro-bind', '/', '/', '--unshare-all', 'true']) &&
  works('npm', ['--version'])
    ? undefined
    : 'bubblewrap or npm is not there, or this machine lets nobody use it';

const users: Readonly<Record<string, { readonly user?: number }>> = isRoot
  ? { 'as it is started': {}, 'as a plain user': { user: 12_345 } }
  : { 'as it is started': {} };

for (const [name, o] of Object.entries(users))
  describe.skipIf(missing)(`a runner ${name}`, { timeout: 120_000 }, () => shared(o));

function shared({ user }: { readonly user?: number }): void {
  let world: RunnerWorld;
  let registry: FakeRegistry;
  beforeAll(async () => {
    const atInstall = {
      ...{ 'looks-around': looksAround, 'links-out': linksOut, 'own-registry': '' },
      'keeps-files': keepsFiles,
    };
    registry = await npmRegistry(
      Object.fromEntries(Object.entries(atInstall).map(([one, script]) => [one, { atInstall: script }])),
    );
    const env = { TOOLGATE_RUNNER_WALLS: 'bubblewrap', NPM_CONFIG_REGISTRY: registry.url };
    world = runnerWorld(commands, env, user === undefined ? {} : { user });
    chmodSync(world.folder, 0o755);
    await world.health();
    writeFileSync(path.join(world.folder, 'data', 'master.key'), 'canary-master-key', { mode: 0o644 });
  }, 60_000);
  afterAll(async () => {
    await closeWorlds();
    await world.close();
    await registry.close();
  }, 30_000);

  const start = (server: keyof typeof commands, tenant: string, env: Readonly<Record<string, string>> = {}) =>
    worldOf((sink) => {
      const { command, args } = commands[server];
      return world.open(server, sink, { command, args, env, tenant, scope: `tenant:${tenant}` });
    });
  const shelf = () => path.join(world.folder, 'data', 'packages');
  /** However long the machine takes to fetch it: whoever comes too early is told so. */
  const untilThere = (one: ReturnType<typeof start>) =>
    expect.poll(() => one.list().catch(String), { timeout: 90_000, interval: 250 }).toContain('echo');

  test('is asked for a package by many at once, and fetches it once', async () => {
    const all = ['acme', 'globex', 'initech'].map((tenant) =>
      start('look', tenant, { KEY: `key of ${tenant}` }),
    );
    for (const one of all) await untilThere(one);
    expect(registry.fetched('looks-around')).toBe(1);
    const seen = await Promise.all(all.map(async (one) => JSON.parse(await one.call('look')).env.KEY));
    expect(seen).toEqual(['key of acme', 'key of globex', 'key of initech']);
    for (const one of all) await one.upstream.close();
  });

  test('a tenant cannot change what another one runs, whatever it tries', async () => {
    const one = start('look', 'acme', { KEY: 'k' });
    await untilThere(one);
    const [files = ''] = globSync(`${shelf()}/looks-around.*/files`);
    const program = path.join(files, 'node_modules/looks-around/server.mjs');
    const paths = [
      program,
      path.dirname(program),
      files,
      path.dirname(files),
      `${files}/node_modules/.bin/x`,
    ];
    const mark = `${path.dirname(files)}/made.json`;
    const before = readFileSync(program, 'utf8');
    const tried = JSON.parse(await one.call('touch', { paths: [...paths, mark] })) as [
      string,
      string,
      string,
    ][];
    expect(tried.map(([, , writing]) => writing)).not.toContain('ok');
    expect(JSON.parse(await one.call('list', { directory: path.dirname(path.dirname(files)) }))).toEqual([
      path.basename(path.dirname(files)),
    ]);
    expect(readFileSync(program, 'utf8')).toBe(before);
    await one.upstream.close();
  });

  test('what a package does when it is installed, it does with nobody’s keys, and to nobody’s files', async () => {
    await untilThere(start('look', 'acme', { KEY: 'canary' }));
    const [file = ''] = globSync(`${shelf()}/looks-around.*/files/node_modules/looks-around/seen.json`);
    const { env, pids, others, secret } = JSON.parse(readFileSync(file, 'utf8'));
    expect(JSON.stringify(env)).not.toContain('canary');
    expect(env).not.toHaveProperty('KEY');
    // Where it seemed to write was a directory of its own, at most.
    expect(readdirSync(file.split('/files/')[0] ?? '').sort()).toEqual(['files', 'made.json']);
    expect(secret).toBe('ENOENT');
    expect(others.split(',')).toHaveLength(1);
    expect(pids).toBeLessThan(20);
  });

  test('nobody but the runner may write what is there, and no program of it makes anybody somebody else', async () => {
    await untilThere(start('look', 'acme', { KEY: '' }));
    const [setuid = ''] = globSync(`${shelf()}/looks-around.*/files/node_modules/looks-around/setuid`);
    const [row] = spawnSync('stat', ['-c', '%a %u', setuid], { encoding: 'utf8' }).stdout.split('\n');
    expect(row).toBe(`755 ${user ?? process.getuid?.()}`);
  });

  test('a server without a network runs a package all the same', async () => {
    const one = start('closed', 'acme');
    await untilThere(one);
    expect(registry.fetched('looks-around')).toBe(1);
    const { port } = new URL(registry.url);
    expect(await one.call('connect', { targets: [`127.0.0.1:${port}`] })).not.toContain('"connected"');
  });

  test('links out of a package lead the runner nowhere', async () => {
    const one = start('links', 'acme');
    // Nobody can say which of its programs is meant, so npx fetches it as ever; its links are its own.
    expect(await one.list().catch(String)).not.toContain('canary');
    const logged = await one
      .call('touch', { paths: [path.join(world.folder, 'data', 'master.key')] })
      .catch(String);
    expect(logged).not.toContain('canary');
  });

  test('a package that keeps files in a home has them in the home of whoever runs it', async () => {
    const one = start('keeps', 'acme');
    await untilThere(one);
    const [kept = ''] = globSync(`${world.folder}/data/runner/keeps.*/home*/.cache/browser/program`);
    expect(readFileSync(kept, 'utf8')).toBe('x');
    expect(globSync(`${shelf()}/keeps-files.*/files/*`)).toEqual([]);
    await one.upstream.close();
  });

  test('a package that is not there is told, and the next call does not fetch again at once', async () => {
    const message = /The package nowhere-to-be-found@1\.2\.3 of the server "absent" could not be fetched/;
    await expect(start('absent', 'acme').list()).rejects.toThrow(message);
    await expect(start('absent', 'globex').list()).rejects.toThrow(message);
  });

  test('a server with a registry of its own shares with nobody', async () => {
    const env = { npm_config_registry: registry.url };
    for (const tenant of ['acme', 'globex']) await untilThere(start('registry', tenant, env));
    expect(registry.fetched('own-registry')).toBe(2);
    expect(globSync(`${shelf()}/own-registry.*`)).toEqual([]);
  });
}

describe.skipIf(missing)('settings of npm where a command starts', { timeout: 120_000 }, () => {
  const tool = { command: 'npx', args: ['-y', 'of-acme@1.2.3'] };
  const settled: (() => Promise<void>)[] = [];
  afterEach(async () => {
    for (const close of settled.splice(0)) await close();
  });

  async function registryOf(): Promise<FakeRegistry> {
    const registry = await npmRegistry({ 'of-acme': {} });
    settled.push(registry.close);
    return registry;
  }
  function worldWith(more: object = {}, servers: Commands = {}): RunnerWorld {
    const commands = { acme: { ...tool, ...more }, ...servers };
    const world = runnerWorld(commands, { TOOLGATE_RUNNER_WALLS: 'bubblewrap' });
    chmodSync(world.folder, 0o755);
    settled.push(world.close);
    return world;
  }
  async function untilItRuns(world: RunnerWorld): Promise<void> {
    const one = worldOf((sink) => world.open('acme', sink, tool));
    await expect.poll(() => one.list().catch(String), { timeout: 60_000, interval: 250 }).toContain('echo');
    await one.upstream.close();
  }
  const shared = (world: RunnerWorld) => globSync(`${world.folder}/data/packages/of-acme.*`);

  test('say where a package comes from, and their packages are others than without them', async () => {
    const [own, other] = [await registryOf(), await registryOf()];
    const world = worldWith();
    for (const { url } of [own, other, own]) {
      writeFileSync(path.join(world.folder, '.npmrc'), `registry=${url}\n`);
      await untilItRuns(world);
    }
    expect([own.fetched('of-acme'), other.fetched('of-acme')]).toEqual([1, 1]);
  });

  test('count though the user of servers may not read them, as npm leaves them that has logged in', async () => {
    const registry = await registryOf();
    const world = worldWith();
    writeFileSync(path.join(world.folder, '.npmrc'), `registry=${registry.url}\n`, { mode: 0o600 });
    await untilItRuns(world);
    expect(registry.fetched('of-acme')).toBe(1);
  });

  test('keep a package from being shared where the server may write them', async () => {
    const registry = await registryOf();
    const world = worldWith({ cwd: './project' });
    mkdirSync(path.join(world.folder, 'project'));
    chmodSync(path.join(world.folder, 'project'), 0o777);
    writeFileSync(path.join(world.folder, 'project', '.npmrc'), `registry=${registry.url}\n`);
    await untilItRuns(world);
    expect(registry.fetched('of-acme')).toBe(1);
    expect(shared(world)).toEqual([]);
  });

  test('keep a package from being shared where another server has written them', async () => {
    const registry = await registryOf();
    const writes = `require('fs').writeFileSync('.npmrc', 'registry=${registry.url}\\n'); setTimeout(() => {}, 60_000)`;
    const world = worldWith({}, { files: { args: ['-e', writes, '.'] } });
    chmodSync(world.folder, 0o777);
    const files = worldOf((sink) => world.open('files', sink, { args: ['-e', writes, '.'] }));
    const listed = files.list().catch(String);
    await expect.poll(() => existsSync(path.join(world.folder, '.npmrc')), { timeout: 30_000 }).toBe(true);
    await untilItRuns(world);
    expect(shared(world)).toEqual([]);
    await files.upstream.close();
    await listed;
  });
});
