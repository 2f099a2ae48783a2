import type { ServerResponse } from 'node:http';
import { tellRefused } from '../../platform/http/answered.ts';
import { type AnswerBody, sizeOf } from './answer-body.ts';

const jsonType = 'application/json';

/** What a client that reads too slowly may leave unread before it is let go, in bytes. */
const mostUnread = 8 * 1024 * 1024;

/** One HTTP answer: a JSON body or an event stream, decided when the first thing has to be said. */
export class Reply {
  readonly #res: ServerResponse;
  #streaming = false;

  constructor(res: ServerResponse) {
    this.#res = res;
  }

  get isOver(): boolean {
    return this.#res.writableEnded || this.#res.destroyed;
  }

  /** Calls back once when the client is gone before the answer was complete. */
  onGone(callback: () => void): void {
    this.#res.once('close', () => {
      if (!this.#res.writableFinished) callback();
    });
  }

  /** Calls back once when nothing more can be said, whoever ended it. */
  onOver(callback: () => void): void {
    if (this.#res.closed) callback();
    else this.#res.once('close', callback);
  }

  json(status: number, body: AnswerBody, headers: Readonly<Record<string, string>> = {}): void {
    if (this.isOver) return;
    const res = this.#res;
    res.writeHead(status, { 'content-type': jsonType, 'content-length': sizeOf(body), ...headers });
    if (typeof body === 'string') return void res.end(body);
    // All parts leave together with the head; end() uncorks.
    res.cork();
    for (const part of body) res.write(part);
    res.end();
  }

  empty(status: number, headers: Readonly<Record<string, string>> = {}): void {
    if (this.isOver) return;
    this.#res.writeHead(status, headers);
    this.#res.end();
  }

  /** No call is made of the request, so its record is that of a request that was refused at the door. */
  notAllowed(allow: string): void {
    tellRefused(this.#res, 'method_not_allowed');
    this.empty(405, { allow });
  }

  /** Begins the event stream. */
  stream(headers: Readonly<Record<string, string>> = {}): void {
    if (this.isOver || this.#streaming) return;
    this.#streaming = true;
    this.#res.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-cache, no-transform',
      // Proxies in front would hold events back (basic/transports/streamable-http.mdx).
      'x-accel-buffering': 'no',
      ...headers,
    });
    this.#res.flushHeaders();
  }

  /** Writes to the stream. `text` is whole lines of the event-stream format. */
  write(text: string): void {
    if (this.isOver) return;
    this.#res.write(text);
    if (this.#res.writableLength > mostUnread) this.#res.destroy();
  }

  /** Resolves when the client has read most of what was written, or is gone. */
  drained(): Promise<void> {
    const res = this.#res;
    if (this.isOver || !res.writableNeedDrain) return Promise.resolve();
    return new Promise((resolve) => {
      const done = () => {
        res.off('drain', done);
        res.off('close', done);
        resolve();
      };
      res.once('drain', done);
      res.once('close', done);
    });
  }

  end(): void {
    if (!this.isOver) this.#res.end();
  }
}

/** Said on a stream that ends only because its process stops: when to open it again, each client at another moment. */
export function comeBack(): string {
  return `retry: ${250 + Math.floor(Math.random() * 1_000)}\n: this process stops; open the stream again\n\n`;
}

/** One event; JSON-RPC messages hold no raw line breaks once they are on one line. */
export function eventText(data: string, id?: string): string {
  const oneLine = data.includes('\n') || data.includes('\r') ? data.replaceAll(/[\r\n]+/g, ' ') : data;
  return `${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${oneLine}\n\n`;
}
