import { isObject, type RawId, type RpcMessage, type RpcResponse } from '../rpc/message.ts';
import { meta } from '../rpc/protocol.ts';
import { type Exchange, type Sink, UpstreamError } from './contract.ts';

interface Waiting {
  readonly exchange: Exchange;
  resolve(response: RpcResponse): void;
  reject(error: unknown): void;
}

/** How long a server that was told of a cancellation may go on all the same, in milliseconds. */
const stillAtWork = 30_000;

/**
 * Exchanges of a connection on which all messages share one stream (stdio, SSE): finds out which one an
 * incoming message belongs to.
 */
export class PendingExchanges {
  readonly #waiting = new Map<RawId, Waiting>();
  /** Given up by their callers, but the server may still be at work on them. */
  readonly #abandoned = new Map<RawId, NodeJS.Timeout>();
  readonly #sink: Pick<Sink, 'onMessage'>;

  constructor(sink: Pick<Sink, 'onMessage'>) {
    this.#sink = sink;
  }

  /** Registers the exchange, runs `write`, and resolves with the response. */
  run(exchange: Exchange, write: () => Promise<void>): Promise<RpcResponse> {
    return new Promise((resolve, reject) => {
      const { signal, rawId } = exchange;
      const finish = (settle: () => void) => {
        signal.removeEventListener('abort', aborted);
        this.#waiting.delete(rawId);
        settle();
      };
      const aborted = () => {
        finish(() => reject(signal.reason));
        if (!exchange.isStanding) this.#abandon(rawId);
      };
      if (signal.aborted) return reject(signal.reason);
      signal.addEventListener('abort', aborted, { once: true });
      this.#waiting.set(rawId, {
        exchange,
        resolve: (response) => finish(() => resolve(response)),
        reject: (error) => finish(() => reject(error)),
      });
      write().catch((error: unknown) => this.#waiting.get(rawId)?.reject(error));
    });
  }

  deliver(message: RpcMessage): void {
    if (message.kind === 'response') {
      // An answer that nobody waits for: late, or under a made-up id. Both are dropped.
      if (message.rawId === null) return;
      this.#waiting.get(message.rawId)?.resolve(message);
      this.#forget(message.rawId);
      return;
    }
    const exchange = this.#ownerOf(message.method, message.params);
    if (exchange) exchange.onMessage(message);
    else this.#sink.onMessage(message);
  }

  /** The connection is gone: nobody is left waiting. */
  failAll(error: UpstreamError): void {
    for (const waiting of [...this.#waiting.values()]) waiting.reject(error);
    for (const rawId of [...this.#abandoned.keys()]) this.#forget(rawId);
  }

  #abandon(rawId: RawId): void {
    this.#abandoned.set(rawId, setTimeout(() => this.#abandoned.delete(rawId), stillAtWork).unref());
  }

  #forget(rawId: RawId): void {
    clearTimeout(this.#abandoned.get(rawId));
    this.#abandoned.delete(rawId);
  }

  /**
   * Progress names its exchange: the gate uses request ids as progress tokens. Anything else is attributed only
   * while the server can be at work on one exchange; with several, or one that was given up a moment ago, it could
   * be another caller's, and guessing would leak. A subscription is named by what is said on it.
   */
  #ownerOf(method: string, params: Readonly<Record<string, unknown>> | undefined): Exchange | undefined {
    if (method === 'notifications/progress')
      return this.#waiting.get(String(params?.['progressToken']))?.exchange;
    const subscription = isObject(params?.['_meta']) ? params['_meta'][meta.subscriptionId] : undefined;
    if (subscription !== undefined) return this.#waiting.get(JSON.stringify(subscription))?.exchange;
    if (method.endsWith('/list_changed') || method === 'notifications/resources/updated') return undefined;
    const [only, second] = [...this.#waiting.values()].filter(({ exchange }) => !exchange.isStanding);
    return second || this.#abandoned.size > 0 ? undefined : only?.exchange;
  }
}

/** The error of an exchange whose connection is gone. */
export function closedError(name: string, cause?: unknown): UpstreamError {
  return new UpstreamError('closed', `The server "${name}" closed the connection.`, { cause });
}
