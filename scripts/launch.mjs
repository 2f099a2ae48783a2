// Starting programs from a wrapper: signals reach them, nothing outlives the wrapper, failures are one sentence.
// Plain JavaScript without dependencies: it runs on Node 20, before anything is installed.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import { delimiter, dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

const forwarded = /** @type {const} */ (['SIGINT', 'SIGTERM', 'SIGHUP']);

/** A failure that a person can mend: `message` is one sentence, `output` is what the failed program said. */
export class Refusal extends Error {
  /**
   * @param {string} message
   * @param {string} [output]
   */
  constructor(message, output = '') {
    super(message);
    this.output = output;
  }
}

/**
 * Runs a script's body; its result is the exit code. A Refusal is printed and exits with 1.
 * @param {() => Promise<number>} body
 */
export async function program(body) {
  try {
    process.exitCode = await body();
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    const said = error.output.trim().split('\n').slice(-30).join('\n');
    if (said !== '') process.stderr.write(`\n${said}\n\n`);
    process.stderr.write(`${error.message}\n`);
    process.exitCode = 1;
  }
}

/**
 * One line a step on standard error: `[1/4] Node 24.21.0 … 5.2 s`. A quiet one prints only what takes work.
 * @param {number} total how many steps the whole command has
 * @param {{ quiet?: boolean }} [options]
 */
export function createProgress(total, { quiet = false } = {}) {
  let step = 0;
  const next = () => `[${++step}/${total}]`;
  return {
    /** @param {string} label a step with nothing to do */
    ready(label) {
      const line = `${next()} ${label}: ready\n`;
      if (!quiet) process.stderr.write(line);
    },
    /**
     * @template T
     * @param {string} label
     * @param {() => Promise<T>} work
     */
    async work(label, work) {
      const began = performance.now();
      process.stderr.write(`${next()} ${label} … `);
      try {
        const result = await work();
        process.stderr.write(`${seconds(began)}\n`);
        return result;
      } catch (error) {
        process.stderr.write(`failed after ${seconds(began)}\n`);
        throw error;
      }
    },
  };
}

/** @typedef {ReturnType<typeof createProgress>} Progress */

/**
 * The time since `began` (of `performance.now()`), to be read by people.
 * @param {number} began
 */
export function seconds(began) {
  return `${((performance.now() - began) / 1000).toFixed(1)} s`;
}

/**
 * Runs a script with the given Node, first on PATH, and resolves with its exit code when it has ended.
 * TOOLGATE_PARENT_PIPE names a file descriptor that the script can read until its end: it closes when this
 * process is gone, however it died. It is also closed at Ctrl-C.
 * @param {string} nodePath
 * @param {string[]} args
 * @param {Record<string, string>} [env] added to this process's environment
 */
export async function runUnder(nodePath, args, env = {}) {
  const child = spawn(nodePath, args, {
    stdio: ['inherit', 'inherit', 'inherit', 'pipe'],
    env: { ...withFirstOnPath(dirname(nodePath)), ...env, TOOLGATE_PARENT_PIPE: '3' },
  });
  const parentPipe = child.stdio[3];
  // A child that never reads, or has ended, resets the pipe; its exit code tells all there is to tell.
  parentPipe?.on('error', () => undefined);
  const stopLooking = onceNpmIsGone(() => child.kill('SIGTERM'));
  return ended(child, (signal) => {
    // In a terminal, Ctrl-C has reached the whole process group. Forwarding it would be a second Ctrl-C.
    if (signal === 'SIGINT' && process.stdin.isTTY) parentPipe?.destroy();
    else child.kill(signal);
  }).finally(stopLooking);
}

/**
 * npm passes a signal on to the shell that it started this process in, and that ends without passing it on.
 * @param {() => void} react
 */
function onceNpmIsGone(react) {
  if (process.env['npm_lifecycle_event'] === undefined) return () => undefined;
  const shell = process.ppid;
  const timer = setInterval(() => {
    if (process.ppid === shell) return;
    clearInterval(timer);
    react();
  }, 250);
  return () => clearInterval(timer);
}

/**
 * Runs a program without input and resolves with its exit code and everything it printed.
 * Rejects with ENOENT when there is no such program. A signal that arrives meanwhile also ends this process.
 * @param {string} command
 * @param {string[]} args
 * @param {import('node:child_process').SpawnOptions} [options]
 */
export async function capture(command, args, options = {}) {
  const child = spawn(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (chunk) => {
      output += chunk;
    });
  }
  const closed = new Promise((resolve) => child.once('close', resolve));
  /** @type {NodeJS.Signals | undefined} */
  let interrupted;
  const code = await ended(child, (signal) => {
    interrupted = signal;
    child.kill(signal);
  });
  if (interrupted) {
    process.stderr.write('stopped\n');
    process.exit(128 + constants.signals[interrupted]);
  }
  // The rest of the output, but not for ever: a daemon that the program left behind may hold the pipes open.
  await Promise.race([closed, sleep(1000, undefined, { ref: false })]);
  child.stdout?.destroy();
  child.stderr?.destroy();
  return { code, output };
}

/**
 * @param {import('node:child_process').ChildProcess} child
 * @param {(signal: NodeJS.Signals) => void} onSignal
 * @returns {Promise<number>} the exit code, 128 + number for a signal as shells do
 */
function ended(child, onSignal) {
  for (const signal of forwarded) process.on(signal, onSignal);
  /** @type {Promise<number>} */
  const exit = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => resolve(code ?? 128 + constants.signals[signal ?? 'SIGTERM']));
  });
  return exit.finally(() => {
    for (const signal of forwarded) process.off(signal, onSignal);
  });
}

/** @param {string} directory */
function withFirstOnPath(directory) {
  const name = Object.keys(process.env).find((key) => key.toUpperCase() === 'PATH') ?? 'PATH';
  return { ...process.env, [name]: [directory, process.env[name]].filter(Boolean).join(delimiter) };
}
