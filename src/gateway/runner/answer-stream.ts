import type { ServerResponse } from 'node:http';
import { sendJson } from '../../platform/http/server.ts';
import { eventNames, type Failure } from './wire.ts';

/** Holds back whoever writes, as long as somebody reads too slowly. */
export interface Brake {
  hold(): void;
  goOn(): void;
}

const statusOf: Readonly<Record<Failure['kind'], number>> = {
  ...{ unreachable: 502, closed: 502, protocol: 502, too_large: 502 },
  ...{ busy: 429, not_allowed: 403 },
};

/** Says why there is no answer. */
export function sendFailure(res: ServerResponse, failure: Failure): void {
  if (res.headersSent || res.destroyed) return void res.destroy();
  sendJson(res, statusOf[failure.kind], { failure });
}

/** Server-sent events to one reader, no faster than it reads. */
export class EventWriter {
  readonly #res: ServerResponse;
  readonly #brake: Brake;
  #isFull = false;

  constructor(res: ServerResponse, brake: Brake) {
    this.#res = res;
    this.#brake = brake;
    const released = () => {
      if (this.#isFull) brake.goOn();
      this.#isFull = false;
    };
    res.on('drain', released).on('close', released);
  }

  /** `data` is JSON text, which has no line breaks but those that are white space. */
  send(data: string, event?: string): void {
    this.#begin();
    const name = event === undefined ? '' : `event: ${event}\n`;
    this.#write(`${name}data: ${data.replace(/[\r\n]+/g, ' ')}\n\n`);
  }

  comment(text: string): void {
    this.#begin();
    this.#write(`: ${text}\n\n`);
  }

  end(): void {
    this.#res.end();
  }

  #begin(): void {
    if (this.#res.headersSent) return;
    this.#res.writeHead(200, { 'content-type': 'text/event-stream', 'cache-control': 'no-store' });
  }

  #write(text: string): void {
    if (this.#res.destroyed || this.#res.write(text) || this.#isFull) return;
    this.#isFull = true;
    this.#brake.hold();
  }
}

/** The answer to one request: JSON, unless something has to be said before it. */
export class AnswerStream {
  readonly #res: ServerResponse;
  readonly #brake: Brake;
  #events: EventWriter | undefined;

  constructor(res: ServerResponse, brake: Brake) {
    this.#res = res;
    this.#brake = brake;
  }

  before(message: string): void {
    this.#events ??= new EventWriter(this.#res, this.#brake);
    this.#events.send(message);
  }

  finish(response: string): void {
    if (this.#events) {
      this.#events.send(response);
      return this.#events.end();
    }
    const length = Buffer.byteLength(response);
    this.#res.writeHead(200, { 'content-type': 'application/json', 'content-length': length }).end(response);
  }

  fail(failure: Failure): void {
    if (!this.#events) return sendFailure(this.#res, failure);
    this.#events.send(JSON.stringify(failure), eventNames.failure);
    this.#events.end();
  }
}
