import { readdirSync, readFileSync } from 'node:fs';

/** One process of the machine, as /proc has it. */
export interface ProcessRow {
  readonly pid: number;
  readonly parent: number;
  readonly group: number;
  readonly session: number;
  readonly threads: number;
  /** Since the machine started: with the pid it names the process, which pids alone do not. */
  readonly startedAt: string;
}

export type ProcessTable = ReadonlyMap<number, ProcessRow>;

/** Names a process for ever. */
export function nameOf({ pid, startedAt }: ProcessRow): string {
  return `${pid}@${startedAt}`;
}

/** Every process that can be seen. Empty where there is no /proc. */
export function processTable(): ProcessTable {
  const table = new Map<number, ProcessRow>();
  for (const pid of pidsIn('/proc')) {
    const row = rowOf(pid);
    if (row) table.set(pid, row);
  }
  return table;
}

/** proc_pid_stat(5). The name of the program is in parentheses and may hold anything, parentheses too. */
function rowOf(pid: number): ProcessRow | undefined {
  const text = textOf(`/proc/${pid}/stat`);
  const rest = text.slice(text.lastIndexOf(')') + 2).split(' ');
  const [state, parent, group, session] = rest;
  if (rest.length < 20 || state === 'Z' || state === 'X') return undefined;
  return {
    pid,
    parent: Number(parent),
    group: Number(group),
    session: Number(session),
    threads: Number(rest[17]),
    startedAt: rest[19] ?? '',
  };
}

/** Memory that is the process's own and can be given to nobody else, in bytes. */
export function memoryOf(pid: number): number {
  const status = textOf(`/proc/${pid}/status`);
  const kilobytes = ['RssAnon', 'RssShmem', 'VmSwap'].map((name) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(status)?.[1] ?? 0),
  );
  return kilobytes.reduce((sum, one) => sum + one, 0) * 1024;
}

/** A variable of the environment that it was started with; undefined for one that may not be looked into. */
export function variableOf(pid: number, name: string): string | undefined {
  const found = textOf(`/proc/${pid}/environ`)
    .split('\0')
    .find((entry) => entry.startsWith(`${name}=`));
  return found?.slice(name.length + 1);
}

export function killIfThere(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // ESRCH: it is gone, which is what was wanted. EPERM: it is another's by now, so it is none of ours.
  }
}

function pidsIn(directory: string): number[] {
  try {
    return readdirSync(directory)
      .filter((name) => /^\d+$/.test(name))
      .map(Number);
  } catch {
    return []; // Not Linux.
  }
}

function textOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // It ended between two looks, or is another user's.
  }
}
