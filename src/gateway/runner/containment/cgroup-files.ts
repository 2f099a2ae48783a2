import { readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';

/** What control groups can hold a process to. */
export type Controller = 'memory' | 'pids' | 'cpu';

/** A directory in which control groups for servers can be made, and what groups in it are held to. */
export interface CgroupPlace {
  readonly version: 1 | 2;
  readonly directory: string;
  readonly controllers: readonly Controller[];
}

interface Mounted {
  readonly version: 1 | 2;
  readonly at: string;
  /** The group that is seen there; in a container it may be another than the topmost. */
  readonly top: string;
  readonly controllers: readonly string[];
}

const wanted: readonly Controller[] = ['memory', 'pids', 'cpu'];

/**
 * The own control group of this process in every hierarchy that is mounted (cgroups(7)): what is made below it stays
 * under whatever limits this process itself was given. `root` stands for `/` in tests.
 */
export function ownCgroups(root = '/'): CgroupPlace[] {
  const own = new Map<string, string>();
  for (const line of textOf(path.join(root, 'proc/self/cgroup')).split('\n')) {
    const [, names, ...rest] = line.split(':');
    for (const name of names?.split(',') ?? []) own.set(name, rest.join(':'));
  }
  return mountsIn(textOf(path.join(root, 'proc/self/mountinfo'))).flatMap((mount) => {
    const { version } = mount;
    const at = own.get(version === 2 ? '' : (mount.controllers[0] ?? '-'));
    if (at === undefined || at.includes(' ')) return [];
    const below = mount.top !== '/' && at.startsWith(mount.top) ? at.slice(mount.top.length) : at;
    const directory = path.join(root, mount.at, below);
    const there = version === 2 ? namesIn(directory, 'cgroup.controllers') : mount.controllers;
    const controllers = wanted.filter((one) => there.includes(one));
    return controllers.length === 0 ? [] : [{ version, directory, controllers }];
  });
}

/** proc_pid_mountinfo(5): `… - cgroup2 …` and `… - cgroup cgroup rw,memory`. */
function mountsIn(mountinfo: string): Mounted[] {
  return mountinfo.split('\n').flatMap((line): Mounted[] => {
    const [before = '', after = ''] = line.split(' - ');
    const [, , , top = '/', at = ''] = before.split(' ');
    const [type, , options = ''] = after.split(' ');
    if (type === 'cgroup2') return [{ version: 2, at, top, controllers: [] }];
    const controllers = options.split(',').filter((name) => !/^r[ow]$/.test(name));
    return type === 'cgroup' ? [{ version: 1, at, top, controllers }] : [];
  });
}

/** Words of a file of a control group. */
export function namesIn(directory: string, file: string): string[] {
  return textOf(path.join(directory, file)).split(/\s+/).filter(Boolean);
}

/** A number that a file names, e.g. `oom_kill 3`; 0 when it does not. */
export function countIn(directory: string, file: string, name: string): number {
  return Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(textOf(path.join(directory, file)))?.[1] ?? 0);
}

export function pidsOf(directory: string): number[] {
  return namesIn(directory, 'cgroup.procs').map(Number);
}

/** Writes one value; says whether the kernel took it. */
export function tells(directory: string, file: string, value: string | number): boolean {
  try {
    writeFileSync(path.join(directory, file), String(value));
    return true;
  } catch {
    return false; // It has no such file, or this process may not.
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return '';
  }
}
