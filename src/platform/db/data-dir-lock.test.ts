import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeEach, expect, onTestFinished, test } from 'vitest';
import { lockDataDir } from './data-dir-lock.ts';

let dataDir: string;
beforeEach(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'toolgate-lock-'));
  onTestFinished(() => rm(dataDir, { recursive: true }));
});

/** Another process that tries to take the lock and, if it gets it, holds it until it is killed. */
async function contender() {
  const script = `
    import { lockDataDir } from ${JSON.stringify(new URL('./data-dir-lock.ts', import.meta.url).href)};
    lockDataDir(${JSON.stringify(dataDir)}).then(() => 'got it', (error) => error.code).then(console.log);
    setInterval(() => {}, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const kill = async () => {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  const [answer] = await once(child.stdout, 'data');
  return { pid: child.pid, answer: String(answer).trim(), kill };
}

test('the same program does not open it twice, and another one can after it let go', async () => {
  const lock = await lockDataDir(dataDir);
  await expect(lockDataDir(dataDir)).rejects.toMatchObject({ code: 'data_dir_in_use' });
  await lock.release();
  await (await lockDataDir(dataDir)).release();
  expect(await readdir(dataDir)).toEqual([]);
});

test('another program that holds it is named; after it was killed, the lock is free', async () => {
  const other = await contender();
  expect(other.answer).toBe('got it');
  await expect(lockDataDir(dataDir)).rejects.toMatchObject({
    code: 'data_dir_in_use',
    message: expect.stringContaining(`Another Toolgate (pid ${other.pid}) uses this data directory.`),
  });
  await other.kill();
  await (await lockDataDir(dataDir)).release();
  expect(await readdir(dataDir)).toEqual([]);
});

test('a process that only happens to have the same pid does not hold the lock', async () => {
  await writeFile(join(dataDir, `lock.${process.ppid}.1`), '');
  await (await lockDataDir(dataDir)).release();
  expect(await readdir(dataDir)).toEqual([]);
});

test('of several that find a stale lock at once, never two get it', async () => {
  await writeFile(join(dataDir, `lock.${process.ppid}.1`), '');
  const all = await Promise.all([1, 2, 3, 4].map(contender));
  const winners = all.filter(({ answer }) => answer === 'got it');
  await Promise.all(all.map(({ kill }) => kill()));
  expect(winners.length).toBeLessThanOrEqual(1);
  expect(all.filter(({ answer }) => answer === 'data_dir_in_use')).toHaveLength(4 - winners.length);
});
