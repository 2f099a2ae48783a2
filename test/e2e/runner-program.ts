// A runner that is a program of its own, gone with the test file.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';
import { eventually } from './gate.ts';
import { freePort } from './program.ts';

const mainProgram = fileURLToPath(new URL('../../src/main.ts', import.meta.url));
export const runnerKey = 'k'.repeat(40);

const started: ChildProcess[] = [];
const folders: string[] = [];
afterAll(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Starts one on a free port, unless `env` names another; resolves when it listens, or has ended. */
export async function startRunner(config: string, env: Readonly<Record<string, string>> = {}) {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-e2e-runner-'));
  folders.push(folder);
  const { PATH = '', HOME = '' } = process.env;
  const listen = env['TOOLGATE_RUNNER_LISTEN'] ?? `127.0.0.1:${await freePort()}`;
  const child = spawn(process.execPath, [mainProgram, 'runner'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...{ PATH, HOME, TOOLGATE_CONFIG: config, TOOLGATE_DATA_DIR: path.join(folder, 'data') },
      ...{ TOOLGATE_RUNNER_KEY: runnerKey, ...env, TOOLGATE_RUNNER_LISTEN: listen },
    },
  });
  started.push(child);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (chunk) => (printed += String(chunk)));
  await eventually('the runner listens', () => printed.includes('listens at') || child.exitCode !== null);
  return { child, url: `http://${listen}`, printed: () => printed };
}
