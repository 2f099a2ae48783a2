import type { Limits } from '../limits.ts';
import type { OtherUser } from './other-user.ts';
import type { System } from './offered.ts';
import { bubblewrapArgs, type Shown } from './view.ts';

/** What is put around one command. */
export interface Around {
  readonly limits: Limits;
  /** Null: it stays the user that the runner is. */
  readonly user: OtherUser | null;
  readonly cwd: string;
  /** With bubblewrap: what it sees of the file system. */
  readonly view: readonly Shown[];
  /** Where nothing counts its processes: how many its user may have in all, this server's included. */
  readonly processesOfUser: number | null;
}

/**
 * Waits for a line on descriptor 3, so that the process is in its control groups before anything else runs; then limits
 * itself (setrlimit(2)) and becomes the rest of the command line. The system ends it first when memory is short. Memory
 * has no such limit: Node sets 570 MB aside at its start and as much for each worker, of which it uses little.
 */
const begin = `
read -r go <&3 || exit 125
exec 3<&-
echo 1000 2>/dev/null >/proc/self/oom_score_adj
ulimit -c 0
ulimit -n "$1" 2>/dev/null
ulimit -f "$2"
shift 2
exec "$@"
`;

/** Shells differ in what they call it: in bash -p is something else, and dash knows no -u. */
const beginFewer = `
ulimit -u "$1" 2>/dev/null || ulimit -p "$1" 2>/dev/null
shift
exec "$@"
`;

/** The command with everything around it that holds it: the program to start, and its arguments. */
export function commandLine(
  command: readonly string[],
  around: Around,
  system: System,
): readonly [file: string, args: readonly string[]] {
  const { openFiles, diskMb } = around.limits;
  // In blocks of 512 bytes (POSIX, ulimit).
  const numbers = [openFiles, diskMb * 2048].map(String);
  const walled = [...walls(around, system), ...asUser(around, system), ...fewer(around, system), ...command];
  return ['/bin/sh', ['-c', begin, 'begin', ...numbers, ...walled]];
}

function walls({ cwd, limits, view }: Around, { walls }: System): string[] {
  const network = limits.network === 'none';
  if (walls === 'bubblewrap') {
    const apart = [
      '--unshare-pid',
      '--unshare-ipc',
      '--unshare-uts',
      '--unshare-cgroup-try',
      '--die-with-parent',
    ];
    return [
      'bwrap',
      ...apart,
      ...(network ? ['--unshare-net'] : []),
      ...bubblewrapArgs(view),
      '--chdir',
      cwd,
      '--',
    ];
  }
  if (walls === 'none') return [];
  const own = process.getuid?.() === 0 ? [] : ['--user', '--map-current-user'];
  const apart = ['--pid', '--fork', '--kill-child', '--mount-proc', '--ipc', '--uts'];
  return ['unshare', ...own, ...apart, ...(network ? ['--net'] : []), '--'];
}

/** Root keeps what it needs for files of others, where it has to stay root, and nothing else. */
function asUser({ user }: Around, { setpriv }: System): string[] {
  if (!setpriv) return [];
  const isRoot = process.getuid?.() === 0;
  const without = (kept: string) => ['--inh-caps=-all', `--bounding-set=-all${kept}`];
  const whom = user
    ? [`--reuid=${user.uid}`, `--regid=${user.gid}`, '--clear-groups', ...without('')]
    : isRoot && without(',+dac_override,+fowner');
  return ['setpriv', '--no-new-privs', ...(whom || []), '--'];
}

/** Inside a user namespace of its own, the number counts this server's processes and nobody else's (Linux 5.14). */
function fewer({ limits, processesOfUser }: Around, { countsOwnProcesses }: System): string[] {
  const most = countsOwnProcesses ? limits.processes : processesOfUser;
  return most === null ? [] : ['/bin/sh', '-c', beginFewer, 'begin', String(most)];
}
