import { existsSync, mkdirSync, readdirSync, rmdirSync } from 'node:fs';
import path from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Limits } from '../limits.ts';
import {
  type CgroupPlace,
  type Controller,
  countIn,
  namesIn,
  ownCgroups,
  pidsOf,
  tells,
} from './cgroup-files.ts';
import { killIfThere, processTable } from './process-table.ts';

/** Where control groups for servers are made. */
export interface Cgroups {
  /** What they hold a server to. */
  readonly controllers: readonly Controller[];
  /** 1 or 2, for people. */
  readonly version: number;
  /** Makes the group of one process. Throws when the kernel refuses. */
  make(name: string, limits: Limits): Cgroup;
}

/** The control group of one process, a directory in each hierarchy. */
export interface Cgroup {
  readonly directories: readonly string[];
  /** From then on the process, and whatever it starts, is in it. Throws when the kernel refuses. */
  join(pid: number): void;
  /** Ends everything in it. */
  kill(): void;
  /** The kernel had to end something in it because of its memory. */
  ranOutOfMemory(): boolean;
  /** Takes it away, once everything in it is gone. */
  remove(): Promise<void>;
}

const prefix = 'toolgate-';
/** The group that the gate and the runner move to, where groups with limits may not stand beside processes. */
const innerName = `${prefix}self`;
const period = 100_000;

/** What this process may use of control groups; undefined when it may not make any. */
export function findCgroups(places: readonly CgroupPlace[] = ownCgroups()): Cgroups | undefined {
  const usable = places.filter((place) => (place.version === 2 ? opens(place) : allows(place)));
  const controllers = usable.flatMap((place) => place.controllers);
  if (controllers.length === 0) return undefined;
  for (const { directory } of usable) removeAbandoned(directory);
  return {
    controllers,
    version: Math.max(...usable.map(({ version }) => version)),
    make: (name, limits) => make(usable, `${prefix}${process.pid}-${name}`, limits),
  };
}

/** Of version 1: may this process make groups here? */
function allows({ directory }: CgroupPlace): boolean {
  const probe = path.join(directory, `${prefix}probe-${process.pid}`);
  try {
    mkdirSync(probe);
    rmdirSync(probe);
    return true;
  } catch {
    return false;
  }
}

/**
 * Of version 2: groups with limits may stand only where no process is, so those that are there move into a group beside
 * them (cgroup-v2, "no internal process constraint"). That is done only where all of them are one program's: this one's.
 */
function opens(place: CgroupPlace): boolean {
  if (!allows(place)) return false;
  const { directory, controllers } = place;
  const missing = controllers.filter((one) => !namesIn(directory, 'cgroup.subtree_control').includes(one));
  if (missing.length === 0) return true;
  const enable = () => tells(directory, 'cgroup.subtree_control', missing.map((one) => `+${one}`).join(' '));
  if (enable()) return true;
  if (!isOneProgram(pidsOf(directory))) return false;
  const inner = path.join(directory, innerName);
  mkdirSync(inner, { recursive: true });
  return pidsOf(directory).every((pid) => tells(inner, 'cgroup.procs', pid)) && enable();
}

/** One of them was started by the system itself, as a service or a container is, and the others by that one. */
function isOneProgram(pids: readonly number[]): boolean {
  const table = processTable();
  const parents = pids.map((pid) => table.get(pid)?.parent ?? 0);
  const strangers = parents.filter((parent) => !pids.includes(parent));
  return strangers.length === 1 && strangers.every((parent) => parent <= 1);
}

function make(places: readonly CgroupPlace[], name: string, limits: Limits): Cgroup {
  const made = places.map((place) => ({ ...place, directory: path.join(place.directory, name) }));
  const directories = [...new Set(made.map(({ directory }) => directory))];
  for (const directory of directories) mkdirSync(directory, { recursive: true });
  for (const place of made) for (const controller of place.controllers) hold(place, controller, limits);
  return {
    directories,
    join: (pid) => {
      const refusing = directories.find((directory) => !tells(directory, 'cgroup.procs', pid));
      if (refusing !== undefined) throw new Error(`the kernel takes no process into ${refusing}`);
    },
    kill: () => {
      for (const directory of directories) killAll(directory);
    },
    ranOutOfMemory: () =>
      directories.some((one) =>
        ['memory.events', 'memory.oom_control'].some((file) => countIn(one, file, 'oom_kill') > 0),
      ),
    remove: () => remove(directories),
  };
}

function hold({ directory, version }: CgroupPlace, controller: Controller, limits: Limits): void {
  const bytes = limits.memoryMb * 1024 * 1024;
  const quota = Math.max(1_000, Math.round(limits.cpus * period));
  const orders: Readonly<Record<Controller, readonly (readonly [file: string, value: string | number])[]>> =
    version === 2
      ? {
          memory: [['memory.max', bytes]],
          pids: [['pids.max', limits.processes]],
          cpu: [['cpu.max', `${quota} ${period}`]],
        }
      : {
          memory: [['memory.limit_in_bytes', bytes]],
          pids: [['pids.max', limits.processes]],
          cpu: [
            ['cpu.cfs_period_us', period],
            ['cpu.cfs_quota_us', quota],
          ],
        };
  for (const [file, value] of orders[controller]) {
    if (!tells(directory, file, value)) throw new Error(`the kernel does not take ${value} for ${file}`);
  }
  if (controller !== 'memory') return;
  // Not every kernel counts swap; without it there is nothing to escape to.
  if (version === 1) tells(directory, 'memory.memsw.limit_in_bytes', bytes);
  else tells(directory, 'memory.swap.max', 0);
}

/** A bomb of forks cannot outrun it: nothing more may be started while what is there is ended. */
function killAll(directory: string): void {
  if (tells(directory, 'cgroup.kill', 1)) return;
  tells(directory, 'pids.max', 0);
  for (let round = 0; round < 20; round++) {
    const pids = pidsOf(directory);
    if (pids.length === 0) return;
    for (const pid of pids) killIfThere(pid, 'SIGKILL');
  }
}

/** The kernel takes a moment until the last process is out of it. */
async function remove(directories: readonly string[]): Promise<void> {
  for (let attempt = 0; attempt < 50; attempt++) {
    if (directories.every(isRemoved)) return;
    await delay(20 * Math.min(10, attempt + 1));
  }
}

function isRemoved(directory: string): boolean {
  try {
    rmdirSync(directory);
    return true;
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT';
  }
}

/** Groups that a runner has left which was killed; its process id is in their names. */
function removeAbandoned(directory: string): void {
  for (const name of readdirSync(directory)) {
    const owner = new RegExp(`^${prefix}(\\d+)-`).exec(name)?.[1];
    if (owner !== undefined && !existsSync(`/proc/${owner}`)) isRemoved(path.join(directory, name));
  }
}
