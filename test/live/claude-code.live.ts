// Claude Code's own program, in a home of its own: it connects to Toolgate and says so. No model is asked.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startWorld, type World } from './world.ts';

const version = '0.3.329';
const name = `claude-agent-sdk-${process.platform}-${process.arch}`;
const run = promisify(execFile);

/** Where npm has put the program; undefined when there is none for this machine. */
async function install(): Promise<string | undefined> {
  const home = fileURLToPath(new URL(`../../.toolgate/live/${name}-${version}`, import.meta.url));
  const binary = path.join(home, 'node_modules', '@anthropic-ai', name, 'claude');
  if (existsSync(binary)) return binary;
  await mkdir(home, { recursive: true });
  const args = [
    'install',
    '--prefix',
    home,
    '--no-save',
    '--ignore-scripts',
    `@anthropic-ai/${name}@${version}`,
  ];
  await run('npm', args, { timeout: 10 * 60_000 }).catch(() => undefined);
  return existsSync(binary) ? binary : undefined;
}

const binary = await install();
const home = await mkdtemp(path.join(tmpdir(), 'toolgate-claude-'));
let world: World;

beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => rm(home, { recursive: true, force: true }));

async function claude(...args: string[]): Promise<string> {
  const env = {
    ...{ HOME: home, PATH: process.env['PATH'] ?? '', CLAUDE_CONFIG_DIR: path.join(home, '.claude') },
    ...{ DISABLE_AUTOUPDATER: '1', DISABLE_TELEMETRY: '1', CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC: '1' },
  };
  return (await run(binary ?? '', args, { cwd: home, env, timeout: 60_000 })).stdout;
}

test.skipIf(binary === undefined)('`claude mcp list` says Connected', async () => {
  const header = `Authorization: Bearer ${world.tokens.alice}`;
  await claude('mcp', 'add', '--transport', 'http', 'gate', `${world.gate.url}/mcp`, '--header', header);
  await claude(
    'mcp',
    'add',
    '--transport',
    'http',
    'one',
    `${world.gate.url}/mcp/whoami`,
    '--header',
    header,
  );
  await claude(
    'mcp',
    'add',
    '--transport',
    'http',
    'nobody',
    `${world.gate.url}/mcp`,
    '--header',
    'Authorization: Bearer no',
  );
  const list = await claude('mcp', 'list');
  expect(list).toMatch(/^gate: .*Connected$/m);
  expect(list).toMatch(/^one: .*Connected$/m);
  expect(list).not.toMatch(/^nobody: .*Connected$/m);
});
