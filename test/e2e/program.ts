// Toolgate as an operator starts it: the real program in a process of its own. Knows nothing of a test framework.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/main.ts', import.meta.url));

export interface ProgramOptions {
  /** Written as the config file; a string is the path of one that is there already. */
  readonly config: object | string;
  /** Environment beside a data directory, a free port and an admin token of its own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Data and config of an earlier start; without it a new folder, which `close` deletes. */
  readonly folder?: string;
  /** Flags of Node, e.g. `--expose-gc`. */
  readonly nodeFlags?: readonly string[];
}

// biome-ignore lint/suspicious/noExplicitAny: what a test expects of an answer is its own check of the shape
export type Json = any;

export interface AdminAnswer {
  readonly status: number;
  /** The parsed JSON body; null when there is none. */
  readonly body: Json;
  readonly headers: Headers;
}

export interface Program {
  /** `http://127.0.0.1:PORT` */
  readonly url: string;
  readonly pid: number;
  /** Holds `data` (the data directory) and `mcp-servers.json`. */
  readonly folder: string;
  readonly adminToken: string;
  admin(method: string, path: string, body?: unknown): Promise<AdminAnswer>;
  /** An API token for this person. */
  tokenFor(email: string, more?: object): Promise<string>;
  /** All of stdout and stderr so far. */
  logs(): string;
  /** Sends a signal and waits for the end. */
  kill(signal: NodeJS.Signals): Promise<Ended>;
  /** Does what the end of this process would: whoever started it is gone. */
  letGo(): void;
  /** SIGTERM, SIGKILL when that does not help; deletes the folder if this start made it. */
  close(): Promise<void>;
}

export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Starts it and waits until it serves. Throws with everything it printed when it does not. */
export async function startProgram(o: ProgramOptions): Promise<Program> {
  const folder = o.folder ?? (await mkdtemp(path.join(tmpdir(), 'toolgate-e2e-')));
  const adminToken = o.env?.['TOOLGATE_ADMIN_TOKEN'] ?? randomBytes(32).toString('hex');
  const port = Number(o.env?.['PORT'] ?? (await freePort()));
  const url = `http://127.0.0.1:${port}`;
  const env = {
    ...(await settings(folder, o.config)),
    PORT: String(port),
    ...o.env,
    TOOLGATE_ADMIN_TOKEN: adminToken,
  };
  const run = launch(env, o.nodeFlags);
  const close = async () => {
    await stop(run.child);
    if (o.folder === undefined) await rm(folder, { recursive: true, force: true });
  };
  try {
    await untilReady(run, `${url}/gateway/ready`);
  } catch (error) {
    await close();
    throw error;
  }
  const admin = adminCalls(url, adminToken);
  return {
    ...{ url, folder, adminToken, admin, close, logs: run.printed },
    pid: run.child.pid ?? 0,
    tokenFor: async (user, more) => {
      const answer = await admin('POST', '/tokens', { user, name: 'e2e', ...more });
      if (answer.status !== 201) throw new Error(`No token: ${answer.status} ${JSON.stringify(answer.body)}`);
      return answer.body.token;
    },
    letGo: () => run.child.stdio[3]?.destroy(),
    kill: (signal) => {
      run.child.kill(signal);
      return run.ended;
    },
  };
}

/** Runs it until it ends by itself, for starts that must fail. */
export async function runProgram(
  o: ProgramOptions & { folder: string },
): Promise<Ended & { printed: string }> {
  const run = launch({ ...(await settings(o.folder, o.config)), ...o.env }, o.nodeFlags);
  const late = setTimeout(() => run.child.kill('SIGKILL'), 60_000);
  const ended = await run.ended;
  clearTimeout(late);
  return { ...ended, printed: run.printed() };
}

export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo; // a TCP server has no other kind
  server.close();
  return port;
}

async function settings(folder: string, config: object | string): Promise<Record<string, string>> {
  const file = typeof config === 'string' ? config : path.join(folder, 'mcp-servers.json');
  if (typeof config !== 'string') await writeFile(file, JSON.stringify(config, null, 2));
  const { PATH = '', HOME = '' } = process.env;
  const data = path.join(folder, 'data');
  return {
    ...{ PATH, HOME, TOOLGATE_CONFIG: file, TOOLGATE_DATA_DIR: data },
    ...{ RATE_LIMIT_ENABLED: 'false', SHUTDOWN_SECONDS: '10' },
  };
}

interface Run {
  readonly child: ChildProcess;
  readonly ended: Promise<Ended>;
  printed(): string;
}

function launch(env: Readonly<Record<string, string>>, flags: readonly string[] = []): Run {
  const child = spawn(process.execPath, [...flags, main, 'serve'], {
    // The fourth channel closes when this process is gone, however it ended, and Toolgate ends with it.
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    env: { ...env, TOOLGATE_PARENT_PIPE: '3' },
  });
  // A program that has ended resets its channel; its exit says all there is to say.
  child.stdio[3]?.on('error', () => undefined);
  const pieces: string[] = [];
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => pieces.push(text));
  }
  const ended = once(child, 'close').then(([code, signal]) => ({ code, signal }));
  return { child, ended, printed: () => pieces.join('') };
}

async function untilReady({ child, printed }: Run, url: string): Promise<void> {
  const deadline = Date.now() + 120_000;
  while (child.exitCode === null && child.signalCode === null && Date.now() < deadline) {
    if (await answers(url)) return;
    await wait(50);
  }
  throw new Error(`Toolgate did not start. It printed:\n${printed()}`);
}

async function answers(url: string): Promise<boolean> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2000) });
    await response.body?.cancel();
    return response.ok;
  } catch {
    return false; // Not listening yet; the caller knows when to give up.
  }
}

function adminCalls(url: string, token: string): Program['admin'] {
  return async (method, path, body) => {
    const response = await fetch(`${url}/mcp-admin/api${path}`, {
      method,
      headers: {
        Authorization: `Bearer ${token}`,
        ...(body !== undefined && { 'Content-Type': 'application/json' }),
      },
      body: body === undefined ? null : JSON.stringify(body),
      signal: AbortSignal.timeout(30_000),
    });
    const text = await response.text();
    return {
      status: response.status,
      body: text === '' ? null : JSON.parse(text),
      headers: response.headers,
    };
  };
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  const killer = setTimeout(() => child.kill('SIGKILL'), 20_000);
  await exited;
  clearTimeout(killer);
}
