// A server that hangs: its processes are stopped, connections stay open, and nothing comes back.
import { readdirSync, readFileSync } from 'node:fs';
import { afterAll } from 'vitest';

const stopped = new Set<number>();

afterAll(() => {
  resume([...stopped]);
});

/** Stops a PostgreSQL or Redis that listens at the port of this URL; returns what makes it go on. */
export function hang(url: string): () => void {
  const { port } = new URL(url);
  const all = processes();
  // Titles of other servers' processes name ports of clients: only where it is this one's own does it count.
  const listens = new RegExp(`(?:-p\\0|--port\\0|:)${port}(?:\\0| |$)`);
  const servers = all.filter(
    ({ name, command }) => /^(postgres|redis|valkey)/.test(name) && listens.test(command),
  );
  const own = servers.map(({ pid }) => pid);
  const pids = [...own, ...all.filter(({ parent }) => own.includes(parent)).map(({ pid }) => pid)];
  if (pids.length === 0) throw new Error(`No server is listening at port ${port}.`);
  for (const pid of pids) {
    stopped.add(pid);
    send(pid, 'SIGSTOP');
  }
  return () => resume(pids);
}

function resume(pids: readonly number[]): void {
  for (const pid of pids) {
    send(pid, 'SIGCONT');
    stopped.delete(pid);
  }
}

function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}

function processes() {
  return readdirSync('/proc')
    .filter((entry) => /^\d+$/.test(entry))
    .map((entry) => {
      const status = read(`/proc/${entry}/status`);
      return {
        pid: Number(entry),
        name: /^Name:\s+(.+)$/m.exec(status)?.[1] ?? '',
        parent: Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]),
        command: read(`/proc/${entry}/cmdline`),
      };
    });
}

function read(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}
