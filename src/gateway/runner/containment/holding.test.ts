import { spawn } from 'node:child_process';
import {
  chmodSync,
  linkSync,
  openSync,
  symlinkSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import path from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { temporaryFolder } from '../../../../test/temporary-folder.ts';
import { createLog } from '../../../platform/log.ts';
import { limitsOf } from '../limits.ts';
import { diskUse } from './disk-use.ts';
import { Marks } from './marks.ts';
import { comesTo, mayUse, otherUser, userFor } from './other-user.ts';
import { processTable } from './process-table.ts';
import { ProcessTree } from './process-tree.ts';
import { Watchdog } from './watchdog.ts';

const isRoot = process.getuid?.() === 0;
const isLinux = process.platform === 'linux';
const block = Buffer.alloc(1024 * 1024, 'x');

test('the disk: what files really take, each once, links not followed, deleted ones that are open too', async () => {
  const folder = temporaryFolder({ 'a/': '', 'outside/': '' });
  const a = path.join(folder, 'a');
  const used = async (pids: readonly number[] = []) => {
    const use = await diskUse([a], pids);
    return 'bytes' in use ? Math.round(use.bytes / block.length) : use.uncountable;
  };
  writeFileSync(path.join(a, 'one'), block);
  expect(await used()).toBe(1);
  linkSync(path.join(a, 'one'), path.join(a, 'same'));
  writeFileSync(path.join(a, 'sparse'), '');
  truncateSync(path.join(a, 'sparse'), 1024 * block.length);
  writeFileSync(path.join(folder, 'outside', 'big'), Buffer.alloc(5 * block.length, 'x'));
  symlinkSync(path.join(folder, 'outside'), path.join(a, 'link'));
  expect(await used()).toBe(1);
  const handle = openSync(path.join(a, 'gone'), 'w');
  for (let at = 0; at < 3; at++) writeSync(handle, block);
  unlinkSync(path.join(a, 'gone'));
  expect(await used()).toBe(1);
  if (isLinux) expect(await used([process.pid])).toBeGreaterThanOrEqual(4);
  expect(await diskUse([path.join(folder, 'nowhere')], [])).toEqual({ bytes: 0 });
});

test.skipIf(isRoot)('the disk: a directory that nobody can look into counts as too much', async () => {
  const folder = temporaryFolder({ 'closed/': '' });
  chmodSync(path.join(folder, 'closed'), 0);
  onTestFinished(() => chmodSync(path.join(folder, 'closed'), 0o700));
  expect(await diskUse([folder], [])).toHaveProperty('uncountable');
});

test('the disk: directories without end count as too much', async () => {
  const folder = temporaryFolder({ [`${'d/'.repeat(105)}`]: '' });
  expect(await diskUse([folder], [])).toHaveProperty('uncountable');
});

test('what a user may use is told by modes alone', async () => {
  const folder = temporaryFolder({ 'open/file': '', 'closed/file': '' });
  const user = { uid: 65534, gid: 65534 };
  const may = (name: string, use: 'read' | 'write', reach = false) =>
    mayUse(user, path.join(folder, name), { use, reach });
  chmodSync(path.join(folder, 'open/file'), 0o644);
  chmodSync(path.join(folder, 'closed'), 0o700);
  expect([await may('open/file', 'read'), await may('open/file', 'write')]).toEqual([true, false]);
  expect([await may('closed', 'read'), await may('closed/file', 'read')]).toEqual([false, true]);
  // Shown by itself it would be there; through the directory above nobody comes.
  expect(await may('closed/file', 'read', true)).toBe(false);
  expect(await comesTo(user, path.join(folder, 'open'))).toBe(true);
  expect(await may('absent', 'write')).toBe(true);
});

test.runIf(isRoot)(
  'root lets others run servers: nobody, a user, a number, one of a range, or root after all',
  async () => {
    expect(await otherUser(undefined)).toMatchObject({ name: 'nobody' });
    expect(await otherUser('1234')).toEqual({ name: '1234', uid: 1234, gid: 1234, span: 1 });
    expect(await otherUser('1234:99')).toMatchObject({ uid: 1234, gid: 99 });
    expect([await otherUser('root'), await otherUser('0')]).toEqual([null, null]);
    await expect(otherUser('no-such-user')).rejects.toThrow('no user "no-such-user"');
    const range = await otherUser('60001-60100');
    const uids = ['a', 'b', 'c', 'd'].map((owner) => userFor(range!, owner).uid);
    expect(new Set(uids).size).toBe(4);
    expect(uids.every((uid) => uid >= 60001 && uid <= 60100)).toBe(true);
    expect(userFor(range!, 'a').uid).toBe(uids[0]);
  },
);

test.skipIf(isRoot)('who is not root cannot let others run servers', async () => {
  expect(await otherUser(undefined)).toBeNull();
  await expect(otherUser('nobody')).rejects.toThrow('needs a runner that is started as root');
});

/** A shell that starts what it is told, ended with the test. */
function shell(script: string, mark: string): number {
  const env = { PATH: process.env['PATH'] ?? '', MCP_PROCESS_MARK: mark };
  const child = spawn('/bin/sh', ['-c', script], { detached: true, stdio: 'ignore', env });
  const pid = child.pid!;
  onTestFinished(() => {
    try {
      process.kill(-pid, 'SIGKILL');
    } catch {
      // ESRCH: the test has ended it.
    }
  });
  return pid;
}

test.runIf(isLinux)('a family of processes is known with its daemons, and ended with them', async () => {
  const mark = `test.${process.pid}.family`;
  const pid = shell('sleep 61 & (setsid sleep 62 &) ; wait', mark);
  const tree = new ProcessTree(pid, mark, new Marks());
  await expect.poll(() => tree.members(processTable()).length).toBe(3);
  const pids = tree.members(processTable()).map((one) => one.pid);
  tree.kill();
  await expect.poll(() => pids.filter((one) => processTable().has(one))).toEqual([]);
  expect(tree.members(processTable())).toEqual([]);
});

test.runIf(isLinux)('a daemon that was seen before it left is still known without its mark', async () => {
  const mark = `test.${process.pid}.seen`;
  const pid = shell('(env -i /bin/sh -c "sleep 1; exec /usr/bin/setsid /bin/sleep 63" &) ; sleep 64', mark);
  const tree = new ProcessTree(pid, mark, new Marks());
  const names = () => tree.members(processTable()).length;
  await expect.poll(names).toBeGreaterThanOrEqual(2);
  await expect.poll(() => tree.members(processTable()).some((one) => one.session !== pid)).toBe(true);
  tree.kill();
  await expect.poll(() => processTable().has(pid)).toBe(false);
});

test.runIf(isLinux)(
  'the watchdog ends what takes too much of memory, processes or disk, and says which',
  async () => {
    const folder = temporaryFolder({ 'own/': '' });
    const watchdog = new Watchdog(createLog('silent'));
    onTestFinished(() => watchdog.close());
    const reasons: Promise<string>[] = [
      'tail /dev/zero',
      'for i in 1 2 3 4 5 6 7 8; do sleep 65 & done; wait',
      `head -c 9000000 /dev/zero >${folder}/own/x; sleep 66`,
    ].map((script) => {
      const mark = `test.${process.pid}.${script.length}`;
      const tree = new ProcessTree(shell(script, mark), mark, new Marks());
      return new Promise((resolve) => {
        const stop = watchdog.watch({
          tree,
          limits: limitsOf({ memoryMb: 64, processes: 5, diskMb: 4 }),
          kernelCounts: { memory: false, processes: false },
          directories: script.includes('own') ? [path.join(folder, 'own')] : [],
          onOver: (why) => {
            tree.kill();
            stop();
            resolve(why);
          },
        });
      });
    });
    expect(await Promise.all(reasons)).toEqual([
      'was ended: it took more than 64 MiB of memory',
      'was ended: it had more than 5 processes and threads',
      'was ended: it took more than 4 MiB of the disk',
    ]);
  },
);
