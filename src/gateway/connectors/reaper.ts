import { spawn } from 'node:child_process';

/**
 * A tiny process beside the gate that holds the other end of a pipe. When the gate dies, however it dies,
 * the pipe closes and the reaper ends every process group that was still registered: a SIGKILL of the gate
 * leaves no stdio server behind.
 */
export interface Reaper {
  add(processGroup: number): void;
  remove(processGroup: number): void;
  close(): void;
}

// POSIX sh: 1 MB of memory instead of a second Node. Lines are "+123" and "-123". `kill -s`, because dash, which is
// sh on Debian, does not understand `kill -KILL -- -123`.
const script = `
trap '' INT TERM HUP
groups=' '
while read -r line; do
  id=\${line#?}
  case $line in
    +*) groups="$groups$id " ;;
    -*) groups="\${groups%% $id *} \${groups#* $id }" ;;
  esac
done
for g in $groups; do kill -s TERM -- -"$g" 2>/dev/null; done
[ "$groups" = ' ' ] && exit 0
sleep 2
for g in $groups; do kill -s KILL -- -"$g" 2>/dev/null; done
exit 0
`;

const none: Reaper = { add: () => undefined, remove: () => undefined, close: () => undefined };

/** Starts the reaper. Where there is no POSIX shell (Windows), it does nothing. */
export function startReaper(): Reaper {
  if (process.platform === 'win32') return none;
  // Its own session: a Ctrl-C in the terminal must not end it before the gate.
  const child = spawn('/bin/sh', ['-c', script], {
    stdio: ['pipe', 'ignore', 'ignore'],
    detached: true,
    env: { PATH: '/usr/bin:/bin' },
  });
  const pipe = child.stdin;
  // A reaper that cannot start or was killed costs only the safety net; calls go on.
  child.on('error', () => undefined);
  pipe.on('error', () => undefined);
  child.unref();
  const groups = new Set<number>();
  return {
    // libuv writes to an idle pipe at once, so no kill can come between a spawn and its registration.
    add: (group) => {
      groups.add(group);
      pipe.write(`+${group}\n`);
    },
    remove: (group) => {
      if (groups.delete(group)) pipe.write(`-${group}\n`);
    },
    close: () => pipe.destroy(),
  };
}
