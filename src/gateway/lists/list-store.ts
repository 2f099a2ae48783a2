import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { UpstreamPool } from '../upstreams/pool.ts';
import type { Hello } from '../upstreams/handshake.ts';
import type { Target } from '../upstreams/target.ts';
import type { Era } from '../rpc/protocol.ts';
import { fetchList, type ListItem } from './fetch-list.ts';
import { type ListKind, listKinds } from './kinds.ts';

/** What is known of one server through one connection: last known lists outlive the connection. */
export interface Known {
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
  /** A server said that something changed while it was being asked. */
  outdated: boolean;
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

/** Lists of every server, fetched in the background, served from memory. */
export class ListStore {
  readonly #pool: UpstreamPool;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #known: LRUCache<string, Known>;
  readonly #listeners = new Set<(target: Target, kinds: readonly ListKind[]) => void>();
  /** Grows whenever any list or failure changes: what was derived from the lists is out of date. */
  version = 0;

  constructor(pool: UpstreamPool, log: Log, clock: Clock) {
    this.#pool = pool;
    this.#log = log;
    this.#clock = clock;
    this.#known = new LRUCache({ max: 20_000 });
  }

  /** What is known at this moment; starts a look when that is old or missing, and does not wait for it. */
  peek(target: Target, prefer: Era, capabilities: string): Known {
    const known = this.#of(target, prefer, capabilities);
    if (this.#clock() >= known.freshUntil) this.#load(known);
    return known;
  }

  /** Waits for the first look at these servers, all at once and no longer than `deadlineMs`. */
  async settle(all: readonly Known[], deadlineMs: number): Promise<void> {
    const unseen = all.filter((known) => known.hello === undefined && known.failure === undefined && known.loading);
    if (unseen.length === 0) return;
    let timer: NodeJS.Timeout | undefined;
    const deadline = new Promise<void>((resolve) => {
      timer = setTimeout(resolve, deadlineMs);
    });
    await Promise.race([Promise.all(unseen.map((known) => known.loading)), deadline]);
    clearTimeout(timer);
  }

  /** Asks again now and waits; throws what went wrong. For "test" buttons and explicit look-ups. */
  async reload(target: Target, prefer: Era, capabilities: string): Promise<Known> {
    const known = this.#of(target, prefer, capabilities);
    await known.loading;
    await this.#load(known);
    if (known.failure) throw known.failure;
    return known;
  }

  /** A server announced that lists changed; those who listen hear of it when the new ones are here. */
  changed(key: string, kinds: readonly ListKind[]): void {
    const known = this.#known.get(key);
    if (!known) return;
    known.freshUntil = 0;
    for (const kind of kinds) known.announced.add(kind);
    if (known.loading) known.outdated = true;
    else this.#load(known);
  }

  /** Told when a list turned out different from what was last served. */
  onChange(listener: (target: Target, kinds: readonly ListKind[]) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  all(): Known[] {
    return [...this.#known.values()];
  }

  #of(target: Target, prefer: Era, capabilities: string): Known {
    const key = this.#pool.keyFor(target, prefer, capabilities);
    const found = this.#known.get(key);
    if (found) return found;
    const made: Known = {
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
      outdated: false,
      announced: new Set(),
    };
    this.#known.set(key, made);
    return made;
  }

  #load(known: Known): Promise<void> {
    known.loading ??= this.#loadNow(known).finally(() => {
      known.loading = undefined;
      if (!known.outdated) return;
      known.outdated = false;
      this.#load(known);
    });
    return known.loading;
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
      const fetched = await Promise.all(listKinds.map((kind) => fetchList(connection, kind, new AbortController(), timeoutMs)));
      this.#keep(known, connection.hello, fetched);
    } catch (error) {
      this.#failed(known, error);
    }
  }

  /** Lists of a stdio server that was put to rest change when it runs again, if at all. */
  #resting(known: Known): boolean {
    if (known.hello === undefined || known.target.server.definition.type !== 'stdio' || known.failure) return false;
    const key = this.#pool.keyFor(known.target, known.prefer, known.capabilities);
    return !this.#pool.isConnected(key) && this.#clock() < known.freshUntil + restingTtl;
  }

  #keep(known: Known, hello: Hello, fetched: readonly { items: readonly ListItem[]; ttlMs: number | undefined }[]): void {
    const changed = listKinds.filter((kind, index) => known.announced.has(kind) || !sameItems(known.lists.get(kind), fetched[index]?.items));
    known.announced.clear();
    listKinds.forEach((kind, index) => known.lists.set(kind, fetched[index]?.items ?? []));
    const announced = JSON.stringify(hello.capabilities).includes('"listChanged":true') ? announcedTtl : defaultTtl;
    const told = fetched.flatMap((list) => (list.ttlMs === undefined ? [] : [list.ttlMs]));
    known.freshUntil = this.#clock() + Math.max(shortestTtl, Math.min(announced, ...told));
    const first = known.hello === undefined;
    const recovered = known.failure !== undefined;
    known.hello = hello;
    known.failure = undefined;
    known.failedSince = undefined;
    if (changed.length === 0 && !first && !recovered) return;
    known.version++;
    this.version++;
    for (const listener of this.#listeners) listener(known.target, changed);
  }

  #failed(known: Known, error: unknown): void {
    const failure = error instanceof Error ? error : new Error(String(error));
    if (known.failure === undefined) {
      this.version++;
      known.failedSince = this.#clock();
      this.#log.warn({ server: known.target.server.id, err: failure }, 'lists could not be fetched; serving the last known ones');
    }
    known.failure = failure;
    known.freshUntil = this.#clock() + retryAfterFailure;
  }
}

function sameItems(a: readonly ListItem[] | undefined, b: readonly ListItem[] | undefined): boolean {
  if (a === undefined || b === undefined || a.length !== b.length) return false;
  return a.every((item, index) => item.raw === b[index]?.raw);
}
