import { LRUCache } from 'lru-cache';
import { type Clock, isAhead } from '../../platform/clock.ts';
import type { Log } from '../../platform/log.ts';
import type { Connection } from '../upstreams/pool.ts';
import type { Hello } from '../upstreams/handshake.ts';
import type { Target } from '../upstreams/target.ts';
import type { Era } from '../rpc/protocol.ts';
import { arrival } from './arrival.ts';
import { type FetchedList, fetchLists, type ListItem } from './fetch-list.ts';
import { type ListKind, listKinds } from './kinds.ts';
import { type Known, unknown } from './known.ts';
import { Lending, takeOver } from './lending.ts';
import { changedKinds, digestOf, digestOfText } from './list-digest.ts';
import { defaultTtl, restingTtl, shortestTtl, ttlOf } from './list-ttl.ts';
import { Shared } from './shared.ts';

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
  readonly #lending = new Lending();
  readonly #sharedLists = new Shared<readonly ListItem[]>();
  readonly #sharedHellos = new Shared<Hello>();
  /** Since when a look at a target has been under way, by its key, in milliseconds since the epoch. */
  readonly #unanswered = new Map<string, number>();

  constructor(pool: ListSource, log: Log, clock: Clock) {
    this.#pool = pool;
    this.#log = log;
    this.#clock = clock;
    this.#known = new LRUCache({ max: 20_000 });
  }

  /**
   * What is known at this moment; starts a look when that is old or missing, and does not wait for it. `kind` is what it
   * is for: lists that nobody lends have to be looked at.
   */
  peek(target: Target, prefer: Era, capabilities: string, kind: ListKind = 'tools'): Known {
    const known = this.#of(target, prefer, capabilities);
    // Somebody may have looked anew.
    if (known.lent) this.#borrow(known);
    const isDue = !isAhead(known.freshUntil, this.#clock(), restingTtl);
    const isMissing = known.lent !== undefined && !known.lists.has(kind);
    if (isMissing && (isDue || known.failure === undefined)) void this.#begin(known, () => this.#look(known));
    else if (isDue) void this.#load(known);
    return known;
  }

  /**
   * Waits for the first look at these servers, all at once and no longer than `deadlineMs` after it began, less where
   * the others have answered: a server that never does delays those who come first, and not for long.
   */
  async settle(all: readonly Known[], deadlineMs: number, kind: ListKind = 'tools'): Promise<void> {
    const now = this.#clock();
    const unseen = all.filter(
      (one) => isAwaited(one, kind) && isAhead(one.askedAt + deadlineMs, now, deadlineMs),
    );
    if (unseen.length === 0) return;
    const latest = Math.max(...unseen.map(({ askedAt }) => askedAt + deadlineMs));
    await arrival(unseen, () => latest - this.#clock(), unseen.length < all.length);
  }

  /** Asks again now and waits; throws what went wrong. For "test" buttons and explicit look-ups. */
  async reload(target: Target, prefer: Era, capabilities: string): Promise<Known> {
    const known = this.#of(target, prefer, capabilities);
    await known.loading;
    this.#pool.hurry(target);
    await this.#begin(known, () => this.#look(known));
    if (known.failure) throw known.failure;
    return known;
  }

  /** Waits for a look of its own where what is known was lent: what others were shown is no proof. */
  async own(known: Known): Promise<void> {
    if (!known.lent) return;
    await known.loading;
    if (known.lent) await this.#begin(known, () => this.#look(known));
  }

  /** The server behind a connection is there: what it shows counts from here on, not what was lent. */
  opened(key: string): void {
    const known = this.#known.peek(key);
    if (known) void this.own(known);
  }

  /**
   * A server announced that lists changed; those who listen hear of it when the new ones are here. False when nothing
   * is known of the server through this connection, or what is known was lent.
   */
  changed(key: string, kinds: readonly ListKind[]): boolean {
    const known = this.#known.get(key);
    if (!known || (known.lent && !this.#pool.isConnected(key))) return false;
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
    const { kin } = target;
    const family = kin && this.#pool.keyFor({ ...target, key: kin.key }, prefer, capabilities);
    const made = unknown({ key, family, target, prefer, capabilities });
    this.#borrow(made);
    this.#known.set(key, made);
    return made;
  }

  #load(known: Known): Promise<void> {
    return this.#begin(known, () => this.#refresh(known));
  }

  #begin(known: Known, look: () => Promise<void>): Promise<void> {
    const { key } = known.target;
    if (!known.loading) {
      const now = this.#clock();
      // Whoever asks a silent server in another era, or with other capabilities, need not begin to wait anew.
      const first = this.#unanswered.get(key) ?? now;
      this.#unanswered.set(key, first);
      known.askedAt = known.hello === undefined ? first : now;
    }
    known.loading ??= look().finally(() => {
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

  /** Asks the server, unless it would be started for that and what is known will do. */
  async #refresh(known: Known): Promise<void> {
    if (this.#resting(known)) {
      known.freshUntil = this.#clock() + defaultTtl;
      return undefined;
    }
    if (known.family === undefined || this.#pool.isConnected(known.key)) return this.#look(known);
    while (known.hello === undefined) {
      const first = this.#lending.lookerFor(known);
      if (!first) break;
      await first.loading;
      if (this.#borrow(known)) return undefined;
      if (first.failure && !first.hello) return this.#failed(known, first.failure);
    }
    // Nothing is left of what a session had in a process that is gone.
    if (known.target.kin?.beginsEmpty) this.#borrow(known);
    const { lent } = known;
    const now = this.#clock();
    if (lent && now < lent.lookAfter) {
      known.freshUntil = lent.lookAfter;
      known.failure = known.failedSince = undefined;
      return undefined;
    }
    // One looks for all.
    if (lent) lent.lookAfter = now + defaultTtl;
    return this.#lending.alone(known, () => this.#look(known));
  }

  /** Shows what is lent, to those who have no connection of their own. */
  #borrow(known: Known): boolean {
    const lent = this.#lending.lentTo(known);
    if (!lent || this.#pool.isConnected(known.key)) return false;
    if (known.lent === lent) return true;
    const isFirst = known.hello === undefined;
    const changed = takeOver(known, lent);
    if (!isFirst) this.#tell(known, changed);
    return true;
  }

  async #look(known: Known): Promise<void> {
    const { target, prefer, capabilities } = known;
    try {
      const connection = await this.#pool.connect(target, prefer, capabilities);
      const { timeoutMs } = target.server.definition;
      const { fetched, problem } = await fetchLists(connection, Math.min(loadTimeout, timeoutMs));
      if (problem === undefined) known.failure = known.failedSince = undefined;
      // One list that cannot be had does not hide the others.
      this.#keep(known, connection.hello, fetched);
      if (problem === undefined) return this.#lending.offer(known, connection, this.#clock() + restingTtl);
      this.#failed(known, problem);
      // The next look asks it in the right way.
      if (await this.#pool.reconsider?.(target, connection, problem)) known.freshUntil = 0;
    } catch (error) {
      this.#failed(known, error);
    }
  }

  /** Lists of a server that is started for one alone, or of a process, change when it runs again, if at all. */
  #resting({ hello, target, failure, key, seenAt, family }: Known): boolean {
    const isStarted = target.server.definition.type === 'stdio' || family !== undefined;
    if (hello === undefined || !isStarted || failure) return false;
    return !this.#pool.isConnected(key) && this.#clock() < seenAt + restingTtl;
  }

  /** `fetched` are the lists in the order of `listKinds`; undefined: as it was. */
  #keep(known: Known, hello: Hello, fetched: readonly (FetchedList | undefined)[]): void {
    const before = new Map(known.lists);
    const server = known.target.server.id;
    for (const [index, kind] of listKinds.entries()) {
      const items = fetched[index]?.items ?? known.lists.get(kind) ?? [];
      // Another server shows the same items under other names.
      known.lists.set(kind, this.#sharedLists.of(`${server} ${digestOf(items)}`, items));
    }
    known.lent = undefined;
    known.hello = this.#sharedHellos.of(digestOfText(JSON.stringify(hello)), hello);
    known.seenAt = this.#clock();
    known.freshUntil = known.seenAt + ttlOf(hello, fetched);
    // On the first look every list is one that was not there before.
    const changed = changedKinds(before, known.lists);
    const told = listKinds.filter((kind) => known.announced.has(kind) || changed.includes(kind));
    known.announced.clear();
    this.#tell(known, told);
  }

  #tell(known: Known, changed: readonly ListKind[]): void {
    if (changed.length === 0) return;
    for (const listener of this.#listeners) listener(known.target, changed, known);
  }

  #failed(known: Known, error: unknown): void {
    this.#lending.withdraw(known, error);
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

function isAwaited({ lists, failure }: Known, kind: ListKind): boolean {
  return !lists.has(kind) && failure === undefined;
}
