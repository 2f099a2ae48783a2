import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import path from 'node:path';
import type { Log } from '../../../platform/log.ts';
import { type Launched, signalGroup } from '../../connectors/launched.ts';
import type { Reaper } from '../../connectors/reaper.ts';
import { type OwnDirectories, removeTemporary } from '../data-directory.ts';
import type { Limits } from '../limits.ts';
import type { Cgroup } from './cgroups.ts';
import { commandLine } from './command-line.ts';
import { markName, type Marks } from './marks.ts';
import type { OtherUser } from './other-user.ts';
import { passedOn } from './passed-on.ts';
import { processTable } from './process-table.ts';
import { ProcessTree } from './process-tree.ts';
import type { System } from './offered.ts';
import type { Shown } from './view.ts';
import type { Watchdog } from './watchdog.ts';

/** One process as it is to be started, everything about it decided. */
export interface Order {
  readonly id: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly limits: Limits;
  readonly user: OtherUser | null;
  readonly view: readonly Shown[];
  readonly directories: OwnDirectories;
  readonly searched: readonly string[];
}

/** What starting one needs of the runner. */
export interface Site {
  readonly system: System;
  readonly reaper: Reaper;
  readonly watchdog: Watchdog;
  readonly marks: Marks;
  /** Of this runner; with the id of a process it makes that one's mark. */
  readonly name: string;
  readonly log: Log;
}

/** A process in its walls, and a promise of its end. */
export interface Contained extends Launched {
  /** Resolves when nothing of it is left, neither processes nor control groups nor temporary files. */
  readonly cleared: Promise<void>;
}

/** Beside a gate that is as busy as its servers, the gate goes first. */
const niceness = 5;
/** Room for the servers of the same user beside one, where only all of them can be counted together. */
const others = 1_000;

/** Starts a process that is held to its limits from its first instruction on. Throws when it cannot be held. */
export function launchContained(order: Order, site: Site): Contained {
  const { system, reaper } = site;
  const cgroup = system.cgroups?.make(order.id, order.limits);
  if (cgroup) reaper.addCells(cgroup.directories);
  const around = { ...order, processesOfUser: processesOfUser(order, system) };
  const [file, args] = commandLine([order.command, ...order.args], around, system);
  const child = spawn(file, args, {
    cwd: order.cwd,
    env: environment(order, site.name),
    stdio: ['pipe', 'pipe', 'pipe', 'pipe'],
    detached: true,
  });
  const process = new ContainedProcess(order, site, { child: streams(child), cgroup });
  process.begin(child.stdio[3]);
  return process;
}

class ContainedProcess implements Contained {
  readonly child: ChildProcessWithoutNullStreams;
  readonly cleared: Promise<void>;
  readonly #order: Order;
  readonly #site: Site;
  readonly #cgroup: Cgroup | undefined;
  readonly #tree: ProcessTree | undefined;
  readonly #stopWatching: () => void;
  #clear: () => void = () => undefined;
  #isCleared = false;
  #why: string | undefined;

  constructor(
    order: Order,
    site: Site,
    { child, cgroup }: { child: ChildProcessWithoutNullStreams; cgroup: Cgroup | undefined },
  ) {
    this.child = child;
    this.#order = order;
    this.#site = site;
    this.#cgroup = cgroup;
    this.#tree = this.#growsTree();
    this.#stopWatching = this.#watch();
    this.cleared = new Promise((resolve) => {
      this.#clear = resolve;
    });
    // A program that cannot be started at all has no process to wait for.
    child.on('error', () => this.signal('SIGKILL'));
    child.on('exit', (code, signal) => this.#noteMemory(code, signal));
  }

  /** Lets it run, once it is in its control groups. */
  begin(go: ChildProcess['stdio'][3] | undefined): void {
    const { pid } = this.child;
    go?.on('error', () => undefined);
    if (pid === undefined) return;
    this.#site.reaper.add(pid);
    try {
      this.#cgroup?.join(pid);
      setPriority(pid, niceness);
    } catch (error) {
      this.signal('SIGKILL');
      throw error;
    }
    // It was asked for as a pipe, and is written to.
    if (go && 'write' in go) go.end('go\n');
  }

  signal(signal: NodeJS.Signals): void {
    if (this.#isCleared) return;
    signalGroup(this.child, signal);
    if (signal !== 'SIGKILL') return;
    this.#isCleared = true;
    this.#stopWatching();
    this.#cgroup?.kill();
    this.#tree?.kill();
    this.#tidy().then(
      () => this.#clear(),
      (error: unknown) => {
        this.#site.log.warn({ err: error, process: this.#order.id }, 'a process left something behind');
        this.#clear();
      },
    );
  }

  reason(): string | undefined {
    return this.#why;
  }

  /** Ended for taking too much; whoever waits for it learns why. */
  #end(why: string): void {
    this.#why ??= why;
    this.signal('SIGKILL');
  }

  #noteMemory(code: number | null, signal: NodeJS.Signals | null): void {
    // What stands around it says in ways of its own that it was killed.
    if (this.#isCleared || (signal === null && code === 0)) return;
    if (this.#cgroup?.ranOutOfMemory())
      this.#why ??= `was ended: it took more than ${this.#order.limits.memoryMb} MiB of memory`;
  }

  /** Behind walls nothing can leave the family; in the open, marks tell who belongs to it. */
  #growsTree(): ProcessTree | undefined {
    const { pid } = this.child;
    if (pid === undefined) return undefined;
    const { system, marks, name } = this.#site;
    return new ProcessTree(pid, markOf(name, this.#order.id), system.walls === 'none' ? marks : undefined);
  }

  #watch(): () => void {
    const { system, watchdog } = this.#site;
    if (!this.#tree) return () => undefined;
    const { limits, directories } = this.#order;
    const held = system.cgroups?.controllers ?? [];
    return watchdog.watch({
      tree: this.#tree,
      limits,
      directories: Object.values(directories),
      kernelCounts: {
        memory: held.includes('memory'),
        processes: held.includes('pids') || system.countsOwnProcesses,
      },
      onOver: (why) => this.#end(why),
    });
  }

  async #tidy(): Promise<void> {
    const { reaper } = this.#site;
    await this.#cgroup?.remove();
    if (this.#cgroup) reaper.removeCells(this.#cgroup.directories);
    if (this.child.pid !== undefined) reaper.remove(this.child.pid);
    await removeTemporary(this.#order.directories);
  }
}

/** Only what a program needs to find its way, and what its definition says. */
function environment(order: Order, runner: string): Record<string, string> {
  const { home, temporary } = order.directories;
  const isAlone = order.view.length > 0;
  return {
    ...passedOn(process.env),
    PATH: order.searched.join(path.delimiter),
    HOME: home,
    TMPDIR: isAlone ? '/tmp' : temporary,
    ...order.env,
    [markName]: markOf(runner, order.id),
  };
}

function markOf(runner: string, id: string): string {
  return `${runner}.${id}`;
}

/** How many processes its user may have where neither a control group nor a namespace counts the server's own. */
function processesOfUser({ limits, user }: Order, { cgroups, countsOwnProcesses }: System): number | null {
  const uid = user?.uid ?? process.getuid?.() ?? 0;
  if (countsOwnProcesses || cgroups?.controllers.includes('pids') || uid === 0) return null;
  const all = [...processTable().values()].reduce((sum, { threads }) => sum + threads, 0);
  return all + limits.processes + others;
}

/** spawn() was told to make pipes of the first three. */
function streams(child: ChildProcess): ChildProcessWithoutNullStreams {
  if (!child.stdin || !child.stdout || !child.stderr) throw new Error('a process without its pipes');
  return child as ChildProcessWithoutNullStreams;
}
