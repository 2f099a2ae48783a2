// An MCP server over stdio whose tools attack whatever it runs on, and say how far they came:
// `node test/fakes/hostile-runner-server.ts [stubborn]`. Each attack is bounded, so that it harms no machine.
import { spawn } from 'node:child_process';
import { closeSync, ftruncateSync, mkdirSync, openSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { unlinkSync, writeFileSync, writeSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';

type Args = Readonly<Record<string, unknown>>;
type Tool = (args: Args) => unknown;

/** Nothing that a test forgets stays longer than this. */
const longestLife = 120_000;
setTimeout(() => process.exit(0), longestLife).unref();

const tools: Readonly<Record<string, Tool>> = {
  echo: ({ text }) => text,
  /** What it is and what it was given. */
  look: () => ({
    env: process.env,
    uid: process.getuid?.(),
    pid: process.pid,
    pids: pids(),
    cwd: process.cwd(),
  }),
  /** What becomes of reading and writing each path. */
  touch: ({ paths }) => listOf(paths).map((target) => [target, reading(target), writing(target)]),
  /** What becomes of ending each process, without harming it. */
  signal: ({ pids: all }) => listOf(all).map((pid) => attempt(() => process.kill(Number(pid), 0))),
  connect: ({ targets }) => Promise.all(listOf(targets).map((target) => connecting(target))),
  list: ({ directory }) => attemptOr([], () => readdirSync(String(directory))),
  bomb: ({ children, mark }) => bomb(Number(children), String(mark)),
  leave: ({ scrubbed, mark }) => leave(scrubbed === true, String(mark)),
  fill: ({ megabytes, deleted }) => fill(Number(megabytes), deleted === true),
  sparse: ({ megabytes }) => sparse(Number(megabytes)),
  scatter: ({ files }) => scatter(Number(files)),
  eat: ({ megabytes }) => eat(Number(megabytes)),
  burn: ({ threads }) => burn(Number(threads)),
  print: ({ megabytes, what, to }) => print(Number(megabytes), String(what), to === 'stderr' ? 2 : 1),
};

if (process.argv[2] === 'stubborn') {
  for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
  // Its input has ended, and it stays.
  setInterval(() => undefined, 1_000);
}

createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line);
  if (id === undefined || method === undefined) return;
  Promise.resolve()
    .then(() => answerTo(method, params ?? {}))
    .then((result) => say({ id, result }))
    .catch((error: unknown) => say({ id, error: { code: -32603, message: String(error) } }));
});

async function answerTo(method: string, { name, arguments: args = {} }: { name?: string; arguments?: Args }) {
  if (method === 'initialize')
    return {
      protocolVersion: '2025-11-25',
      capabilities: { tools: {} },
      serverInfo: { name: 'hostile', version: '1' },
    };
  const schema = { inputSchema: { type: 'object' } };
  if (method === 'tools/list') return { tools: Object.keys(tools).map((one) => ({ name: one, ...schema })) };
  const tool = tools[name ?? ''];
  if (!tool) throw new Error('there is no such tool');
  const text = await tool(args);
  return { content: [{ type: 'text', text: typeof text === 'string' ? text : JSON.stringify(text) }] };
}

function say(message: object): void {
  process.stdout.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`);
}

function listOf(value: unknown): string[] {
  return Array.isArray(value) ? value.map(String) : [];
}

/** `ok`, or the code of the error. */
function attempt(work: () => unknown): string {
  try {
    work();
    return 'ok';
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error);
  }
}

function attemptOr<T>(otherwise: T, work: () => T): T {
  try {
    return work();
  } catch {
    return otherwise;
  }
}

function pids(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
}

function reading(target: string): string {
  return attempt(() => (statSync(target).isDirectory() ? readdirSync(target) : readFileSync(target)));
}

function writing(target: string): string {
  return attempt(() => {
    const isDirectory = statSync(target, { throwIfNoEntry: false })?.isDirectory();
    const file = isDirectory ? path.join(target, `hostile-${process.pid}`) : target;
    closeSync(openSync(file, 'a'));
    if (isDirectory) unlinkSync(file);
  });
}

/** `host port` */
async function connecting(target: string): Promise<string> {
  const [host = '', port] = target.split(' ');
  const socket = port === undefined ? connect(host) : connect(Number(port), host);
  const outcome = new Promise<string>((resolve) => {
    socket.once('connect', () => resolve('connected'));
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'error'));
  });
  const late = wait(2_000, 'no answer', { ref: false });
  return Promise.race([outcome, late]).finally(() => socket.destroy());
}

/** Children in its own group, and daemons that have left it, half of them without the environment. */
async function bomb(children: number, mark: string): Promise<{ started: number }> {
  const script = `i=0; while [ $i -lt ${children} ]; do sleep 100.${mark} & i=$((i+1)); echo x
    [ $((i % 20)) = 0 ] && { setsid sleep 101.${mark} & env -i /usr/bin/setsid sleep 102.${mark} & }; done; wait`;
  const shell = spawn('/bin/sh', ['-c', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  let started = 0;
  shell.stdout.on('data', (chunk: Buffer) => {
    started += chunk.toString().split('x').length - 1;
  });
  await Promise.race([new Promise((resolve) => shell.once('exit', resolve)), wait(5_000)]);
  return { started };
}

/** A daemon that has left the group and the session; scrubbed: its environment too. */
async function leave(scrubbed: boolean, mark: string): Promise<string> {
  const args = ['-c', `(setsid sleep 103.${mark} >/dev/null 2>&1 </dev/null &) &`];
  spawn('/bin/sh', args, {
    stdio: 'ignore',
    detached: true,
    ...(scrubbed && { env: { PATH: '/usr/bin:/bin' } }),
  });
  await wait(200);
  return 'left';
}

function fill(megabytes: number, deleted: boolean): { written: number; error?: string } {
  const block = Buffer.alloc(1024 * 1024, 'x');
  let written = 0;
  const perFile = 40;
  try {
    for (let at = 0; written < megabytes; at++) {
      const file = path.join(process.env['HOME'] ?? '.', `fill-${at}`);
      const handle = openSync(file, 'w');
      if (deleted) unlinkSync(file);
      for (let block_ = 0; block_ < perFile && written < megabytes; block_++, written++)
        writeSync(handle, block);
      if (!deleted) closeSync(handle);
    }
    return { written };
  } catch (error) {
    return { written, error: error instanceof Error && 'code' in error ? String(error.code) : String(error) };
  }
}

function sparse(megabytes: number): string {
  return attempt(() =>
    ftruncateSync(openSync(path.join(process.env['HOME'] ?? '.', 'sparse'), 'w'), megabytes * 1024 ** 2),
  );
}

function scatter(files: number): string {
  return attempt(() => {
    for (let at = 0; at < files; at++) {
      const directory = path.join(process.env['HOME'] ?? '.', `d${at % 100}`);
      if (at < 100) mkdirSync(directory, { recursive: true });
      writeFileSync(path.join(directory, String(at)), '');
    }
  });
}

async function eat(megabytes: number): Promise<string> {
  const eaten: Buffer[] = [];
  for (let at = 0; at < megabytes; at += 16) {
    eaten.push(Buffer.alloc(16 * 1024 * 1024, at % 251));
    await wait(0);
  }
  return `ate ${eaten.length * 16}`;
}

async function burn(threads: number): Promise<string> {
  for (let at = 0; at < threads; at++) new Worker('for (;;);', { eval: true });
  await wait(1_000);
  return 'burning';
}

const lines: Readonly<Record<string, string>> = {
  noise: `${'noise '.repeat(170)}\n`,
  blank: '\n'.repeat(1024),
  endless: 'x'.repeat(1024),
  news: `${JSON.stringify({ jsonrpc: '2.0', method: 'notifications/message', params: { level: 'info', data: 'x'.repeat(900) } })}\n`,
};

async function print(megabytes: number, what: string, to: 1 | 2): Promise<string> {
  const block = Buffer.from((lines[what] ?? '').repeat(64));
  const stream = to === 1 ? process.stdout : process.stderr;
  for (let printed = 0; printed < megabytes * 1024 * 1024; printed += block.length) {
    if (!stream.write(block)) await new Promise((resolve) => stream.once('drain', resolve));
  }
  return 'printed';
}
