import type { Readable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { parseMessage, type RpcMessage, type RpcResponse } from '../rpc/message.ts';
import { withChanging } from './changing.ts';
import {
  type ChangingHeaders,
  type Connector,
  type ConnectorOptions,
  type Destination,
  type Established,
  type Exchange,
  UpstreamError,
} from './contract.ts';
import { connectionError, connectorFor } from './connect.ts';
import { readEvents } from './event-stream.ts';
import { statusError, wantedScopes } from './http-status.ts';
import { closedError } from './pending.ts';
import { type Post, type Posted, post } from './post.ts';
import { keepListening } from './standalone-stream.ts';

type HttpDestination = Extract<Destination, { url: string }>;
type Answer = Dispatcher.ResponseData;
type Streamed = Extract<Posted, { body: unknown }>;

/** How long to wait before asking again for a stream that broke, when the server names no time, in milliseconds. */
const defaultRetry = 1_000;
const longestRetry = 30_000;

/** A connection to a streamable HTTP server, of either era (basic/transports/streamable-http.mdx). */
export class HttpConnector implements Connector {
  readonly cancelsByClosing = true;
  readonly #options: ConnectorOptions;
  readonly #pool: Pool;
  readonly #path: string;
  readonly #closing = new AbortController();
  readonly #changing: ChangingHeaders | undefined;
  #headers: Record<string, string>;
  #sessionId: string | undefined;

  constructor(destination: HttpDestination, options: ConnectorOptions) {
    const url = new URL(destination.url);
    this.#options = options;
    this.#changing = destination.changing;
    this.#path = `${url.pathname}${url.search}`;
    this.#headers = {
      ...lowerCased(destination.headers),
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
      'accept-encoding': 'identity',
    };
    this.#pool = new Pool(url.origin, {
      connect: connectorFor(options.netGuard),
      // Deadlines are the exchanges' own: a tool may think for minutes.
      headersTimeout: 0,
      bodyTimeout: 0,
      maxHeaderSize: 65_536,
    });
  }

  async request(exchange: Exchange): Promise<RpcResponse> {
    const { text, signal, headers } = exchange;
    let answer: Posted | undefined;
    try {
      const own = headers ? { ...this.#headers, ...headers } : this.#headers;
      const request = { path: this.#path, text, signal, headers: own };
      answer = await (this.#changing
        ? this.#postChanging(this.#changing, request)
        : post(this.#pool, request, this.#options));
      return await this.#read(answer, exchange);
    } catch (error) {
      if (answer) leave(answer);
      throw this.#named(error, signal);
    }
  }

  #postChanging(changing: ChangingHeaders, request: Post): Promise<Posted> {
    const send = (extra: Readonly<Record<string, string>>) =>
      post(this.#pool, { ...request, headers: { ...request.headers, ...extra } }, this.#options);
    return withChanging(changing, { signal: request.signal, send, discard: leave });
  }

  async send(text: string, signal: AbortSignal): Promise<void> {
    const answer = await this.#send('POST', text, signal);
    await answer.body.dump();
    if (answer.statusCode >= 300) throw statusError(this.#options.name, answer);
  }

  established({ protocolVersion, listen }: Established): void {
    this.#headers = { ...this.#headers, 'mcp-protocol-version': protocolVersion };
    if (!listen) return;
    const { signal } = this.#closing;
    const open = (headers: Readonly<Record<string, string>>) => this.#send('GET', null, signal, headers);
    keepListening(open, this.#options, signal).catch((error: unknown) =>
      this.#options.log.debug({ err: error, server: this.#options.name }, 'listening stream ended'),
    );
  }

  diagnostics(): string {
    return '';
  }

  async retire(): Promise<void> {
    this.#closing.abort(closedError(this.#options.name));
    await this.#pool.close();
  }

  async close(): Promise<void> {
    this.#closing.abort(closedError(this.#options.name));
    if (this.#sessionId !== undefined) {
      // Best effort: the server may be gone, or may not know how to end sessions (405).
      await this.#send('DELETE', null, AbortSignal.timeout(1_000))
        .then((answer) => answer.body.dump())
        .catch(() => undefined);
    }
    await this.#pool.destroy();
  }

  async #send(
    method: 'POST' | 'GET' | 'DELETE',
    body: string | null,
    signal: AbortSignal,
    extra?: Readonly<Record<string, string>>,
  ): Promise<Answer> {
    const own = extra ? { ...this.#headers, ...extra } : this.#headers;
    const send = (headers: Readonly<Record<string, string>>) =>
      this.#pool.request({ method, path: this.#path, body, signal, headers });
    try {
      if (!this.#changing) return await send(own);
      const discard = ({ body: rest }: Answer) => void rest.dump().catch(() => undefined);
      const sendMore = (more: Readonly<Record<string, string>>) => send({ ...own, ...more });
      return await withChanging(this.#changing, { signal, send: sendMore, discard });
    } catch (error) {
      throw this.#named(error, signal);
    }
  }

  #read(answer: Posted, exchange: Exchange): RpcResponse | Promise<RpcResponse> {
    const { statusCode, headers } = answer;
    const isStream = 'body' in answer;
    if (isStream && statusCode === 200 && headers['content-type']?.startsWith('text/event-stream'))
      return this.#readStream(answer, exchange);
    if (statusCode === 404 && this.#sessionId !== undefined) {
      throw new UpstreamError(
        'session_expired',
        `The server "${this.#options.name}" has ended the session.`,
        { status: 404 },
      );
    }
    // Whatever its body says: nothing was begun.
    if (isStream || (statusCode === 403 && wantedScopes(headers)))
      throw statusError(this.#options.name, answer);
    const response = this.#match(parseMessage(answer.text), exchange, answer);
    if (statusCode === 200) this.#keepSession(headers['mcp-session-id']);
    return response;
  }

  /** The response to this very request; anything else is an error of the server. */
  #match(parsed: ReturnType<typeof parseMessage>, exchange: Exchange, answer: Posted): RpcResponse {
    const message = parsed.ok ? parsed.message : undefined;
    const ours =
      message?.kind === 'response' &&
      (message.rawId === exchange.rawId || (message.rawId === null && answer.statusCode >= 400));
    if (message?.kind === 'response' && ours) return message;
    if (answer.statusCode >= 400) throw statusError(this.#options.name, answer);
    const what = parsed.ok
      ? 'a message that does not answer the request'
      : 'something that is no JSON-RPC message';
    throw new UpstreamError('protocol', `The server "${this.#options.name}" answered with ${what}.`);
  }

  /** Reads the stream of a request; when the server closes it half-way, goes on where it stopped (SEP-1699). */
  async #readStream(first: Streamed, exchange: Exchange): Promise<RpcResponse> {
    this.#keepSession(first.headers['mcp-session-id']);
    const state = { lastEventId: '', retry: defaultRetry };
    let { body } = first;
    for (;;) {
      const response = await this.#followStream(body, exchange, state);
      if (response) return response;
      if (state.lastEventId === '') throw closedError(this.#options.name);
      exchange.onPaused?.();
      await delay(state.retry, undefined, { signal: exchange.signal });
      const answer = await this.#send('GET', null, exchange.signal, {
        accept: 'text/event-stream',
        'last-event-id': state.lastEventId,
      });
      if (answer.statusCode !== 200) throw statusError(this.#options.name, answer);
      body = answer.body;
    }
  }

  async #followStream(
    body: Readable,
    exchange: Exchange,
    state: { lastEventId: string; retry: number },
  ): Promise<RpcResponse | undefined> {
    let response: RpcResponse | undefined;
    const { name, maxResponseBytes } = this.#options;
    await readEvents(
      body,
      { name, maxBytes: maxResponseBytes },
      {
        onRetry: (milliseconds) => {
          state.retry = Math.min(milliseconds, longestRetry);
        },
        onEvent: ({ id, data }) => {
          if (id) state.lastEventId = id;
          if (data.trim() === '') {
            if (id) exchange.onPrimed?.();
            return false;
          }
          const message = this.#parsed(data);
          if (message?.kind === 'response' && message.rawId === exchange.rawId) response = message;
          else if (message && message.kind !== 'response') exchange.onMessage(message);
          return response !== undefined;
        },
      },
    );
    return response;
  }

  #parsed(data: string): RpcMessage | undefined {
    const parsed = parseMessage(data);
    if (parsed.ok) return parsed.message;
    throw new UpstreamError(
      'protocol',
      `The server "${this.#options.name}" sent an event that is no JSON-RPC message.`,
    );
  }

  #keepSession(id: string | string[] | undefined): void {
    if (typeof id !== 'string' || id === this.#sessionId) return;
    this.#sessionId = id;
    this.#headers = { ...this.#headers, 'mcp-session-id': id };
  }

  #named(error: unknown, signal: AbortSignal): unknown {
    if (error instanceof UpstreamError) return error;
    if (signal.aborted) return signal.reason;
    return connectionError(this.#options.name, error);
  }
}

/** A body that nobody reads to its end would keep its socket. */
function leave(answer: Posted): void {
  if ('body' in answer) answer.body.destroy();
}

function lowerCased(headers: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
}
