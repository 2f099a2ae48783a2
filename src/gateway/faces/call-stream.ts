import { randomUUID } from 'node:crypto';
import type { Clock } from '../../platform/clock.ts';
import type { RawId } from '../rpc/message.ts';
import { eventText } from './reply.ts';

/** What a client that lost its stream may still come back for, in events and bytes. */
const mostKept = 1_000;
const mostKeptBytes = 1024 * 1024;
/** A request id longer than this does not become part of the stream's name. */
const longestNamed = 64;
/** When a polling client should come back, in milliseconds (SEP-1699). */
const retry = 500;

/** What a stream is written to. */
export interface Outlet {
  stream(headers?: Readonly<Record<string, string>>): void;
  write(text: string): void;
  end(): void;
}

export interface StreamOptions {
  /** The process that holds the stream. */
  readonly node: string;
  /** The request that it answers. */
  readonly rawId: RawId;
  /** May the client come back for it? */
  readonly resumable: boolean;
}

export interface StreamEvent {
  readonly seq: number;
  readonly text: string;
}

/** What another process, with the client of this stream, has to tell it. */
export interface Pulled {
  readonly events: readonly StreamEvent[];
  readonly isDone: boolean;
  /** The client shall leave, and come back later. */
  readonly isPaused: boolean;
}

/**
 * The answer to one request while it is being made. It stays undecided between JSON and an event stream until
 * something has to be said before the result. A resumable one (2025-11-25) outlives its HTTP connection: the
 * client comes back by GET with `Last-Event-ID`.
 */
export class CallStream {
  /** `node.uuid.request id`: whoever finds the stream gone can still say which request was lost. */
  readonly id: string;
  readonly node: string;
  readonly #resumable: boolean;
  #outlet: Outlet | undefined;
  #events: StreamEvent[] = [];
  #kept = 0;
  #seq = 0;
  #begun = false;
  #goneSince: number | undefined;
  #pulls = 0;
  readonly #waiting = new Set<(isPaused: boolean) => void>();
  isDone = false;

  constructor(outlet: Outlet, { node, rawId, resumable }: StreamOptions) {
    const named = rawId.length <= longestNamed ? Buffer.from(rawId).toString('base64url') : '';
    this.id = `${node}.${randomUUID()}.${named}`;
    this.node = node;
    this.#outlet = outlet;
    this.#resumable = resumable;
  }

  get goneSince(): number | undefined {
    return this.#goneSince;
  }

  /** Begins the event stream without saying anything, so that the client may lose and find it again. */
  begin(): void {
    if (this.#begun) return;
    this.#begun = true;
    this.#outlet?.stream();
    if (this.#resumable) this.#outlet?.write(`id: ${this.id}_0\nretry: ${retry}\ndata: \n\n`);
  }

  send(text: string): void {
    this.begin();
    const seq = ++this.#seq;
    if (this.#resumable) this.#keep(seq, text);
    this.#outlet?.write(eventText(text, this.#resumable ? `${this.id}_${seq}` : undefined));
    this.#tell(false);
  }

  /** The last message: the response. */
  finish(text: string): void {
    this.isDone = true;
    this.send(text);
    this.#outlet?.end();
  }

  keepAlive(): void {
    if (this.#begun) this.#outlet?.write(': keep-alive\n\n');
  }

  /** The server closed its own stream and wants to be polled: the client does the same. */
  pause(): void {
    if (!this.#resumable || !this.#begun) return;
    const outlet = this.#outlet;
    this.#outlet = undefined;
    outlet?.end();
    this.#tell(true);
  }

  /** The connection is gone. True: the client may come back for the rest. */
  leave(outlet: Outlet, now: number): boolean {
    const mayReturn = this.#resumable && this.#begun;
    // It is back on another connection already; the end of the old one is news of yesterday.
    if (this.#pulls > 0 || (this.#outlet !== undefined && this.#outlet !== outlet)) return mayReturn;
    this.#outlet = undefined;
    this.#goneSince = now;
    return mayReturn;
  }

  /** There will be no response: whoever asked has cancelled. */
  abandon(): void {
    this.isDone = true;
    this.#outlet?.end();
    this.#tell(false);
  }

  /** The client is back: what it missed, then what comes. */
  resume(outlet: Outlet, afterSeq: number): void {
    this.#goneSince = undefined;
    this.#outlet?.end();
    this.#outlet = outlet;
    // A connection that it lost at another process may not have noticed yet: it must not take the stream back.
    this.#tell(true);
    outlet.stream();
    for (const event of this.#after(afterSeq)) outlet.write(eventText(event.text, `${this.id}_${event.seq}`));
    if (this.isDone) outlet.end();
  }

  /** The client is back at another process, which asks for what it missed: waits until there is something to tell. */
  async pull(afterSeq: number, waitMs: number, clock: Clock): Promise<Pulled> {
    this.#goneSince = undefined;
    this.#outlet?.end();
    this.#outlet = undefined;
    this.#pulls++;
    const isPaused = this.isDone || this.#after(afterSeq).length > 0 ? false : await this.#news(waitMs);
    this.#pulls--;
    // The client is there as long as somebody asks for it.
    if (this.#pulls === 0 && this.#outlet === undefined) this.#goneSince = clock();
    return { events: this.#after(afterSeq), isDone: this.isDone, isPaused };
  }

  #after(seq: number): StreamEvent[] {
    return this.#events.filter((event) => event.seq > seq);
  }

  #news(waitMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const told = (isPaused: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(told);
        resolve(isPaused);
      };
      const timer = setTimeout(() => told(false), waitMs);
      this.#waiting.add(told);
    });
  }

  #tell(isPaused: boolean): void {
    for (const told of [...this.#waiting]) told(isPaused);
  }

  #keep(seq: number, text: string): void {
    this.#events.push({ seq, text });
    this.#kept += text.length;
    while (this.#events.length > 1 && (this.#events.length > mostKept || this.#kept > mostKeptBytes)) {
      this.#kept -= this.#events.shift()?.text.length ?? 0;
    }
  }
}

/** What a `Last-Event-ID` of ours says. */
export interface LastEvent {
  readonly stream: string;
  readonly node: string;
  /** The request that the stream answers; null when its id was too long to be named. */
  readonly rawId: RawId | null;
  readonly seq: number;
}

/** Reads a `Last-Event-ID`; undefined when it is none of ours. It comes from the client, who may have made it up. */
export function parseEventId(id: string): LastEvent | undefined {
  const [, stream, node, named, seq] =
    /^((\w{1,64})\.[\da-f-]{36}\.([\w-]{0,88}))_(\d{1,15})$/.exec(id) ?? [];
  if (stream === undefined || node === undefined || named === undefined) return undefined;
  return { stream, node, rawId: rawIdFrom(named), seq: Number(seq) };
}

/** An id is a JSON string or number; anything else would break the answer that it is put into. */
function rawIdFrom(named: string): RawId | null {
  const text = Buffer.from(named, 'base64url').toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'string' || typeof value === 'number' ? text : null;
  } catch {
    return null;
  }
}
