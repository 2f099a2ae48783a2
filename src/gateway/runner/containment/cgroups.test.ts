import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../../test/temporary-folder.ts';
import { limitsOf } from '../limits.ts';
import { ownCgroups } from './cgroup-files.ts';
import { findCgroups } from './cgroups.ts';

const limits = limitsOf({ memoryMb: 64, cpus: 0.5, processes: 20 });
const read = (...parts: string[]) => readFileSync(path.join(...parts), 'utf8');

/** A tree of files as the kernel shows them, as far as anybody looks. */
function version2(controllers = 'cpuset cpu memory pids', enabled = 'cpu memory pids'): string {
  return temporaryFolder({
    'proc/self/cgroup': '0::/system.slice/toolgate.service\n',
    'proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n',
    'sys/fs/cgroup/system.slice/toolgate.service/cgroup.controllers': `${controllers}\n`,
    'sys/fs/cgroup/system.slice/toolgate.service/cgroup.subtree_control': `${enabled}\n`,
    'sys/fs/cgroup/system.slice/toolgate.service/cgroup.procs': '',
  });
}

test('version 2: a group below its own, held to everything that a process may use', () => {
  const root = version2();
  const [place] = ownCgroups(root);
  expect(place).toMatchObject({ version: 2, controllers: ['memory', 'pids', 'cpu'] });
  const cgroups = findCgroups(ownCgroups(root));
  const group = cgroups!.make('x', limits);
  const [directory = ''] = group.directories;
  expect(path.dirname(directory)).toBe(path.join(root, 'sys/fs/cgroup/system.slice/toolgate.service'));
  expect(read(directory, 'memory.max')).toBe(String(64 * 1024 * 1024));
  expect(read(directory, 'memory.swap.max')).toBe('0');
  expect(read(directory, 'pids.max')).toBe('20');
  expect(read(directory, 'cpu.max')).toBe('50000 100000');
  group.join(4711);
  expect(read(directory, 'cgroup.procs')).toBe('4711');
  expect(group.ranOutOfMemory()).toBe(false);
  writeFileSync(path.join(directory, 'memory.events'), 'low 0\noom 2\noom_kill 1\n');
  expect(group.ranOutOfMemory()).toBe(true);
});

test('version 2: what is not enabled yet is enabled', () => {
  const root = version2('cpu memory pids', 'cpu');
  expect(findCgroups(ownCgroups(root))?.controllers).toEqual(['memory', 'pids', 'cpu']);
  expect(read(root, 'sys/fs/cgroup/system.slice/toolgate.service/cgroup.subtree_control')).toBe(
    '+memory +pids',
  );
});

test('version 1: a group in each hierarchy, below its own there', () => {
  const root = temporaryFolder({
    'proc/self/cgroup': '9:pids:/docker/abc\n4:memory:/docker/abc\n2:cpu,cpuacct:/\n0::/\n',
    'proc/self/mountinfo': [
      '41 40 0:31 /docker/abc /sys/fs/cgroup/pids rw - cgroup cgroup rw,pids',
      '42 40 0:32 /docker/abc /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory',
      '43 40 0:33 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu,cpuacct',
    ].join('\n'),
    'sys/fs/cgroup/pids/': '',
    'sys/fs/cgroup/memory/': '',
    'sys/fs/cgroup/cpu/': '',
  });
  const cgroups = findCgroups(ownCgroups(root));
  expect(cgroups).toMatchObject({ version: 1, controllers: ['pids', 'memory', 'cpu'] });
  const { directories } = cgroups!.make('x', limits);
  expect(directories.map((one) => path.relative(root, path.dirname(one)))).toEqual([
    ...['sys/fs/cgroup/pids', 'sys/fs/cgroup/memory', 'sys/fs/cgroup/cpu'],
  ]);
  expect(read(directories[0]!, 'pids.max')).toBe('20');
  expect(read(directories[1]!, 'memory.limit_in_bytes')).toBe(String(64 * 1024 * 1024));
  expect(read(directories[2]!, 'cpu.cfs_quota_us')).toBe('50000');
});

test('where nothing is mounted, or nothing may be made, there are none', () => {
  expect(findCgroups(ownCgroups(temporaryFolder()))).toBeUndefined();
  const missing = temporaryFolder({
    'proc/self/cgroup': '0::/gone\n',
    'proc/self/mountinfo': '30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n',
  });
  expect(findCgroups(ownCgroups(missing))).toBeUndefined();
});

test('groups that a killed runner left are taken away, those of a living one stay', () => {
  const root = version2();
  const own = path.join(root, 'sys/fs/cgroup/system.slice/toolgate.service');
  for (const name of ['toolgate-4194999-left', `toolgate-${process.pid}-mine`, 'other-1-x'])
    mkdirSync(path.join(own, name));
  findCgroups(ownCgroups(root));
  expect(readdirSync(own).filter((name) => !name.startsWith('cgroup.'))).toEqual([
    'other-1-x',
    `toolgate-${process.pid}-mine`,
  ]);
});
