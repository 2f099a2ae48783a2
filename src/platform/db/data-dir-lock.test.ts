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

const holdBy = (content: unknown) => writeFile(join(dataDir, 'lock'), JSON.stringify(content));

test('a second holder is refused by the pid of the first, until that one lets go', async () => {
  const lock = await lockDataDir(dataDir);
  await expect(lockDataDir(dataDir)).rejects.toMatchObject({
    code: 'data_dir_in_use',
    message: expect.stringContaining(`Another Toolgate (pid ${process.pid}) uses this data directory.`),
  });
  await lock.release();
  await (await lockDataDir(dataDir)).release();
  expect(await readdir(dataDir)).toEqual([]);
});

test('the lock of a dead process is taken over', async () => {
  const child = spawn(process.execPath, ['-e', '']);
  await once(child, 'exit');
  await holdBy({ pid: child.pid, started: '12345' });
  await (await lockDataDir(dataDir)).release();
});

test('a process that only happens to have the same pid does not hold the lock', async () => {
  await holdBy({ pid: process.pid, started: 'some other time' });
  await (await lockDataDir(dataDir)).release();
});

test.each(['', '{}', 'null', '{"pid":'])('a lock file that says %j is held by nobody', async (content) => {
  await writeFile(join(dataDir, 'lock'), content);
  await (await lockDataDir(dataDir)).release();
});

test('of many that find a stale lock at once, one gets it', async () => {
  await holdBy({ pid: process.pid, started: 'some other time' });
  const results = await Promise.allSettled(Array.from({ length: 20 }, () => lockDataDir(dataDir)));
  expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  expect(await readdir(dataDir)).toEqual(['lock']);
});
