// Programs of others: started, waited for, and gone when the test is, however it ended.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeLater } from '../e2e/clients.ts';

export interface Running {
  /** Everything printed so far. */
  printed(): string;
  ended(): boolean;
  close(): Promise<void>;
}

/** Lives as long as its standard input: when this process dies, the pipe closes and the program is ended with it. */
const lifecycle = `
"$@" </dev/null &
child=$!
trap 'kill $child 2>/dev/null; (sleep 10; kill -KILL $child 2>/dev/null) & wait $child; exit' TERM
(cat >/dev/null; kill -TERM $$) <&3 &
wait $child
`;

/** Closed after the test file. `env` is all of its environment. */
export function start(
  command: string,
  args: readonly string[],
  env: Readonly<Record<string, string>>,
  cwd: string,
): Running {
  const child = spawn('/bin/sh', ['-c', lifecycle, 'sh', command, ...args], {
    cwd,
    env,
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
  });
  child.stdio[3]?.on('error', () => undefined);
  let printed = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      printed = (printed + text).slice(-200_000);
    });
  }
  const exited = once(child, 'exit');
  const ended = () => child.exitCode !== null || child.signalCode !== null;
  return closeLater({
    printed: () => printed,
    ended,
    close: async () => {
      if (ended()) return;
      child.kill('SIGTERM');
      await exited;
    },
  });
}

/** Waits until `url` answers 200. Throws with what the program printed when it ends first. */
export async function untilAnswers(running: Running, url: string, seconds = 180): Promise<void> {
  for (const deadline = Date.now() + seconds * 1000; Date.now() < deadline; ) {
    if (running.ended()) break;
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) }).catch(() => undefined);
    await response?.body?.cancel();
    if (response?.ok) return;
    await new Promise((resolve) => setTimeout(resolve, 250));
  }
  throw new Error(`${url} did not answer. It printed:\n${running.printed().slice(-4000)}`);
}
