import { setTimeout as delay } from 'node:timers/promises';
import { type Dispatcher, Pool } from 'undici';
import { parseMessage, type RpcResponse } from '../rpc/message.ts';
import { withChanging } from './changing.ts';
import {
  type ChangingHeaders,
  type Connector,
  type ConnectorOptions,
  type Destination,
  type Exchange,
  UpstreamError,
} from './contract.ts';
import { connectionError, connectorFor } from './connect.ts';
import { readEvents } from './event-stream.ts';
import { statusError } from './http-status.ts';
import { closedError, PendingExchanges } from './pending.ts';
import { untilAborted } from './until-aborted.ts';

type SseDestination = Extract<Destination, { url: string }>;

interface Sent {
  readonly method: 'GET' | 'POST';
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal: AbortSignal;
}

/** How long the server may take to name the address for messages, in milliseconds. */
const endpointTimeout = 10_000;

/** A connection to a server of the first transport, HTTP with SSE (2024-11-05, basic/transports.mdx). */
export class SseConnector implements Connector {
  readonly cancelsByClosing = false;
  readonly #options: ConnectorOptions;
  readonly #url: URL;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #changing: ChangingHeaders | undefined;
  readonly #pool: Pool;
  readonly #pending: PendingExchanges;
  readonly #closing = new AbortController();
  readonly #endpoint: Promise<string>;
  #gone: UpstreamError | undefined;

  constructor(destination: SseDestination, options: ConnectorOptions) {
    this.#options = options;
    this.#url = new URL(destination.url);
    this.#headers = destination.headers;
    this.#changing = destination.changing;
    this.#pending = new PendingExchanges(options.sink);
    this.#pool = new Pool(this.#url.origin, {
      connect: connectorFor(options.netGuard),
      headersTimeout: 0,
      bodyTimeout: 0,
    });
    this.#endpoint = this.#open();
    // Whoever sends first sees the error; until then it must not count as unhandled.
    this.#endpoint.catch(() => undefined);
  }

  async request(exchange: Exchange): Promise<RpcResponse> {
    if (this.#gone) throw this.#gone;
    return this.#pending.run(exchange, () => this.#post(exchange.text, exchange.signal, exchange.headers));
  }

  async send(text: string, signal: AbortSignal): Promise<void> {
    if (this.#gone) throw this.#gone;
    await this.#post(text, signal);
  }

  established(): void {
    // The one stream is open already.
  }

  diagnostics(): string {
    return '';
  }

  /** Its sessions end with the connection, so there is nothing to wait for. */
  retire(): Promise<void> {
    return this.close();
  }

  async close(): Promise<void> {
    const error = closedError(this.#options.name);
    this.#gone ??= error;
    this.#closing.abort(error);
    this.#pending.failAll(error);
    await this.#pool.destroy();
  }

  /** Opens the stream, resolves with the path for messages, and goes on reading. */
  #open(): Promise<string> {
    return new Promise((resolve, reject) => {
      this.#listen(resolve).then(
        () => this.#break(closedError(this.#options.name), reject),
        (error: unknown) => this.#break(this.#named(error), reject),
      );
      delay(endpointTimeout, undefined, { signal: this.#closing.signal, ref: false }).then(
        () =>
          reject(
            new UpstreamError(
              'timeout',
              `The server "${this.#options.name}" named no address for messages in time.`,
            ),
          ),
        () => undefined,
      );
    });
  }

  async #listen(onEndpoint: (path: string) => void): Promise<void> {
    const { name, maxResponseBytes } = this.#options;
    const answer = await this.#send({
      method: 'GET',
      path: `${this.#url.pathname}${this.#url.search}`,
      headers: { accept: 'text/event-stream', 'accept-encoding': 'identity' },
      signal: this.#closing.signal,
    });
    if (answer.statusCode !== 200) {
      await answer.body.dump();
      throw statusError(name, answer);
    }
    await readEvents(
      answer.body,
      { name, maxBytes: maxResponseBytes },
      {
        onRetry: () => undefined,
        onEvent: ({ event, data }) => {
          if (event === 'endpoint') onEndpoint(this.#sameOrigin(data));
          else this.#receive(data);
          return false;
        },
      },
    );
  }

  /** Messages carry the credential, so their address must be at the server we were told of. */
  #sameOrigin(address: string): string {
    const target = new URL(address, this.#url);
    if (target.origin === this.#url.origin) return `${target.pathname}${target.search}`;
    throw new UpstreamError(
      'protocol',
      `The server "${this.#options.name}" sends its messages to another host, which the gate does not follow.`,
    );
  }

  #receive(data: string): void {
    const parsed = parseMessage(data);
    if (parsed.ok) this.#pending.deliver(parsed.message);
    else
      this.#options.log.debug(
        { server: this.#options.name, reason: parsed.code },
        'event that is no JSON-RPC message',
      );
  }

  async #post(text: string, signal: AbortSignal, extra?: Readonly<Record<string, string>>): Promise<void> {
    const path = await untilAborted(this.#endpoint, signal);
    let answer: Dispatcher.ResponseData;
    try {
      const headers = { ...extra, 'content-type': 'application/json' };
      answer = await this.#send({ method: 'POST', path, headers, body: text, signal });
    } catch (error) {
      throw signal.aborted ? signal.reason : this.#named(error);
    }
    // The response comes on the stream. A server that never ends this one must not keep a socket for each message.
    await answer.body.dump({ limit: 65_536, signal: AbortSignal.timeout(5_000) }).catch(() => undefined);
    if (answer.statusCode >= 300) throw statusError(this.#options.name, answer);
  }

  /** With the headers of the server, and those that change while the connection stays. */
  #send(request: Sent): Promise<Dispatcher.ResponseData> {
    const send = (extra: object) => {
      const headers = { ...this.#headers, ...request.headers, ...extra };
      return this.#pool.request({ ...request, headers });
    };
    if (!this.#changing) return send({});
    const discard = ({ body }: Dispatcher.ResponseData) => void body.dump().catch(() => undefined);
    return withChanging(this.#changing, { signal: request.signal, send, discard });
  }

  #break(error: UpstreamError, rejectEndpoint: (error: UpstreamError) => void): void {
    rejectEndpoint(error);
    if (this.#gone) return;
    this.#gone = error;
    this.#pending.failAll(error);
    this.#options.sink.onClosed(error);
  }

  #named(error: unknown): UpstreamError {
    if (error instanceof UpstreamError) return error;
    return connectionError(this.#options.name, error);
  }
}
