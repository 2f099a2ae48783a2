import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import type { Destination } from './contract.ts';
import type { Reaper } from './reaper.ts';

export type StdioDestination = Extract<Destination, { type: 'stdio' }>;

/** A process that was just started, and what there is to end it with. */
export interface Launched {
  readonly child: ChildProcessWithoutNullStreams;
  /** To the process and everything that it started; after SIGKILL nothing of it is left. */
  signal(signal: NodeJS.Signals): void;
  /** Why it was ended, as in "The server … ": undefined when it ended by itself, or was asked to. */
  reason(): string | undefined;
}

/** What a server may know of the gate's environment; everything else, secrets above all, stays here. */
const passedOn = [
  'PATH',
  'HOME',
  'USER',
  'LOGNAME',
  'SHELL',
  'LANG',
  'LC_ALL',
  'TZ',
  'TMPDIR',
  'SYSTEMROOT',
  'APPDATA',
  'LOCALAPPDATA',
  'TEMP',
  'TMP',
];

/**
 * Starts a server as the gate's own child and user, held by nothing but its process group. `binDirs` are searched for
 * commands before PATH, e.g. the package's own `node_modules/.bin`.
 */
export function launchPlainly(
  destination: StdioDestination,
  { reaper, binDirs }: { readonly reaper: Reaper; readonly binDirs: readonly string[] },
): Launched {
  const child = spawn(destination.command, destination.args, {
    cwd: destination.cwd,
    env: { ...environment(binDirs), ...destination.env },
    stdio: ['pipe', 'pipe', 'pipe'],
    // A process group of its own, so that whatever it starts can be ended with it.
    detached: process.platform !== 'win32',
    windowsHide: true,
  });
  const { pid } = child;
  if (pid !== undefined) reaper.add(pid);
  return {
    child,
    signal(signal) {
      signalGroup(child, signal);
      if (signal === 'SIGKILL' && pid !== undefined) reaper.remove(pid);
    },
    reason: () => undefined,
  };
}

/** To the whole process group, which may outlive the process that began it. */
export function signalGroup(child: ChildProcessWithoutNullStreams, signal: NodeJS.Signals): void {
  if (child.pid === undefined) return;
  try {
    if (process.platform === 'win32') child.kill(signal);
    else process.kill(-child.pid, signal);
  } catch {
    // ESRCH: nobody is left in the group, which is what was wanted.
  }
}

function environment(binDirs: readonly string[]): Record<string, string> {
  const separator = process.platform === 'win32' ? ';' : ':';
  const kept = passedOn.flatMap((name) =>
    process.env[name] === undefined ? [] : [[name, process.env[name]] as const],
  );
  const path = [...binDirs, process.env['PATH'] ?? ''].join(separator);
  return { ...Object.fromEntries(kept), PATH: path };
}
