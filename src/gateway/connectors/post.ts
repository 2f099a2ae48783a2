import type { IncomingHttpHeaders } from 'node:http';
import { Readable } from 'node:stream';
import type { Dispatcher } from 'undici';
import { type ConnectorOptions, UpstreamError } from './contract.ts';

/** The answer to a POST: the text of a JSON body, read to its end, or any other body as it comes. */
export type Posted = {
  readonly statusCode: number;
  readonly headers: IncomingHttpHeaders;
} & ({ readonly text: string } | { readonly body: Readable });

export interface Post {
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly text: string;
  readonly signal: AbortSignal;
}

/**
 * Sends a POST on the way that every call takes: undici's `request` would make a stream, and several promises, for
 * each small JSON body. Rejects at once when the signal aborts, with its reason, and with `too_large`.
 */
export function post(
  dispatcher: Dispatcher,
  { path, headers, text, signal }: Post,
  limits: Pick<ConnectorOptions, 'name' | 'maxResponseBytes'>,
): Promise<Posted> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const handler = new PostHandler({ resolve, reject, signal, limits });
    dispatcher.dispatch({ method: 'POST', path, headers, body: text }, handler);
  });
}

interface Waiting {
  readonly signal: AbortSignal;
  readonly limits: Pick<ConnectorOptions, 'name' | 'maxResponseBytes'>;
  resolve(posted: Posted): void;
  reject(error: unknown): void;
}

class PostHandler implements Dispatcher.DispatchHandler {
  readonly #waiting: Waiting;
  readonly #aborted = () => this.#stop(this.#waiting.signal.reason);
  #controller: Dispatcher.DispatchController | undefined;
  #statusCode = 0;
  #headers: IncomingHttpHeaders = {};
  #body: Readable | undefined;
  #chunks: Buffer[] = [];
  #size = 0;

  constructor(waiting: Waiting) {
    this.#waiting = waiting;
    waiting.signal.addEventListener('abort', this.#aborted, { once: true });
  }

  onRequestStart(controller: Dispatcher.DispatchController): void {
    this.#controller = controller;
    // It may have waited for a connection until nobody wanted it any more.
    if (this.#waiting.signal.aborted) controller.abort(this.#waiting.signal.reason);
  }

  onResponseStart(
    controller: Dispatcher.DispatchController,
    statusCode: number,
    headers: IncomingHttpHeaders,
  ): void {
    if (statusCode < 200) return;
    this.#statusCode = statusCode;
    this.#headers = headers;
    if (!headers['content-type']?.startsWith('application/json')) return this.#stream(controller);
    if (Number(headers['content-length']) > this.#waiting.limits.maxResponseBytes)
      this.#stop(this.#tooLarge());
  }

  onResponseData(controller: Dispatcher.DispatchController, chunk: Buffer): void {
    if (this.#body) {
      if (!this.#body.push(chunk)) controller.pause();
      return;
    }
    this.#size += chunk.length;
    if (this.#size > this.#waiting.limits.maxResponseBytes) return this.#stop(this.#tooLarge());
    this.#chunks.push(chunk);
  }

  onResponseEnd(): void {
    this.#forgetSignal();
    if (this.#body) return void this.#body.push(null);
    const [only] = this.#chunks;
    const bytes = only && this.#chunks.length === 1 ? only : Buffer.concat(this.#chunks);
    this.#waiting.resolve({
      statusCode: this.#statusCode,
      headers: this.#headers,
      text: bytes.toString('utf8'),
    });
  }

  onResponseError(_controller: Dispatcher.DispatchController, error: Error): void {
    this.#forgetSignal();
    if (this.#body) this.#body.destroy(error);
    else this.#waiting.reject(error);
  }

  /** Whoever reads the body sets the pace; whoever destroys it ends the exchange. */
  #stream(controller: Dispatcher.DispatchController): void {
    const body = new Readable({
      read: () => controller.resume(),
      destroy: (error, callback) => {
        if (!body.readableEnded) controller.abort(error ?? new Error('nobody reads the rest'));
        callback(error);
      },
    });
    // Whoever reads it hears of errors; before and after that there is nobody to tell.
    body.on('error', () => undefined);
    this.#body = body;
    this.#waiting.resolve({ statusCode: this.#statusCode, headers: this.#headers, body });
  }

  #stop(reason: Error): void {
    this.#forgetSignal();
    this.#waiting.reject(reason);
    this.#body?.destroy(reason);
    this.#controller?.abort(reason);
  }

  #forgetSignal(): void {
    this.#waiting.signal.removeEventListener('abort', this.#aborted);
  }

  #tooLarge(): UpstreamError {
    const { name, maxResponseBytes } = this.#waiting.limits;
    return new UpstreamError(
      'too_large',
      `The server "${name}" sent an answer larger than ${maxResponseBytes} bytes.`,
    );
  }
}
