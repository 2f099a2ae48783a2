import { spawn } from 'node:child_process';

/**
 * A tiny process beside the gate that holds the other end of a pipe. When the gate dies, however it dies,
 * the pipe closes and the reaper ends every process group that was still registered: a SIGKILL of the gate
 * leaves no stdio server behind.
 */
export interface Reaper {
  add(processGroup: number): void;
  remove(processGroup: number): void;
  /** Directories of control groups, whose processes end and which are taken away. */
  addCells(directories: readonly string[]): void;
  removeCells(directories: readonly string[]): void;
  close(): void;
}

// POSIX sh: 1 MB of memory instead of a second Node. Lines are "+123" and "-123" for groups, "c/path" and "d/path" for
// control groups. `kill -s`, because dash, which is sh on Debian, does not understand `kill -KILL -- -123`. Whoever left
// its group by setsid is known by its control group, or by the mark in the environment that it was started with.
const script = `
trap '' INT TERM HUP
mark=$1
groups=' '
cells=' '
while read -r line; do
  id=\${line#?}
  case $line in
    +*) groups="$groups$id " ;;
    -*) groups="\${groups%% $id *} \${groups#* $id }" ;;
    c*) cells="$cells$id " ;;
    d*) cells="\${cells%% $id *} \${cells#* $id }" ;;
  esac
done
for g in $groups; do kill -s TERM -- -"$g" 2>/dev/null; done
[ "$groups$cells" = '  ' ] && exit 0
sleep 2
for g in $groups; do kill -s KILL -- -"$g" 2>/dev/null; done
for c in $cells; do
  [ -e "$c/pids.max" ] && echo 0 >"$c/pids.max"
  [ -e "$c/cgroup.kill" ] && echo 1 >"$c/cgroup.kill"
  while read -r p; do kill -s KILL "$p"; done <"$c/cgroup.procs"
done 2>/dev/null
if [ -n "$mark" ]; then
  for e in /proc/[0-9]*/environ; do
    grep -q "$mark" "$e" 2>/dev/null || continue
    p=\${e#/proc/}
    kill -s KILL "\${p%/environ}" 2>/dev/null
  done
fi
sleep 1
for c in $cells; do rmdir "$c" 2>/dev/null; done
exit 0
`;

const none: Reaper = {
  add: () => undefined,
  remove: () => undefined,
  addCells: () => undefined,
  removeCells: () => undefined,
  close: () => undefined,
};

/**
 * Starts the reaper. `mark` is text in the environment of every process that it is responsible for, where they have
 * one. Where there is no POSIX shell (Windows), it does nothing.
 */
export function startReaper(mark = ''): Reaper {
  if (process.platform === 'win32') return none;
  // Its own session: a Ctrl-C in the terminal must not end it before the gate.
  const child = spawn('/bin/sh', ['-c', script, 'reaper', mark], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  const pipe = child.stdin;
  // A reaper that cannot start or was killed costs only the safety net; calls go on.
  child.on('error', () => undefined);
  pipe.on('error', () => undefined);
  child.unref();
  const known = new Set<string>();
  // libuv writes to an idle pipe at once, so no kill can come between a spawn and its registration.
  const add = (sign: string, name: string) => {
    known.add(name);
    pipe.write(`${sign}${name}\n`);
  };
  const remove = (sign: string, name: string) => {
    if (known.delete(name)) pipe.write(`${sign}${name}\n`);
  };
  return {
    add: (group) => add('+', String(group)),
    remove: (group) => remove('-', String(group)),
    addCells: (directories) => {
      for (const directory of directories) add('c', directory);
    },
    removeCells: (directories) => {
      for (const directory of directories) remove('d', directory);
    },
    close: () => pipe.destroy(),
  };
}
