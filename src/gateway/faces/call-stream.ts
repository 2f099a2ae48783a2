import { randomUUID } from 'node:crypto';
import { eventText, type Reply } from './reply.ts';

/** What a client that lost its stream may still come back for, in events and bytes. */
const mostKept = 1_000;
const mostKeptBytes = 1024 * 1024;
/** When a polling client should come back, in milliseconds (SEP-1699). */
const retry = 500;

/**
 * The answer to one request while it is being made. It stays undecided between JSON and an event stream until
 * something has to be said before the result. A resumable one (2025-11-25) outlives its HTTP connection: the
 * client comes back by GET with `Last-Event-ID`.
 */
export class CallStream {
  readonly id = randomUUID();
  readonly #resumable: boolean;
  readonly #headers: Readonly<Record<string, string>>;
  #reply: Reply | undefined;
  #events: { readonly seq: number; readonly text: string }[] = [];
  #kept = 0;
  #seq = 0;
  #begun = false;
  #goneSince: number | undefined;
  isDone = false;

  constructor(reply: Reply, o: { resumable: boolean; headers: Readonly<Record<string, string>> }) {
    this.#reply = reply;
    this.#resumable = o.resumable;
    this.#headers = o.headers;
  }

  get goneSince(): number | undefined {
    return this.#goneSince;
  }

  /** Begins the event stream without saying anything, so that the client may lose and find it again. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#reply?.stream(this.#headers);
    if (this.#resumable) this.#reply?.write(`id: ${this.id}_0\nretry: ${retry}\ndata: \n\n`);
  }

  send(text: string): void {
    this.begin();
    const seq = ++this.#seq;
    if (this.#resumable) this.#keep(seq, text);
    this.#reply?.write(eventText(text, this.#resumable ? `${this.id}_${seq}` : undefined));
  }

  /** The last message: the response. */
  finish(text: string): void {
    this.send(text);
    this.isDone = true;
    this.#reply?.end();
  }

  keepAlive(): void {
    if (this.#begun) this.#reply?.write(': keep-alive\n\n');
  }

  /** The server closed its own stream and wants to be polled: the client does the same. */
  pause(): void {
    if (!this.#resumable || !this.#begun) return;
    const reply = this.#reply;
    this.#reply = undefined;
    reply?.end();
  }

  /** The connection is gone. True: the client may come back for the rest. */
  leave(reply: Reply, now: number): boolean {
    const mayReturn = this.#resumable && this.#begun;
    // It is back on another connection already; the end of the old one is news of yesterday.
    if (this.#reply !== undefined && this.#reply !== reply) return mayReturn;
    this.#reply = undefined;
    this.#goneSince = now;
    return mayReturn;
  }

  /** There will be no response: whoever asked has cancelled. */
  abandon(): void {
    this.isDone = true;
    this.#reply?.end();
  }

  /** The client is back: what it missed, then what comes. */
  resume(reply: Reply, afterSeq: number): void {
    this.#goneSince = undefined;
    this.#reply?.end();
    this.#reply = reply;
    reply.stream(this.#headers);
    for (const event of this.#events)
      if (event.seq > afterSeq) reply.write(eventText(event.text, `${this.id}_${event.seq}`));
    if (this.isDone) reply.end();
  }

  #keep(seq: number, text: string): void {
    this.#events.push({ seq, text });
    this.#kept += text.length;
    while (this.#events.length > 1 && (this.#events.length > mostKept || this.#kept > mostKeptBytes)) {
      this.#kept -= this.#events.shift()?.text.length ?? 0;
    }
  }
}

/** Stream id and event number of a `Last-Event-ID` of ours. */
export function parseEventId(id: string): { stream: string; seq: number } | undefined {
  const at = id.lastIndexOf('_');
  const seq = Number(id.slice(at + 1));
  return at > 0 && Number.isInteger(seq) && seq >= 0 ? { stream: id.slice(0, at), seq } : undefined;
}
