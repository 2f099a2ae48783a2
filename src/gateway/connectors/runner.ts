import type { Readable } from 'node:stream';
import { Pool } from 'undici';
import type { ProcessLimits } from '../../access/contract.ts';
import { parseMessage, type RpcMessage, type RpcResponse } from '../rpc/message.ts';
import { diagnosticsEvent, eventNames, failure, type ProcessInput, standingHeader } from '../runner/wire.ts';
import { type Connector, type ConnectorOptions, type Exchange, UpstreamError } from './contract.ts';
import { type ServerSentEvent, readEvents } from './event-stream.ts';
import type { StdioDestination } from './launched.ts';
import { closedError } from './pending.ts';
import { type Posted, post } from './post.ts';
import { openProcess, type RunnerPlace } from './runner-process.ts';
import { untilAborted } from './until-aborted.ts';

/** Finds the runner. */
export interface RunnerWay {
  /** Where it is, as soon as it is there. Rejects with UpstreamError when it does not come soon. */
  place(signal: AbortSignal): Promise<RunnerPlace>;
  /** It is known to be away, or of no use. */
  away?(): Away | null;
  /** Told whenever it can be used again. */
  onBack?(listener: () => void): void;
}

export interface Away {
  readonly since: Date;
  /** What is wrong and who mends it, in sentences for operators. */
  readonly why: string;
}

export interface RunnerOptions extends ConnectorOptions {
  readonly way: RunnerWay;
  /** Whose process it is: see Owner of the runner. */
  readonly tenant: string | null;
  readonly scope: string;
  readonly limits: ProcessLimits | undefined;
}

/** A process as it is reached. */
interface Opened {
  readonly pool: Pool;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** How long a process may take to be there, in milliseconds; its first answer is waited for elsewhere. */
const opening = 20_000;

/**
 * A server that is a process of the runner. It is started when the connector is made; the one stream for what belongs
 * to no request is its life: when that ends, the connection is gone for good.
 */
export class RunnerConnector implements Connector {
  readonly cancelsByClosing = false;
  readonly #options: RunnerOptions;
  readonly #closing = new AbortController();
  readonly #opened: Promise<Opened>;
  readonly #waiting = new Set<(error: UpstreamError) => void>();
  #pool: Pool | undefined;
  #gone: UpstreamError | undefined;
  #diagnostics = '';

  constructor(destination: StdioDestination, options: RunnerOptions) {
    this.#options = options;
    this.#opened = this.#open(destination);
    this.#opened.catch((error: unknown) => this.#break(this.#named(error)));
  }

  async request(exchange: Exchange): Promise<RpcResponse> {
    const { signal } = exchange;
    const opened = await untilAborted(this.#opened, signal).catch((error: unknown) => {
      throw signal.aborted ? signal.reason : (this.#gone ?? error);
    });
    if (this.#gone) throw this.#gone;
    return this.#whileThere(() => this.#exchange(opened, exchange));
  }

  async send(text: string, signal: AbortSignal): Promise<void> {
    const { pool, path, headers } = await untilAborted(this.#opened, signal);
    if (this.#gone) throw this.#gone;
    try {
      const answer = await pool.request({ method: 'POST', path, headers, body: text, signal });
      if (answer.statusCode >= 400) throw this.#failure(await answer.body.text());
      await answer.body.dump();
    } catch (error) {
      throw this.#named(error, signal);
    }
  }

  established(): void {
    // The stream of what belongs to no request is open from the start.
  }

  diagnostics(): string {
    return this.#diagnostics;
  }

  /** Its sessions end with the process, so there is nothing to wait for. */
  retire(): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    this.#fail(closedError(this.#options.name));
    const opened = await this.#opened.catch(() => undefined);
    if (opened) {
      const { pool, path, headers } = opened;
      // Best effort: closing the stream ends the process as well.
      await pool
        .request({ method: 'DELETE', path, headers, signal: AbortSignal.timeout(6_000) })
        .then((answer) => answer.body.dump())
        .catch(() => undefined);
    }
    this.#closing.abort(closedError(this.#options.name));
    await this.#pool?.destroy();
  }

  /** Starts the process and listens to it. */
  async #open(destination: StdioDestination): Promise<Opened> {
    const { way, name } = this.#options;
    const signal = AbortSignal.any([this.#closing.signal, AbortSignal.timeout(opening)]);
    const { origin, socketPath, key } = await way.place(signal);
    const pool = new Pool(origin, {
      ...(socketPath !== undefined && { socketPath }),
      // Deadlines are the exchanges' own: a tool may think for minutes.
      ...{ headersTimeout: 0, bodyTimeout: 0, connect: { timeout: 5_000 } },
    });
    this.#pool = pool;
    const id = await openProcess(pool, { key, name, input: this.#input(destination), signal });
    const path = `/processes/${id}/mcp`;
    const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
    const stream = await pool.request({ method: 'GET', path, headers, signal: this.#closing.signal });
    if (stream.statusCode !== 200) throw this.#failure(await stream.body.text());
    this.#listen(stream.body);
    return { pool, path, headers };
  }

  #input({ command, args, env, cwd, secrets }: StdioDestination): ProcessInput {
    const { name: server, tenant, scope, limits, maxResponseBytes: maxMessageBytes } = this.#options;
    return {
      ...{
        server,
        tenant,
        scope,
        command,
        args: [...args],
        env,
        cwd,
        secrets: [...secrets],
        maxMessageBytes,
      },
      ...(limits && { limits }),
    };
  }

  /** Until the process, or the runner, is gone. */
  #listen(body: Readable): void {
    readEvents(body, this.#limits(), { onRetry: () => undefined, onEvent: (event) => this.#hear(event) })
      .catch(() => undefined)
      .then(() =>
        this.#break(new UpstreamError('closed', `The runner of the server "${this.#options.name}" is gone.`)),
      )
      .catch((error: unknown) =>
        this.#options.log.error({ err: error }, 'the end of a process was not told'),
      );
  }

  /** True: there is nothing more to hear. */
  #hear({ event, data }: ServerSentEvent): boolean {
    const { sink, name, log } = this.#options;
    if (event === eventNames.diagnostics) {
      this.#diagnostics = diagnosticsEvent.safeParse(jsonOf(data)).data?.text ?? this.#diagnostics;
      return false;
    }
    if (event === eventNames.closed) {
      this.#break(this.#failure(`{"failure":${data}}`));
      return true;
    }
    const parsed = parseMessage(data);
    if (parsed.ok && parsed.message.kind !== 'response') sink.onMessage(parsed.message);
    else log.debug({ server: name }, 'the runner sent what is no message');
    return false;
  }

  async #exchange({ pool, path, headers }: Opened, exchange: Exchange): Promise<RpcResponse> {
    const { text, signal, isStanding } = exchange;
    let answer: Posted | undefined;
    try {
      const all = { ...headers, ...(isStanding && { [standingHeader]: 'true' }) };
      answer = await post(pool, { path, text, signal, headers: all }, this.#limits());
      if ('text' in answer) return this.#answered(answer.text, answer.statusCode, exchange);
      return await this.#follow(answer.body, exchange);
    } catch (error) {
      // A body that nobody reads to its end would keep its socket.
      if (answer && 'body' in answer) answer.body.destroy();
      throw this.#named(error, signal);
    }
  }

  #answered(text: string, status: number, { rawId }: Exchange): RpcResponse {
    const message = status === 200 ? this.#parsed(text) : undefined;
    if (message?.kind === 'response' && message.rawId === rawId) return message;
    throw this.#failure(text);
  }

  async #follow(body: Readable, exchange: Exchange): Promise<RpcResponse> {
    let response: RpcResponse | undefined;
    await readEvents(body, this.#limits(), {
      onRetry: () => undefined,
      onEvent: ({ event, data }) => {
        if (event === eventNames.failure) throw this.#failure(`{"failure":${data}}`);
        const message = this.#parsed(data);
        if (message.kind !== 'response') exchange.onMessage(message);
        else if (message.rawId === exchange.rawId) response = message;
        return response !== undefined;
      },
    });
    if (response) return response;
    throw closedError(this.#options.name);
  }

  #parsed(text: string): RpcMessage {
    const parsed = parseMessage(text);
    if (parsed.ok) return parsed.message;
    throw new UpstreamError('protocol', `The server "${this.#options.name}" sent no JSON-RPC message.`);
  }

  /** The runner frames what the server said, which takes a little more than the message itself. */
  #limits() {
    const { name, maxResponseBytes } = this.#options;
    return { name, maxResponseBytes: maxResponseBytes + framing, maxBytes: maxResponseBytes + framing };
  }

  /** The work, or the end of the connection if that comes first: it says why, where a broken stream does not. */
  #whileThere<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#waiting.add(reject);
      const done = () => this.#waiting.delete(reject);
      work()
        .then(resolve, reject)
        .finally(done)
        .catch(() => undefined);
    });
  }

  #failure(text: string): UpstreamError {
    const { name } = this.#options;
    const { data } = failure.safeParse(jsonOf(text));
    return data ? new UpstreamError(data.failure.kind, data.failure.message) : closedError(name);
  }

  #break(error: UpstreamError): void {
    if (this.#gone) return;
    this.#fail(error);
    this.#options.sink.onClosed(error);
  }

  #fail(error: UpstreamError): void {
    this.#gone ??= error;
    for (const reject of [...this.#waiting]) reject(error);
  }

  /** Whoever lost its stream learns why from the other one, which says it. */
  #named(error: unknown, signal?: AbortSignal): UpstreamError {
    if (signal?.aborted) throw signal.reason;
    if (this.#gone) return this.#gone;
    return error instanceof UpstreamError ? error : closedError(this.#options.name, error);
  }
}

const framing = 1_024;

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // Whoever asked has a schema for what it should have been.
  }
}
