// Servers as the registries of npm and PyPI have them, started through the runner with everything that holds them here:
// with bubblewrap as root and as a plain user, and without walls. Each is listed and called for two owners.
import { spawnSync } from 'node:child_process';
import { chmodSync, globSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { passedOn } from '../../src/gateway/runner/containment/passed-on.ts';
import { type RunnerWorld, runnerWorld } from '../runner-world.ts';
import { closeWorlds, worldOf } from '../upstream-world.ts';
import { pythonPackage } from './venv.ts';

const commands = {
  everything: { command: 'npx', args: ['-y', '@modelcontextprotocol/server-everything@2026.8.31'] },
  memory: {
    command: 'npx',
    args: ['-y', '--package=@modelcontextprotocol/server-memory@2026.8.31', 'mcp-server-memory'],
  },
  time: { command: 'uvx', args: ['mcp-server-time==2026.10.19'] },
  fetch: { command: 'uvx', args: ['--from', 'mcp-server-fetch==2026.10.24', 'mcp-server-fetch'] },
  sealed: { command: 'uvx', args: ['mcp-server-time==2026.10.19'], limits: { network: 'none' } },
};
type Name = keyof typeof commands;

const calls: readonly (readonly [
  name: Name,
  tool: string,
  args: Record<string, unknown>,
  expected: RegExp,
])[] = [
  ['everything', 'echo', { message: 'hello' }, /hello/],
  ['memory', 'read_graph', {}, /entities/],
  ['time', 'get_current_time', { timezone: 'Europe/Berlin' }, /Europe\/Berlin/],
  // It answers by itself, whatever is reached from here.
  ['fetch', 'fetch', { url: 'http://127.0.0.1:9/' }, /Refused to fetch|Failed to fetch/],
];

const isRoot = process.getuid?.() === 0;
const works = (command: string, args: readonly string[]) => spawnSync(command, args).status === 0;
const hasWalls = works('bwrap', ['--ro-bind', '/', '/', '--unshare-all', 'true']);
const plain = isRoot ? { user: 12_345 } : {};
const ways = {
  'bubblewrap, as it is started': { walls: 'bubblewrap', shares: true, missing: !hasWalls, user: {} },
  'bubblewrap, as a plain user': {
    walls: 'bubblewrap',
    shares: true,
    missing: !hasWalls || !isRoot,
    user: plain,
  },
  'no walls, as a plain user': { walls: 'none', shares: false, missing: false, user: plain },
};

for (const [way, { walls, shares, missing, user }] of Object.entries(ways))
  describe.skipIf(missing)(way, { timeout: 300_000 }, () => {
    let world: RunnerWorld;
    beforeAll(async () => {
      const uv = await pythonPackage('uv', '0.13.8');
      const more = { PATH: `${uv}:${process.env['PATH']}`, TOOLGATE_RUNNER_WALLS: walls };
      world = runnerWorld(commands, { ...passedOn(process.env), ...more }, user);
      chmodSync(world.folder, 0o755);
      await world.health();
    });
    afterAll(async () => {
      await closeWorlds();
      await world.close();
    });

    const start = (name: Name, tenant: string) =>
      worldOf((sink) => {
        const { command, args } = commands[name];
        return world.open(name, sink, { command, args, tenant, scope: `tenant:${tenant}` });
      });
    /** The first start fetches, however long that takes. */
    async function there(name: Name, tenant: string) {
      const one = start(name, tenant);
      await expect
        .poll(() => one.list().catch(String), { timeout: 240_000, interval: 500 })
        .toBeInstanceOf(Array);
      return one;
    }

    test.each(calls)(
      '%s lists its tools and answers %s, for one owner after the other',
      async (name, tool, args, expected) => {
        for (const tenant of ['acme', 'globex']) {
          const one = await there(name, tenant);
          expect(await one.list()).toContain(tool);
          expect(await one.call(tool, args)).toMatch(expected);
          await one.upstream.close();
        }
      },
    );

    test.runIf(shares)('what was fetched once is run without a network', async () => {
      const one = await there('sealed', 'acme');
      expect(await one.call('get_current_time', { timezone: 'UTC' })).toMatch(/UTC/);
    });

    test('packages are kept for everybody where nobody can change them, and nowhere else', () => {
      const made = globSync(path.join(world.folder, 'data/packages/*/made.json'));
      expect(made).toHaveLength(shares ? calls.length : 0);
    });
  });
