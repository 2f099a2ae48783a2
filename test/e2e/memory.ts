import { eventually } from './gate.ts';
import type { Program } from './program.ts';

/** For `nodeFlags` of a program that `leftIn` looks into. */
export const probeFlags = ['--expose-gc', '--import', new URL('memory-probe.mjs', import.meta.url).href];

interface Left {
  /** Bytes. */
  readonly heap: number;
  readonly sockets: number;
  readonly children: number;
}

/** What a program holds after its garbage was collected. */
export async function leftIn(program: Pick<Program, 'pid' | 'logs'>): Promise<Left> {
  const said = () => program.logs().split('\nprobe ').slice(1);
  const before = said().length;
  process.kill(program.pid, 'SIGUSR2');
  const last = await eventually('the probe', () => {
    const lines = said();
    return lines.length > before && lines.at(-1)?.includes('\n') && lines.at(-1);
  });
  return JSON.parse(last.split('\n')[0] ?? '') as Left; // memory-probe.mjs wrote it
}
