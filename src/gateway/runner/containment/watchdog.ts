import type { Log } from '../../../platform/log.ts';
import type { Limits } from '../limits.ts';
import { diskUse } from './disk-use.ts';
import { memoryOf, type ProcessTable, processTable } from './process-table.ts';
import type { ProcessTree } from './process-tree.ts';

/** A process that is looked at from time to time. */
export interface Watched {
  readonly tree: ProcessTree;
  readonly limits: Limits;
  /** The kernel holds it to its memory, or to its number of processes, so that nobody needs to look. */
  readonly kernelCounts: { readonly memory: boolean; readonly processes: boolean };
  readonly directories: readonly string[];
  /** It has taken more than it may: `why` completes "The server …". */
  onOver(why: string): void;
}

/** How often, in milliseconds: the shorter, the less can be taken in between, and the more it costs. */
const lookEvery = 500;
/** Measuring directories may take this part of the time, and no more. */
const shareOfTime = 0.02;

/** Looks after what the kernel does not: memory and processes where there are no control groups, and always the disk. */
export class Watchdog {
  /** With the time at which its directories are measured again, in milliseconds. */
  readonly #watched = new Map<Watched, number>();
  readonly #log: Log;
  readonly #timer: NodeJS.Timeout;
  #measuring = false;

  constructor(log: Log) {
    this.#log = log;
    this.#timer = setInterval(() => this.#look(), lookEvery);
    this.#timer.unref();
  }

  /** Until the function that it returns is called. */
  watch(one: Watched): () => void {
    this.#watched.set(one, 0);
    return () => this.#watched.delete(one);
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    if (this.#watched.size === 0) return;
    const table = processTable();
    for (const one of this.#watched.keys()) {
      const { memory, processes } = one.kernelCounts;
      const why = memory && processes ? undefined : tooMuch(one, table);
      if (why !== undefined) one.onOver(why);
    }
    this.#measure(table);
  }

  /** One round after the other, however long one takes. */
  #measure(table: ProcessTable): void {
    if (this.#measuring) return;
    this.#measuring = true;
    this.#measureDue(table)
      .catch((error: unknown) => this.#log.error({ err: error }, 'what servers keep could not be measured'))
      .finally(() => {
        this.#measuring = false;
      })
      .catch(() => undefined);
  }

  async #measureDue(table: ProcessTable): Promise<void> {
    const began = performance.now();
    for (const [one, due] of [...this.#watched]) {
      if (due > began) continue;
      const from = performance.now();
      const why = await tooMuchDisk(one, table);
      const took = performance.now() - from;
      // It may have ended meanwhile.
      if (this.#watched.has(one)) this.#watched.set(one, from + took / shareOfTime);
      if (why !== undefined) one.onOver(why);
    }
  }
}

async function tooMuchDisk(
  { tree, directories, limits }: Watched,
  table: ProcessTable,
): Promise<string | undefined> {
  const pids = tree.members(table).map(({ pid }) => pid);
  const use = await diskUse(directories, pids);
  if ('uncountable' in use) return `was ended: it ${use.uncountable}`;
  const isOver = use.bytes > limits.diskMb * 1024 * 1024;
  return isOver ? `was ended: it took more than ${limits.diskMb} MiB of the disk` : undefined;
}

function tooMuch({ tree, limits, kernelCounts }: Watched, table: ProcessTable): string | undefined {
  const members = tree.members(table);
  const processes = members.reduce((sum, { threads }) => sum + threads, 0);
  if (!kernelCounts.processes && processes > limits.processes)
    return `was ended: it had more than ${limits.processes} processes and threads`;
  if (kernelCounts.memory) return undefined;
  const memory = members.reduce((sum, { pid }) => sum + memoryOf(pid), 0);
  return memory > limits.memoryMb * 1024 * 1024
    ? `was ended: it took more than ${limits.memoryMb} MiB of memory`
    : undefined;
}
