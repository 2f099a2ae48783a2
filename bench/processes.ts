// Each part of the benchmark in a process of its own; the one that is measured has a core to itself where that can be had.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { once } from 'node:events';
import { availableParallelism } from 'node:os';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export interface Running {
  readonly child: ChildProcess;
  readonly origin: string;
  /** The end of what it printed. */
  said(): string;
  /** CPU seconds used so far by all threads of it and of the processes that it started; undefined where the system does not say. */
  cpu(): number | undefined;
  stop(): Promise<void>;
}

export interface Cores {
  /** The core of whatever is measured; undefined when processes cannot be pinned here. */
  readonly measured: number | undefined;
  readonly description: string;
}

/** Takes this process, and all it will start, off the core that is kept for the process under test. */
export function reserveCore(): Cores {
  const pid = String(process.pid);
  const shown = spawnSync('taskset', ['-cp', pid], { encoding: 'utf8' });
  const list = shown.status === 0 ? coresOf(shown.stdout) : [];
  const [measured, ...others] = list;
  if (measured === undefined || others.length === 0) {
    return {
      measured: undefined,
      description: `processes are not pinned, and share ${availableParallelism()} cores`,
    };
  }
  spawnSync('taskset', ['-acp', others.join(','), pid]);
  const rest = others.length === 1 ? 'the other one' : 'the others';
  return {
    measured,
    description: `${list.length} cores: the server under test alone on one of them; load, upstream and database on ${rest}`,
  };
}

/** `current affinity list: 0,2-5` */
function coresOf(text: string): number[] {
  return (text.split(':').at(-1) ?? '')
    .trim()
    .split(',')
    .flatMap((part) => {
      const [from = 0, to = from] = part.split('-').map(Number);
      return Array.from({ length: to - from + 1 }, (_, i) => from + i);
    });
}

/** Starts a program of this folder, or the one in `file`, and waits until it says where it listens. */
export async function startServer(
  file: string,
  o: { args?: string[]; env?: Record<string, string>; core?: number | undefined } = {},
): Promise<Running> {
  const command = [
    process.execPath,
    '--inspect-port=0',
    fileURLToPath(new URL(file, import.meta.url)),
    ...(o.args ?? []),
  ];
  const pinned = o.core === undefined ? command : ['taskset', '-c', String(o.core), ...command];
  const [program = '', ...args] = pinned;
  // The fourth channel closes when this process is gone, however it ended; Toolgate ends with it.
  const child = spawn(program, args, {
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { PATH: process.env['PATH'], HOME: process.env['HOME'], ...o.env, TOOLGATE_PARENT_PIPE: '3' },
  });
  child.stdio[3]?.on('error', () => undefined); // A program that has ended resets it.
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.on('data', (chunk: Buffer) => {
      output = (output + chunk.toString()).slice(-8_000);
    });
  }
  const said = () => output;
  const origin = await originOf(child, file, said);
  return { child, origin, said, cpu: () => cpuOf(child.pid), stop: () => stop(child) };
}

function originOf(child: ChildProcess, file: string, said: () => string): Promise<string> {
  return new Promise((resolve, reject) => {
    child.stdout?.on('data', () => {
      const port = /http:\/\/localhost:(\d+)/.exec(said())?.[1];
      if (port) resolve(`http://127.0.0.1:${port}`);
    });
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}:\n${said()}`)));
    child.once('error', reject);
  });
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, 'exit');
  child.kill('SIGTERM');
  const giveUp = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await ended;
  clearTimeout(giveUp);
}

/** utime and stime of /proc/{pid}/stat and of the processes below, in ticks of which Linux makes 100 a second. */
function cpuOf(pid: number | undefined): number | undefined {
  if (process.platform !== 'linux' || pid === undefined) return undefined;
  const all = new Map(
    readdirSync('/proc').flatMap((name) => {
      const fields = /^\d+$/.test(name) ? statOf(name) : undefined;
      return fields ? [[Number(name), fields] as const] : [];
    }),
  );
  const ticks = (of: number): number => {
    const own = all.get(of)?.own ?? 0;
    return [...all].reduce((sum, [child, { parent }]) => (parent === of ? sum + ticks(child) : sum), own);
  };
  return ticks(pid) / 100;
}

function statOf(pid: string): { parent: number; own: number } | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return { parent: Number(fields[1]), own: Number(fields[11]) + Number(fields[12]) };
  } catch {
    return undefined; // It has ended meanwhile.
  }
}

/** Waits until a server has finished what it put off, such as storing records. */
export async function untilIdle(server: Running): Promise<void> {
  for (let i = 0; i < 60; i++) {
    const before = server.cpu();
    await sleep(150);
    const after = server.cpu();
    if (before === undefined || after === undefined || after - before < 0.02) return;
  }
}
