import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AppError } from '../../../platform/errors.ts';
import { limitsOf } from '../limits.ts';
import { findCgroups } from './cgroups.ts';
import { commandLine } from './command-line.ts';
import { type System, wallKinds, type Walls } from './offered.ts';
import { otherUser } from './other-user.ts';
import { processTable } from './process-table.ts';
import { viewOf } from './view.ts';

export interface SystemSettings {
  /** Undefined: the best that works. Any other must work. */
  readonly walls: Walls | undefined;
  readonly user: string | undefined;
  /** Off: as if there were none. */
  readonly cgroups: boolean;
}

export async function surveySystem(settings: SystemSettings): Promise<System> {
  const user = await otherUser(settings.user);
  const isRoot = process.getuid?.() === 0;
  const setpriv = await works(['setpriv', '--no-new-privs', '--', 'true']);
  const cgroups = settings.cgroups ? findCgroups() : undefined;
  if (user && !setpriv && settings.user !== undefined)
    throw new AppError(
      'runner_user_unusable',
      500,
      'TOOLGATE_RUNNER_USER needs setpriv, which is a part of util-linux; install it.',
    );
  const seesProcesses = processTable().size > 0;
  const base = { setpriv, user: setpriv ? user : null, cgroups, seesProcesses };
  for (const walls of settings.walls === undefined ? wallKinds : [settings.walls]) {
    // Some systems allow walls, but no network of one's own behind them.
    for (const closesNetwork of walls === 'none' ? [false] : [true, false]) {
      const system = { ...base, walls, closesNetwork, countsOwnProcesses: walls !== 'none' && !isRoot };
      if (await holds(system)) return system;
    }
  }
  throw new AppError(
    'runner_walls_unusable',
    500,
    `TOOLGATE_RUNNER_WALLS asks for ${settings.walls}, which does not work on this system; see docs/runner.md for what it needs.`,
  );
}

const answer = 42;

/** Does a process get through everything that is put around it? */
async function holds(system: System): Promise<boolean> {
  const directory = await mkdtemp(path.join(tmpdir(), 'toolgate-walls-'));
  const command = ['/bin/sh', '-c', `exit ${answer}`];
  const [home, temporary, sharedMemory] = [directory, directory, directory];
  const view = await viewOf({
    ...{ command: '/bin/sh', cwd: '/usr', home, temporary, sharedMemory },
    ...{ named: [], reads: [], writes: [], searched: [], hidden: [], packages: [] },
  });
  const limits = limitsOf({ network: system.closesNetwork ? 'none' : 'full' });
  const around = { limits, user: system.user, cwd: '/usr', view, processesOfUser: null };
  try {
    const [file, args] = commandLine(command, around, system);
    return (await exitCode(file, args)) === answer;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function works([file = '', ...args]: readonly string[]): Promise<boolean> {
  return (await exitCode(file, args)) === 0;
}

function exitCode(file: string, args: readonly string[]): Promise<number | null> {
  return new Promise((resolve) => {
    const child = spawn(file, args, { stdio: ['ignore', 'ignore', 'ignore', 'pipe'], timeout: 10_000 });
    child.on('error', () => resolve(null));
    child.on('exit', (code) => resolve(code));
    const go = child.stdio[3];
    go?.on('error', () => undefined);
    // It is a pipe to write to, because that is how it was asked for.
    if (go && 'write' in go) go.end('go\n');
  });
}
