import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import type { Log } from '../../platform/log.ts';
import { UpstreamError } from '../connectors/contract.ts';
import type { Away, RunnerWay } from '../connectors/runner.ts';
import type { RunnerPlace } from '../connectors/runner-process.ts';
import { untilAborted } from '../connectors/until-aborted.ts';

export interface ChildRunnerOptions {
  /** The program with its role, as arguments of Node. */
  readonly program: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** Where it is to listen; too long for a socket: at a free port of loopback. */
  readonly socketPath: string;
  readonly log: Log;
  /** Between two starts that fail, at first and at last, in milliseconds. */
  readonly pause?: { readonly first: number; readonly longest: number } | undefined;
}

/** What the gate writes to the runner's standard input, and nowhere else. */
export const greeting = z.strictObject({ key: z.string().min(32), socketPath: z.string().nullable() });
/** The one line that the runner prints. */
export const readiness = z.object({ port: z.number().nullable() });

/** sun_path holds 108 bytes, 104 on macOS (unix(7)). */
const longestSocketPath = 100;
const startTimeout = 30_000;
/** One that has served as long as this did not fail at the start, in milliseconds. */
const provenAfter = 10_000;

interface Running {
  readonly ready: Promise<RunnerPlace>;
  child: ChildProcess | undefined;
}

/** The runner as a child of the gate: started when it is first needed, and again whenever it dies. */
export class ChildRunner implements RunnerWay {
  readonly #options: ChildRunnerOptions;
  readonly #closing = new AbortController();
  #running: Running | undefined;
  #failures = 0;
  #awaySince: Date | null = null;
  readonly #back: (() => void)[] = [];

  constructor(options: ChildRunnerOptions) {
    this.#options = options;
  }

  /** Of the process that runs at the moment. */
  get pid(): number | undefined {
    return this.#running?.child?.pid;
  }

  away(): Away | null {
    return this.#awaySince && { since: this.#awaySince, why: 'It ended, and is started again by itself.' };
  }

  onBack(listener: () => void): void {
    this.#back.push(listener);
  }

  place(signal: AbortSignal): Promise<RunnerPlace> {
    if (this.#closing.signal.aborted) return Promise.reject(gone('The gate is shutting down.'));
    this.#running ??= this.#start();
    return untilAborted(this.#running.ready, signal).catch((error: unknown) => {
      if (error instanceof UpstreamError) throw error;
      throw gone(
        'The runner, which starts servers that are processes, is not there yet; try again in a moment.',
      );
    });
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const child = this.#running?.child;
    if (!child || hasEnded(child)) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // It ends its servers and then itself, once nobody holds the other end.
    child.stdio[3]?.destroy();
    const killer = setTimeout(() => child.kill('SIGKILL'), 8_000);
    await ended;
    clearTimeout(killer);
  }

  #start(): Running {
    const running: Running = { ready: this.#begin((child) => (running.child = child)), child: undefined };
    // Whoever waits for it hears of it; nobody may.
    running.ready.catch(() => undefined);
    return running;
  }

  async #begin(started: (child: ChildProcess) => void): Promise<RunnerPlace> {
    const { first, longest } = this.#options.pause ?? { first: 250, longest: 30_000 };
    const pause = this.#failures === 0 ? 0 : Math.min(longest, first * 2 ** (this.#failures - 1));
    await delay(pause, undefined, { signal: this.#closing.signal });
    const key = randomBytes(32).toString('base64url');
    const socketPath = this.#options.socketPath.length > longestSocketPath ? null : this.#options.socketPath;
    // Of one that was killed.
    if (socketPath !== null) await rm(socketPath, { force: true });
    const child = this.#spawn();
    started(child);
    const since = performance.now();
    const port = portOf(child);
    child.once('exit', (code, signal) => this.#ended({ code, signal, since }));
    child.once('error', () => this.#ended({ code: null, signal: null, since }));
    child.stdin?.end(`${JSON.stringify({ key, socketPath })}\n`);
    const { port: found } = await port;
    if (this.#awaySince) for (const listener of this.#back) listener();
    this.#awaySince = null;
    if (socketPath !== null) return { origin: 'http://runner', socketPath, key };
    return { origin: `http://127.0.0.1:${found}`, key };
  }

  #spawn(): ChildProcess {
    const child = spawn(process.execPath, this.#options.program, {
      // The fourth channel closes when this process is gone, however it ended, and the runner ends with it.
      stdio: ['pipe', 'pipe', 'inherit', 'pipe'],
      // Nothing of the gate's own environment, which holds secrets.
      env: { ...this.#options.env, TOOLGATE_PARENT_PIPE: '3' },
      // Ctrl-C in a terminal is the gate's to hear; the runner follows it.
      detached: true,
    });
    for (const stream of child.stdio) stream?.on('error', () => undefined);
    return child;
  }

  #ended(how: { code: number | null; signal: NodeJS.Signals | null; since: number }): void {
    this.#running = undefined;
    if (this.#closing.signal.aborted) return;
    this.#failures = performance.now() - how.since > provenAfter ? 1 : this.#failures + 1;
    this.#awaySince ??= new Date();
    const { code, signal } = how;
    this.#options.log.error(
      { code, signal, failures: this.#failures },
      'the runner ended; it is started again',
    );
    this.#running = this.#start();
  }
}

/** Resolves when it listens; rejects when it ends before that, or takes too long. */
function portOf(child: ChildProcess): Promise<z.infer<typeof readiness>> {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => child.kill('SIGKILL'), startTimeout);
    const failed = () => {
      clearTimeout(late);
      reject(gone('The runner, which starts servers that are processes, did not start; the log says why.'));
    };
    child.once('exit', failed);
    child.once('error', failed);
    if (!child.stdout) return failed();
    createInterface({ input: child.stdout }).once('line', (line) => {
      clearTimeout(late);
      resolve(readiness.parse(JSON.parse(line)));
    });
  });
}

function hasEnded({ exitCode, signalCode, pid }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null || pid === undefined;
}

function gone(message: string): UpstreamError {
  return new UpstreamError('unreachable', message);
}
