import type { Principal } from '../access/contract.ts';
import { rightsOf, type Snapshot } from '../access/index.ts';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { type ListKind, listKinds, lists } from './lists/kinds.ts';
import type { RpcNotification } from './rpc/message.ts';
import type { Target } from './upstreams/target.ts';

/** An open stream of somebody whose credential may cease to count. */
export interface Watched {
  readonly principal: Principal;
  /** Throws or rejects when the caller's credential no longer counts. */
  check(): Promise<void>;
  end(): void;
  /** The process is about to stop: the client shall open its stream at another one. Absent: `end`. */
  readonly leave?: (() => void) | undefined;
}

/** A client that keeps a stream open to hear of changes. */
export interface Subscriber extends Watched {
  /** Session of the legacy era. */
  readonly session: string | null;
  /** Which lists it wants to hear about. */
  readonly kinds: ReadonlySet<ListKind>;
  /** Key of the target that it would reach this server through at this moment; undefined: it may not. */
  keyOf(server: string): string | undefined;
  notify(method: string, rawParams: string | undefined): void;
  /** Does it take log messages of this level that belong to no request? */
  hears(level: unknown): boolean;
}

/** As much of a target as says whom its news are for. */
interface Seen {
  readonly key: string;
  readonly server: { readonly id: string };
}

/** Everyone who listens. Changes reach those who may see them; those who lost their rights are sent away. */
export class Hub {
  readonly #subscribers = new Map<Subscriber, string>();
  readonly #watched = new Set<Watched>();
  readonly #checking = new Set<Watched>();
  readonly #snapshot: () => Snapshot;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #accountsOf: (principal: Principal) => string;
  readonly #timer: NodeJS.Timeout;
  #isLeaving = false;

  /** `accountsOf` names the accounts that somebody has connected: with them tools come and go, whatever the rights. */
  constructor(
    snapshot: () => Snapshot,
    clock: Clock,
    log: Log,
    accountsOf: (principal: Principal) => string = () => '',
  ) {
    this.#snapshot = snapshot;
    this.#clock = clock;
    this.#log = log;
    this.#accountsOf = accountsOf;
    // Revocation must reach open streams within 5 s (design 3, Identity).
    this.#timer = setInterval(() => this.recheck(), 2_000);
    this.#timer.unref();
  }

  get size(): number {
    return this.#subscribers.size;
  }

  add(subscriber: Subscriber): () => void {
    this.#subscribers.set(subscriber, this.#signature(subscriber));
    // Once its opening is through.
    if (this.#isLeaving) setImmediate(() => this.#sayGoodbye(subscriber));
    return () => this.#subscribers.delete(subscriber);
  }

  /** A stream that answers a request: a shut-down lets it come to its end. Returns how to leave. */
  watch(stream: Watched): () => void {
    this.#watched.add(stream);
    return () => this.#watched.delete(stream);
  }

  listsChanged(target: Seen, kinds: readonly ListKind[]): void {
    for (const subscriber of this.#subscribers.keys()) {
      if (!this.#sees(subscriber, target)) continue;
      this.#tell(subscriber, kinds);
    }
  }

  /**
   * A server logged something that belongs to no request. On a connection that several people share, nobody can say
   * whose call it was about, so it goes to nobody; one session's or one person's own server may speak to them.
   */
  logged(target: Target, { params, rawParams }: RpcNotification): void {
    if (!/^(session|user):/.test(target.scope)) return;
    for (const subscriber of this.#subscribers.keys()) {
      if (subscriber.hears(params?.['level']) && this.#sees(subscriber, target))
        subscriber.notify('notifications/message', rawParams);
    }
  }

  /** After a change of rights: whoever sees other things than before is told, whoever is out is out. */
  recheck(): void {
    this.recheckLists();
    for (const subscriber of this.#subscribers.keys())
      void this.#verify(subscriber, () => this.#subscribers.delete(subscriber));
    for (const stream of this.#watched) void this.#verify(stream, () => this.#watched.delete(stream));
  }

  /** Whoever sees other things than before is told; after a change that takes nobody's credential away. */
  recheckLists(): void {
    for (const [subscriber, before] of [...this.#subscribers]) {
      const now = this.#signature(subscriber);
      if (now === before) continue;
      this.#subscribers.set(subscriber, now);
      this.#tell(subscriber, listKinds);
    }
  }

  /** Sends everybody who only listens to another process. Streams that answer a request come to their end by themselves. */
  leave(): void {
    this.#isLeaving = true;
    for (const subscriber of this.#subscribers.keys()) this.#sayGoodbye(subscriber);
  }

  #sayGoodbye(subscriber: Subscriber): void {
    if (!this.#subscribers.delete(subscriber)) return;
    if (subscriber.leave) subscriber.leave();
    else subscriber.end();
  }

  close(): void {
    clearInterval(this.#timer);
    for (const subscriber of this.#subscribers.keys()) subscriber.end();
    this.#subscribers.clear();
    this.#watched.clear();
  }

  async #verify(stream: Watched, forget: () => void): Promise<void> {
    // One at a time: a check may wait for somebody else's keys.
    if (this.#checking.has(stream)) return;
    this.#checking.add(stream);
    try {
      await stream.check();
    } catch (error) {
      const { id } = stream.principal;
      this.#log.info({ principal: id, err: error }, 'stream ended: its credential no longer counts');
      forget();
      stream.end();
    } finally {
      this.#checking.delete(stream);
    }
  }

  #tell(subscriber: Subscriber, kinds: readonly ListKind[]): void {
    const methods = new Set(
      kinds.filter((kind) => subscriber.kinds.has(kind)).map((kind) => lists[kind].changed),
    );
    for (const method of methods) subscriber.notify(method, undefined);
  }

  /** What one target says is not for those who reach the same server in another way. */
  #sees(subscriber: Subscriber, target: Seen): boolean {
    return subscriber.keyOf(target.server.id) === target.key;
  }

  #signature(subscriber: Subscriber): string {
    const snapshot = this.#snapshot();
    const rights = rightsOf(snapshot, subscriber.principal, this.#clock());
    return `${rights.signature} ${rights.servers.join(' ')} ${this.#accountsOf(subscriber.principal)}`;
  }
}
