import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Connection } from '../upstreams/pool.ts';
import type { Hello } from '../upstreams/handshake.ts';
import type { Target } from '../upstreams/target.ts';
import type { Era } from '../rpc/protocol.ts';
import { arrival } from './arrival.ts';
import { type FetchedList, fetchList, type ListItem } from './fetch-list.ts';
import { type ListKind, listKinds } from './kinds.ts';

/** What is known of one server through one connection: last known lists outlive the connection. */
export interface Known {
  /** Of the connection: target, era and, for the legacy era, the client's capabilities. */
  readonly key: string;
  readonly target: Target;
  readonly prefer: Era;
  readonly capabilities: string;
  hello: Hello | undefined;
  readonly lists: Map<ListKind, readonly ListItem[]>;
  /** Grows with each list that turned out different. */
  version: number;
  /** When to ask again, in milliseconds since the epoch; 0: at once. */
  freshUntil: number;
  /** Why the last attempt failed; undefined while all is well. */
  failure: Error | undefined;
  failedSince: number | undefined;
  loading: Promise<void> | undefined;
  /** When the last look began, or an earlier one at the same server that is still under way, in milliseconds since the epoch. */
  askedAt: number;
  /** When the server last answered, in milliseconds since the epoch. */
  seenAt: number;
  /** The server said that something changed, and has not been asked since. */
  outdated: boolean;
  /** Runs for a moment after each look that an announcement caused. */
  pause: NodeJS.Timeout | undefined;
  /** Lists that the server said have changed, whether they look different or not. */
  readonly announced: Set<ListKind>;
}

/** How often a list is asked for anew where nobody announces changes, in milliseconds. */
const defaultTtl = 60_000;
/** Servers that announce changes are trusted, but not for ever. */
const announcedTtl = 600_000;
const shortestTtl = 1_000;
/** A server that is not running is not started just to see whether its list is the same. */
const restingTtl = 3_600_000;
const retryAfterFailure = 5_000;
const loadTimeout = 30_000;

/** Where connections come from. */
export interface ListSource {
  connect(target: Target, prefer: Era, capabilities: string): Promise<Connection>;
  keyFor(target: Target, prefer: Era, capabilities: string): string;
  isConnected(key: string): boolean;
  /** Has the server begun to speak another era, as what went wrong may tell? */
  reconsider?(target: Target, connection: Connection, outcome: unknown): Promise<boolean>;
  /** Ends the pause after a failure, if there is one. */
  hurry(target: Target): void;
}

type ListListener = (target: Target, kinds: readonly ListKind[], known: Known) => void;

/** Lists of every server, fetched in the background, served from memory. */
export class ListStore {
  readonly #pool: ListSource;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #known: LRUCache<string, Known>;
  readonly #listeners = new Set<ListListener>();
  /** Since when a look at a target has been under way, by its key, in milliseconds since the epoch. */
  readonly #unanswered = new Map<string, number>();

  constructor(pool: ListSource, log: Log, clock: Clock) {
    this.#pool = pool;
    this.#log = log;
    this.#clock = clock;
    this.#known = new LRUCache({ max: 20_000 });
  }

  /** What is known at this moment; starts a look when that is old or missing, and does not wait for it. */
  peek(target: Target, prefer: Era, capabilities: string): Known {
    const known = this.#of(target, prefer, capabilities);
    if (this.#clock() >= known.freshUntil) void this.#load(known);
    return known;
  }

  /**
   * Waits for the first look at these servers, all at once and no longer than `deadlineMs` after it began, less where
   * the others have answered: a server that never does delays those who come first, and not for long.
   */
  async settle(all: readonly Known[], deadlineMs: number): Promise<void> {
    const now = this.#clock();
    const unseen = all.filter(
      ({ hello, failure, askedAt }) =>
        hello === undefined && failure === undefined && askedAt + deadlineMs > now,
    );
    if (unseen.length === 0) return;
    const latest = Math.max(...unseen.map(({ askedAt }) => askedAt + deadlineMs));
    await arrival(unseen, () => latest - this.#clock(), unseen.length < all.length);
  }

  /** Asks again now and waits; throws what went wrong. For "test" buttons and explicit look-ups. */
  async reload(target: Target, prefer: Era, capabilities: string): Promise<Known> {
    const known = this.#of(target, prefer, capabilities);
    await known.loading;
    // A server that was put to rest is started for this.
    known.seenAt = Number.NEGATIVE_INFINITY;
    this.#pool.hurry(target);
    await this.#load(known);
    if (known.failure) throw known.failure;
    return known;
  }

  /**
   * A server announced that lists changed; those who listen hear of it when the new ones are here. False when nothing
   * is known of the server through this connection.
   */
  changed(key: string, kinds: readonly ListKind[]): boolean {
    const known = this.#known.get(key);
    if (!known) return false;
    known.freshUntil = 0;
    for (const kind of kinds) known.announced.add(kind);
    known.outdated = true;
    this.#follow(known);
    return true;
  }

  /** Something may have changed unheard: asks again, and tells only of what turns out different. */
  outdated(key: string): void {
    const known = this.#known.get(key);
    if (!known) return;
    known.freshUntil = 0;
    known.outdated = true;
    this.#follow(known);
  }

  /** Told when a list turned out different from what was last served. */
  onChange(listener: ListListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  all(): Known[] {
    return [...this.#known.values()];
  }

  close(): void {
    for (const known of this.#known.values()) clearTimeout(known.pause);
    this.#known.clear();
  }

  #of(target: Target, prefer: Era, capabilities: string): Known {
    const key = this.#pool.keyFor(target, prefer, capabilities);
    const found = this.#known.get(key);
    if (found) return found;
    const made: Known = {
      key,
      target,
      prefer,
      capabilities,
      hello: undefined,
      lists: new Map(),
      version: 0,
      freshUntil: 0,
      failure: undefined,
      failedSince: undefined,
      loading: undefined,
      askedAt: 0,
      seenAt: Number.NEGATIVE_INFINITY,
      outdated: false,
      pause: undefined,
      announced: new Set(),
    };
    this.#known.set(key, made);
    return made;
  }

  #load(known: Known): Promise<void> {
    const { key } = known.target;
    if (!known.loading) {
      const now = this.#clock();
      // Whoever asks a silent server in another era, or with other capabilities, need not begin to wait anew.
      const first = this.#unanswered.get(key) ?? now;
      this.#unanswered.set(key, first);
      known.askedAt = known.hello === undefined ? first : now;
    }
    known.loading ??= this.#loadNow(known).finally(() => {
      known.loading = undefined;
      this.#unanswered.delete(key);
      this.#follow(known);
    });
    return known.loading;
  }

  /** Looks again after an announcement. A server that announces without end is not asked without end. */
  #follow(known: Known): void {
    if (!known.outdated || known.loading || known.pause || this.#known.peek(known.key) !== known) return;
    known.outdated = false;
    known.pause = setTimeout(() => {
      known.pause = undefined;
      this.#follow(known);
    }, shortestTtl).unref();
    void this.#load(known);
  }

  async #loadNow(known: Known): Promise<void> {
    const { target, prefer, capabilities } = known;
    if (this.#resting(known)) {
      known.freshUntil = this.#clock() + defaultTtl;
      return;
    }
    try {
      const connection = await this.#pool.connect(target, prefer, capabilities);
      const timeoutMs = Math.min(loadTimeout, target.server.definition.timeoutMs);
      const fetched = await Promise.allSettled(
        listKinds.map((kind) => fetchList(connection, kind, new AbortController(), timeoutMs)),
      );
      const broken = fetched.find((one) => one.status === 'rejected');
      if (!broken) known.failure = known.failedSince = undefined;
      // One list that cannot be had does not hide the others.
      this.#keep(
        known,
        connection.hello,
        fetched.map((one) => (one.status === 'fulfilled' ? one.value : undefined)),
      );
      if (!broken) return;
      this.#failed(known, broken.reason);
      // The next look asks it in the right way.
      if (await this.#pool.reconsider?.(target, connection, broken.reason)) known.freshUntil = 0;
    } catch (error) {
      this.#failed(known, error);
    }
  }

  /** Lists of a stdio server that was put to rest change when it runs again, if at all. */
  #resting(known: Known): boolean {
    if (known.hello === undefined || known.target.server.definition.type !== 'stdio' || known.failure)
      return false;
    const key = this.#pool.keyFor(known.target, known.prefer, known.capabilities);
    return !this.#pool.isConnected(key) && this.#clock() < known.seenAt + restingTtl;
  }

  /** `fetched` are the lists in the order of `listKinds`; undefined: as it was. */
  #keep(known: Known, hello: Hello, fetched: readonly (FetchedList | undefined)[]): void {
    const lists = listKinds.map((kind, index) => fetched[index]?.items ?? known.lists.get(kind) ?? []);
    const changed = listKinds.filter(
      (kind, index) => known.announced.has(kind) || !sameItems(known.lists.get(kind), lists[index]),
    );
    known.announced.clear();
    for (const [index, kind] of listKinds.entries()) known.lists.set(kind, lists[index] ?? []);
    const announces = JSON.stringify(hello.capabilities).includes('"listChanged":true');
    const told = fetched.flatMap((list) => (list?.ttlMs === undefined ? [] : [list.ttlMs]));
    const ttl = Math.max(shortestTtl, Math.min(announces ? announcedTtl : defaultTtl, ...told));
    known.seenAt = this.#clock();
    known.freshUntil = known.seenAt + ttl;
    known.hello = hello;
    // On the first look every list is one that was not there before.
    if (changed.length === 0) return;
    known.version++;
    for (const listener of this.#listeners) listener(known.target, changed, known);
  }

  #failed(known: Known, error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (known.failure === undefined) {
      known.failedSince = this.#clock();
      this.#log.warn(
        { server: known.target.server.id, err: failure },
        'lists could not be fetched; serving the last known ones',
      );
    }
    known.failure = failure;
    known.freshUntil = this.#clock() + retryAfterFailure;
  }
}

function sameItems(a: readonly ListItem[] | undefined, b: readonly ListItem[] | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((item, index) => item.raw === b[index]?.raw);
}
