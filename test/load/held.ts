// What a process and those that it started hold, as Linux and the process itself see it.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { leftIn } from '../e2e/memory.ts';
import type { Program } from '../e2e/program.ts';

export interface Held {
  readonly heapMiB: number;
  readonly rssMiB: number;
  readonly cpuSeconds: number;
  /** Of the process itself. */
  readonly sockets: number;
  readonly files: number;
  /** Processes that it started, and those that they did. */
  readonly processes: number;
  /** Of those. */
  readonly theirRssMiB: number;
  readonly theirFiles: number;
}

const mebibyte = 1024 ** 2;
/** Of Linux, whatever the machine. */
const ticksInSecond = 100;

/** After its garbage was collected. */
export async function heldBy(program: Program): Promise<Held> {
  const { heap } = await leftIn(program);
  const own = openFiles(program.pid);
  const others = descendants(program.pid);
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  return {
    heapMiB: heap / mebibyte,
    rssMiB: rssOf(program.pid),
    cpuSeconds: cpuOf(program.pid),
    sockets: own.filter((target) => target.startsWith('socket:')).length,
    files: own.length,
    processes: others.length,
    theirRssMiB: sum(others.map(rssOf)),
    theirFiles: sum(others.map((pid) => openFiles(pid).length)),
  };
}

/** Targets of a process's open files. */
function openFiles(pid: number): string[] {
  const folder = `/proc/${pid}/fd`;
  return gone(() => readdirSync(folder), []).flatMap((name) =>
    gone(() => [readlinkSync(`${folder}/${name}`)], []),
  );
}

function rssOf(pid: number): number {
  const status = gone(() => readFileSync(`/proc/${pid}/status`, 'utf8'), '');
  return Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1] ?? 0) / 1024;
}

/** In user and system mode. */
function cpuOf(pid: number): number {
  const [user = 0, system = 0] = statOf(pid).slice(11, 13).map(Number);
  return (user + system) / ticksInSecond;
}

/** What stands behind the name of the program in `/proc/<pid>/stat`, from the state on. */
function statOf(pid: number | string): string[] {
  const stat = gone(() => readFileSync(`/proc/${pid}/stat`, 'utf8'), '');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
}

export function descendants(pid: number): number[] {
  const parents = new Map<number, number>();
  for (const name of readdirSync('/proc').filter((one) => /^\d+$/.test(one))) {
    parents.set(Number(name), Number(statOf(name)[1]));
  }
  const found = new Set([pid]);
  // A child may have a lower number than its parent.
  for (let before = 0; before !== found.size; ) {
    before = found.size;
    for (const [child, parent] of parents) if (found.has(parent)) found.add(child);
  }
  found.delete(pid);
  return [...found];
}

/** What ends while it is looked at holds nothing. */
function gone<T>(look: () => T, otherwise: T): T {
  try {
    return look();
  } catch {
    return otherwise;
  }
}
