// deploy/: an image cannot be built in a test, so what the Dockerfile copies is put together without one and started.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, globSync, mkdirSync, readFileSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, expect, test } from 'vitest';
import { freePort } from './e2e/program.ts';
import { temporaryFolder } from './temporary-folder.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const read = (file: string) => readFileSync(path.join(root, file), 'utf8');
const dockerfile = read('deploy/Dockerfile').replace(/\\\n\s*/g, '');
const kubernetes = read('deploy/kubernetes/runner.yaml');

const instructions = (name: string) =>
  [...dockerfile.matchAll(new RegExp(`^${name} (.*)$`, 'gm'))].map(([, rest = '']) => rest);
const list = (name: string): string[] =>
  JSON.parse(
    instructions(name)
      .at(-1)
      ?.match(/\[.*\]$/)?.[0] ?? '[]',
  );
const variables = Object.fromEntries(
  instructions('ENV').flatMap((line) => line.split(/\s+/).map((one) => one.split('=') as [string, string])),
);
/** Paths of the repository that end up in the image. */
const copied = instructions('COPY')
  .filter((line) => !line.startsWith('--from'))
  .flatMap((line) => line.split(' ').slice(0, -1));

const children: ReturnType<typeof spawn>[] = [];
afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

test('it has the Node that everything else here is run with, and no newer one than the packages were chosen for', () => {
  const [, version] = /^ARG NODE=(.*)$/m.exec(dockerfile) ?? [];
  expect(version).toBe(read('.nvmrc').trim());
  expect(instructions('FROM').map((line) => line.split(' ')[0])).toEqual(Array(2).fill('node:${NODE}-slim'));
});

test('everything that is copied is there, and nothing else gets as far as the builder', () => {
  for (const one of copied) expect(globSync(one, { cwd: root }), one).toEqual([one]);
  const sent = [...read('.dockerignore').matchAll(/^!(.*)$/gm)].map(([, one = '']) => one);
  expect(read('.dockerignore')).toMatch(/^\*$/m);
  expect([...new Set(copied)].sort()).toEqual(sent.sort());
});

test('it runs as somebody who is not root, with the program as entry point', () => {
  expect(instructions('USER').at(-1)).toMatch(/^[1-9]\d{3,}:[1-9]\d{3,}$/);
  expect(list('ENTRYPOINT')).toEqual(['tini', '--', 'node', '/app/cli/main.ts']);
  expect(list('CMD')).toEqual(['serve']);
  expect(list('HEALTHCHECK')).toEqual(['node', '/app/deploy/health.mjs']);
});

test('Kubernetes runs the same: user, command, ports, places', () => {
  const value = (name: string) => new RegExp(`name: ${name}, value: "?([^" }]+)`).exec(kubernetes)?.[1];
  const user = instructions('USER').at(-1)?.split(':') ?? [];
  expect(/runAsUser: (\d+)\n\s+runAsGroup: (\d+)/.exec(kubernetes)?.slice(1)).toEqual(user);
  expect(kubernetes).toContain('args: ["runner"]');
  expect(kubernetes).not.toMatch(/^\s+command:/m);
  for (const name of ['TOOLGATE_RUNNER_LISTEN', 'TOOLGATE_CONFIG', 'TOOLGATE_DATA_DIR'])
    expect(value(name), name).toBe(variables[name]);
  const port = variables['TOOLGATE_RUNNER_LISTEN']?.split(':')[1] ?? '';
  expect(instructions('EXPOSE').at(-1)?.split(' ')).toContain(port);
  expect(kubernetes).toContain(`containerPort: ${port}`);
  expect(kubernetes).toContain(`mountPath: ${variables['TOOLGATE_DATA_DIR']}`);
  expect(kubernetes).toContain(`mountPath: ${path.dirname(variables['TOOLGATE_CONFIG'] ?? '')}`);
  const { version } = JSON.parse(read('package.json')) as { version: string };
  expect(kubernetes).toContain(`image: toolgate:${version}`);
  expect(read('deploy/Dockerfile')).toContain(`toolgate:${version}`);
});

test.each([
  ['runner', 'TOOLGATE_RUNNER_LISTEN'],
  ['serve', 'PORT'],
])(
  'what is copied is enough for toolgate %s, and the health check finds it',
  async (command, where) => {
    const folder = temporaryFolder({ 'config/mcp-servers.json': '{}', 'data/': '' });
    const app = path.join(folder, 'app');
    for (const one of copied) cpSync(path.join(root, one), path.join(app, one), { recursive: true });
    mkdirSync(app, { recursive: true });
    symlinkSync(path.join(root, 'node_modules'), path.join(app, 'node_modules'));
    const port = String(await freePort());
    const env = {
      ...{ PATH: process.env['PATH'] ?? '', ...variables, HOST: '127.0.0.1', PORT: port },
      TOOLGATE_CONFIG: path.join(folder, 'config/mcp-servers.json'),
      TOOLGATE_DATA_DIR: path.join(folder, 'data'),
      ...{ TOOLGATE_RUNNER_KEY: 'k'.repeat(40), TOOLGATE_RUNNER_LISTEN: `127.0.0.1:${port}` },
    };
    expect(env).toHaveProperty(where);
    const started = spawn(process.execPath, [path.join(app, 'cli/main.ts'), command], { cwd: app, env });
    children.push(started);
    const health = async () => {
      const check = spawn(process.execPath, [path.join(app, 'deploy/health.mjs')], { env, stdio: 'ignore' });
      return (await once(check, 'exit'))[0];
    };
    await expect.poll(health, { timeout: 45_000, interval: 250 }).toBe(0);
    started.kill('SIGTERM');
    await once(started, 'exit');
    expect(await health()).toBe(1);
  },
  60_000,
);
