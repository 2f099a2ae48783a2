import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { once } from 'node:events';
import { parseMessage, type RpcResponse } from '../rpc/message.ts';
import { type Connector, type ConnectorOptions, type Exchange, UpstreamError } from './contract.ts';
import { LastWords } from './last-words.ts';
import type { Launched } from './launched.ts';
import { LineReader } from './lines.ts';
import { closedError, PendingExchanges } from './pending.ts';

/** How long a server may take to leave after its input ends, then after SIGTERM, in milliseconds. */
const grace = 2_000;
/** How long what an exited server wrote last may take to arrive, in milliseconds. */
const lastWords = 500;
/** What a server that does not read may leave waiting for it, in bytes. */
const mostUnsent = 16 * 1024 * 1024;
/**
 * What a server may print between two messages that is none, in bytes: some print a log there, none prints for ever.
 * A line counts for more than it holds, because looking at it costs more.
 */
const mostNoise = 16 * 1024 * 1024;
const costOfLine = 1_024;
/** Messages that are no answers: so many at once, and so many a second after that. */
const mostNews = { burst: 10_000, perSecond: 1_000 };

export interface StdioOptions extends ConnectorOptions {
  /** Filled-in secrets, so that what the server prints can be rid of them. */
  readonly secrets: readonly string[];
  /** There is more to read in `diagnostics()`. */
  readonly onDiagnostics?: () => void;
}

/** A server that is a child process and speaks newline-delimited JSON (basic/transports/stdio.mdx). */
export class StdioConnector implements Connector {
  readonly cancelsByClosing = false;
  readonly #options: StdioOptions;
  readonly #launched: Launched;
  readonly #child: ChildProcessWithoutNullStreams;
  readonly #pending: PendingExchanges;
  readonly #stderr: LastWords;
  #gone: UpstreamError | undefined;
  #reading: Promise<void> | undefined;
  #noise = 0;
  #news = mostNews.burst;
  #newsSince = performance.now();

  constructor(launched: Launched, options: StdioOptions) {
    this.#options = options;
    this.#launched = launched;
    this.#child = launched.child;
    this.#pending = new PendingExchanges(options.sink);
    this.#stderr = new LastWords(this.#child.stderr, options.secrets, options.onDiagnostics);
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
    return this.#stderr.text();
  }

  /** Whoever takes its messages cannot keep up: the server waits until `goOn`. */
  hold(): void {
    this.#child.stdout.pause();
  }

  goOn(): void {
    this.#child.stdout.resume();
  }

  /** Its sessions end with the connection, so there is nothing to wait for. */
  retire(): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    this.#fail(closedError(this.#options.name));
    if (this.#exited()) return this.#launched.signal('SIGKILL');
    this.#child.stdin.end();
    this.goOn();
    if (await this.#exitsWithin(grace)) return this.#launched.signal('SIGKILL');
    this.#launched.signal('SIGTERM');
    await this.#exitsWithin(grace);
    this.#launched.signal('SIGKILL');
    return undefined;
  }

  #watch(): void {
    const { name, maxResponseBytes } = this.#options;
    const tooLarge = `The server "${name}" sent a message larger than ${maxResponseBytes} bytes.`;
    const reader = new LineReader(
      maxResponseBytes,
      (line) => this.#receive(line),
      () => this.#break(new UpstreamError('too_large', tooLarge)),
    );
    this.#child.stdout.on('data', (chunk: Buffer) => reader.push(chunk));
    for (const stream of [this.#child.stdin, this.#child.stdout, this.#child.stderr]) {
      stream.on('error', (cause) => this.#lost(closedError(name, cause)));
    }
    this.#child.on('error', (cause) =>
      this.#break(new UpstreamError('unreachable', `The server "${name}" could not be started.`, { cause })),
    );
    this.#child.on('exit', (code, signal) => {
      const how = signal ? `was ended by ${signal}` : `exited with code ${code}`;
      // What starts it behind walls ends like a shell that finds no such program.
      const gone =
        code === 127
          ? new UpstreamError(
              'unreachable',
              `The server "${name}" could not be started: its program was not found.`,
            )
          : new UpstreamError('closed', `The server "${name}" ${this.#launched.reason() ?? how}.`);
      // Its last answer may still be on the way through the pipe; something it started may hold the pipe open for ever.
      const late = setTimeout(() => this.#break(gone), lastWords);
      this.#child.once('close', () => {
        clearTimeout(late);
        this.#break(gone);
      });
    });
  }

  /** A pipe mostly breaks because the process ends; how it ended is heard a moment later, and says more. */
  #lost(error: UpstreamError): void {
    if (this.#exited()) return;
    const late = setTimeout(() => this.#break(error), grace);
    this.#child.once('exit', () => clearTimeout(late));
  }

  #receive(line: string): void {
    if (this.#gone) return;
    // Most of what is no message shows at its first character, and a failed parsing is slow.
    const parsed = /^\s*\{/.test(line) ? parseMessage(line) : undefined;
    if (parsed?.ok) {
      this.#noise = 0;
      if (parsed.message.kind !== 'response' && this.#isTooMuchNews())
        return this.#flooded('it says more than anybody asked for');
      return this.#pending.deliver(parsed.message);
    }
    this.#noise += line.length + costOfLine;
    if (this.#noise > mostNoise) return this.#flooded('what it prints is not MCP');
    const { name, log } = this.#options;
    return log.debug({ server: name, reason: parsed?.code }, 'line on stdout that is no JSON-RPC message');
  }

  /** Whoever hears it must not drown in it, the caller of one tool neither. */
  #isTooMuchNews(): boolean {
    const now = performance.now();
    const { burst, perSecond } = mostNews;
    this.#news = Math.min(burst, this.#news + ((now - this.#newsSince) / 1000) * perSecond) - 1;
    this.#newsSince = now;
    return this.#news < 0;
  }

  #flooded(why: string): void {
    this.#break(new UpstreamError('protocol', `The server "${this.#options.name}" was ended: ${why}.`));
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
    this.#launched.signal('SIGKILL');
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
}
