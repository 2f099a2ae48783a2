import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { fileURLToPath } from 'node:url';
import type { Terminal } from './terminal.ts';

/**
 * Runs the server program with this terminal and returns its exit code, 128 + n when signal n ended it. Descriptor 3
 * of the server ends when whoever started it is gone, so that it never outlives a command that was killed.
 */
export async function runServer(args: readonly string[], terminal: Terminal): Promise<number> {
  const program = fileURLToPath(new URL('../src/main.ts', import.meta.url));
  const ownersPipe = terminal.env['TOOLGATE_PARENT_PIPE'];
  const child = spawn(process.execPath, [...process.execArgv, program, ...args], {
    stdio: ['inherit', 'inherit', 'inherit', ownersPipe === undefined ? 'pipe' : Number(ownersPipe)],
    env: { ...terminal.env, TOOLGATE_PARENT_PIPE: '3' },
  });
  const pipe = child.stdio[3];
  // A server that has ended, or never looks, resets the pipe; its exit code tells all there is to tell.
  pipe?.on('error', () => undefined);
  const forward = (signal: NodeJS.Signals): void => {
    // Ctrl-C reaches the child by itself, and a second one would mean "at once".
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, forward);
  try {
    return await new Promise<number>((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
    });
  } finally {
    pipe?.destroy();
    for (const signal of signals) process.off(signal, forward);
  }
}
