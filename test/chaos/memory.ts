// What a program holds: its heap when garbage is collected, its open sockets, and all of its memory.
import { readFileSync } from 'node:fs';
import { eventually, type Gate } from '../e2e/gate.ts';

/** Start the program with these for `held`. */
export const probeFlags = [
  ...['--expose-gc', '--import'],
  new URL('../e2e/memory-probe.mjs', import.meta.url).href,
];

export interface Held {
  readonly heap: number;
  readonly sockets: number;
}

/** After its garbage was collected. */
export async function held(gate: Gate): Promise<Held> {
  const said = () => gate.logs().split('\nprobe ');
  const before = said().length;
  process.kill(gate.pid, 'SIGUSR2');
  const isThere = () => said().length > before && said().at(-1)?.includes('\n');
  await eventually('the probe', isThere, 60);
  return JSON.parse(said().at(-1)?.split('\n')[0] ?? '');
}

/** Bytes of memory that the system has given to it. */
export function resident(pid: number): number {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(status)?.[1]) * 1024;
}

export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_000_000)} MB`;
}
