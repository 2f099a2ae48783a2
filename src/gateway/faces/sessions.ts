import { randomUUID } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import type { Sealer } from '../../platform/sealer.ts';
import type { LogLevel } from '../rpc/log-level.ts';
import type { RawId } from '../rpc/message.ts';
import type { ClientAnswer } from '../upstreams/outgoing.ts';
import type { CallStream } from './call-stream.ts';

/** What a session id says; sealed, so that any process with the key can read it and nobody can make one. */
interface Sealed {
  /** Makes the id unique. */
  readonly n: string;
  /** Principal. */
  readonly p: string;
  /** Negotiated protocol version. */
  readonly v: string;
  /** Client capabilities, JSON text. */
  readonly c: string;
  /** Created at, milliseconds since the epoch. */
  readonly t: number;
  /** What the client calls itself; absent where it says nothing. */
  readonly i?: string | undefined;
}

/** A session of the legacy era (2025-11-25 basic/transports.mdx#session-management). */
export interface Session {
  readonly id: string;
  /** Short name of it for records, isolation and logs. */
  readonly name: string;
  readonly principal: string;
  readonly protocolVersion: string;
  readonly capabilities: string;
  /** What the client calls itself. */
  readonly clientName: string | undefined;
  /** Milliseconds since the epoch. */
  readonly createdAt: number;
  /** Calls under way, by the client's request id, for `notifications/cancelled`. */
  readonly calls: Map<RawId, AbortController>;
  /** Requests of servers that the client has not answered yet. */
  readonly asked: Map<RawId, (answer: ClientAnswer) => void>;
  /** Streams that the client may come back to. */
  readonly streams: Map<string, CallStream>;
  /** Resources that it subscribed to. */
  readonly uris: Set<string>;
  /** What it asked for with `logging/setLevel`. */
  logLevel: LogLevel | undefined;
  /** Which process holds what a server keeps for this session alone, by server. */
  readonly holders: Map<string, string>;
  /** Ends the standalone stream. */
  endStream: (() => void) | undefined;
}

/** So long after its beginning a session can be taken up by a process that does not have it, in milliseconds. */
const longestLife = 7 * 24 * 3_600_000;
const mostLive = 50_000;
const mostEnded = 200_000;
const longestId = 4_000;

/** Sessions need no table: what must be remembered is in the id; what is open at the moment is here. */
export class Sessions {
  readonly #sealer: Sealer;
  readonly #clock: Clock;
  readonly #names = new Map<string, Session>();
  readonly #live = new LRUCache<string, Session>({
    max: mostLive,
    dispose: ({ name }) => void this.#names.delete(name),
  });
  readonly #ended = new LRUCache<string, true>({ max: mostEnded, ttl: longestLife });

  /** Called with each session that began in another process, or before this one started. */
  onRestored: ((session: Session) => void) | undefined;

  constructor(sealer: Sealer, clock: Clock) {
    this.#sealer = sealer;
    this.#clock = clock;
  }

  get size(): number {
    return this.#live.size;
  }

  create(o: {
    principal: string;
    protocolVersion: string;
    capabilities: string;
    clientName?: string | undefined;
  }): Session {
    const sealed: Sealed = {
      n: randomUUID(),
      p: o.principal,
      v: o.protocolVersion,
      c: o.capabilities,
      t: this.#clock(),
      i: o.clientName,
    };
    const session = sessionFrom(this.#sealer.seal(JSON.stringify(sealed)), sealed);
    this.#keep(session);
    return session;
  }

  /** The session of this caller under this id; undefined when it is over, is somebody else's or was never one. */
  find(id: string, principal: string): Session | undefined {
    const session = this.#live.get(id) ?? this.#restore(id);
    return session?.principal === principal ? session : undefined;
  }

  /** The same, but only of a session that was used in this process already. */
  known(id: string, principal: string): Session | undefined {
    const session = this.#live.get(id);
    return session?.principal === principal ? session : undefined;
  }

  /** One that was used in this process already, by its name. */
  named(name: string): Session | undefined {
    return this.#names.get(name);
  }

  /** Ends what is open of it, and remembers that it is over. */
  end(name: string): void {
    this.#ended.set(name, true);
    const session = this.#names.get(name);
    if (!session) return;
    this.#live.delete(session.id);
    session.endStream?.();
    for (const call of session.calls.values()) call.abort(new Error('the client ended the session'));
  }

  #keep(session: Session): void {
    this.#live.set(session.id, session);
    this.#names.set(session.name, session);
  }

  #restore(id: string): Session | undefined {
    if (id.length > longestId) return undefined;
    // Not sealed by this key: the client begins again, as with any session that is over.
    const text = this.#sealer.open(id);
    if (text === undefined) return undefined;
    const parsed: unknown = JSON.parse(text);
    const sealed = parsed as Sealed; // authenticated: nobody but create() wrote it
    if (this.#ended.has(sealed.n) || this.#clock() - sealed.t > longestLife) return undefined;
    const session = sessionFrom(id, sealed);
    this.#keep(session);
    this.onRestored?.(session);
    return session;
  }
}

function sessionFrom(id: string, { n, p, v, c, t, i }: Sealed): Session {
  return {
    id,
    name: n,
    principal: p,
    protocolVersion: v,
    capabilities: c,
    clientName: i,
    createdAt: t,
    calls: new Map(),
    asked: new Map(),
    streams: new Map(),
    uris: new Set(),
    logLevel: undefined,
    holders: new Map(),
    endStream: undefined,
  };
}
