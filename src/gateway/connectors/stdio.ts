import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { once } from 'node:events';
import { parseMessage, type RpcResponse } from '../rpc/message.ts';
import {
  type Connector,
  type ConnectorOptions,
  type Destination,
  type Exchange,
  UpstreamError,
} from './contract.ts';
import { LineReader } from './lines.ts';
import { closedError, PendingExchanges } from './pending.ts';
import type { Reaper } from './reaper.ts';

type StdioDestination = Extract<Destination, { type: 'stdio' }>;

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

/** How long a server may take to leave after its input ends, then after SIGTERM, in milliseconds. */
const grace = 2_000;
const stderrKept = 4_096;
/** How long what an exited server wrote last may take to arrive, in milliseconds. */
const lastWords = 500;
/** What a server that does not read may leave waiting for it, in bytes. */
const mostUnsent = 16 * 1024 * 1024;

export interface StdioOptions extends ConnectorOptions {
  readonly reaper: Reaper;
  /** Directories searched for commands before PATH, e.g. the package's own `node_modules/.bin`. */
  readonly binDirs: readonly string[];
}

/** A server that is a child process and speaks newline-delimited JSON (basic/transports/stdio.mdx). */
export class StdioConnector implements Connector {
  readonly cancelsByClosing = false;
  readonly #options: StdioOptions;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #pending: PendingExchanges;
  readonly #secrets: readonly string[];
  #stderr = '';
  #gone: UpstreamError | undefined;
  #reading: Promise<void> | undefined;

  constructor(destination: StdioDestination, options: StdioOptions) {
    this.#options = options;
    this.#pending = new PendingExchanges(options.sink);
    this.#secrets = destination.secrets.filter((secret) => secret !== '');
    this.#child = spawn(destination.command, destination.args, {
      cwd: destination.cwd,
      env: { ...environment(options.binDirs), ...destination.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      // A process group of its own, so that whatever it starts can be ended with it.
      detached: process.platform !== 'win32',
      windowsHide: true,
    });
    if (this.#child.pid !== undefined) options.reaper.add(this.#child.pid);
    this.#watch();
  }

  request(exchange: Exchange): Promise<RpcResponse> {
    if (this.#gone) return Promise.reject(this.#gone);
    return this.#pending.run(exchange, () => this.#write(exchange.text));
  }

  async send(text: string): Promise<void> {
    if (this.#gone) throw this.#gone;
    await this.#write(text);
  }

  established(): void {
    // stdio has one stream for everything: there is nothing to open.
  }

  /** The end of what the server wrote to stderr, without the secrets that it was given. */
  diagnostics(): string {
    const longest = Math.max(0, ...this.#secrets.map((secret) => secret.length));
    // What was cut may begin with half a secret, which nobody would recognize.
    const whole = this.#stderr.slice(this.#stderr.length < stderrKept ? 0 : longest);
    return this.#secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), whole);
  }

  /** Its sessions end with the connection, so there is nothing to wait for. */
  retire(): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    this.#fail(closedError(this.#options.name));
    if (this.#exited()) return this.#endGroup('SIGKILL');
    this.#child.stdin.end();
    if (await this.#exitsWithin(grace)) return this.#endGroup('SIGKILL');
    this.#endGroup('SIGTERM');
    await this.#exitsWithin(grace);
    this.#endGroup('SIGKILL');
    return undefined;
  }

  #watch(): void {
    const { name, maxResponseBytes } = this.#options;
    const reader = new LineReader(
      maxResponseBytes,
      (line) => this.#receive(line),
      () =>
        this.#break(
          new UpstreamError(
            'too_large',
            `The server "${name}" sent a message larger than ${maxResponseBytes} bytes.`,
          ),
        ),
    );
    this.#child.stdout.on('data', (chunk: Buffer) => reader.push(chunk));
    // Always drained, so that a server that floods stderr is never blocked by us and never fills our memory.
    this.#child.stderr.on('data', (chunk: Buffer) => {
      this.#stderr = (this.#stderr + chunk.subarray(-stderrKept).toString('utf8')).slice(-stderrKept);
    });
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      stream.on('error', (cause) => this.#break(closedError(name, cause)));
    }
    this.#child.on('error', (cause) =>
      this.#break(new UpstreamError('unreachable', `The server "${name}" could not be started.`, { cause })),
    );
    this.#child.on('exit', (code, signal) => {
      const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
      const gone = new UpstreamError('closed', `The server "${name}" ${how}.`);
      // Its last answer may still be on the way through the pipe; something it started may hold the pipe open for ever.
      const late = setTimeout(() => this.#break(gone), lastWords);
      this.#child.once('close', () => {
        clearTimeout(late);
        this.#break(gone);
      });
    });
  }

  #receive(line: string): void {
    const parsed = parseMessage(line);
    if (parsed.ok) this.#pending.deliver(parsed.message);
    else
      this.#options.log.debug(
        { server: this.#options.name, reason: parsed.code },
        'line on stdout that is no JSON-RPC message',
      );
  }

  async #write(text: string): Promise<void> {
    const { stdin } = this.#child;
    if (stdin.writableLength > mostUnsent) {
      throw new UpstreamError(
        'busy',
        `The server "${this.#options.name}" takes no more requests at the moment.`,
      );
    }
    // Back-pressure: a server that does not read makes its own callers wait, until their deadline.
    if (!stdin.write(`${text}\n`) && !stdin.destroyed) await this.#taken();
  }

  /** Resolves when the server has read what it was sent, or never will. */
  #taken(): Promise<void> {
    const { stdin } = this.#child;
    this.#reading ??= new Promise((resolve) => {
      const done = () => {
        stdin.off('drain', done).off('close', done);
        this.#reading = undefined;
        resolve();
      };
      stdin.on('drain', done).on('close', done);
    });
    return this.#reading;
  }

  /** The server is of no use any more: everyone is told, and what is left of it is ended. */
  #break(error: UpstreamError): void {
    if (this.#gone) return;
    this.#fail(error);
    this.#options.sink.onClosed(error);
    this.#endGroup('SIGKILL');
  }

  #fail(error: UpstreamError): void {
    this.#gone ??= error;
    this.#pending.failAll(error);
  }

  #exited(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null || this.#child.pid === undefined;
  }

  async #exitsWithin(milliseconds: number): Promise<boolean> {
    if (this.#exited()) return true;
    const signal = AbortSignal.timeout(milliseconds);
    return once(this.#child, 'exit', { signal }).then(
      () => true,
      () => false,
    );
  }

  /** Ends the whole process group; it may outlive the process that began it. */
  #endGroup(signal: NodeJS.Signals): void {
    const { pid } = this.#child;
    if (pid === undefined) return;
    try {
      if (process.platform === 'win32') this.#child.kill(signal);
      else process.kill(-pid, signal);
    } catch {
      // ESRCH: nobody is left in the group, which is what was wanted.
    }
    if (signal === 'SIGKILL') this.#options.reaper.remove(pid);
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
