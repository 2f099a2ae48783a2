import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import type { Changes } from './changes.ts';
import { coalesce } from './coalesce.ts';

/** A view of the database in memory that follows its changes and outlives its absence. */
export interface Live<T> {
  /** The last value that could be loaded; never waits. */
  current(): T;
  /** Since when loading fails; null while the last load worked. */
  staleSince(): Date | null;
  /** Resolves when a load that started after this call has finished; rejects if that one failed. */
  refresh(): Promise<void>;
  /** Calls back with each new value. */
  onChange(listener: (value: T) => void): () => void;
  close(): void;
}

interface LiveOptions<T> {
  /** The topic of `mcp_proxy.live_versions` that changes when the value may have. */
  topic: string;
  changes: Changes;
  load: () => Promise<T>;
  log: Log;
  clock: Clock;
  /** Least time between the starts of two loads that changes ask for (200). */
  minIntervalMs?: number;
  /** Loads anew after this long without a change (600_000), for what only time changes. */
  maxAgeMs?: number;
}

const firstRetryMs = 200;
const longestRetryMs = 10_000;

/** Loads the value once and rejects when that fails; afterwards a failing load keeps the last value. */
export async function createLive<T>(o: LiveOptions<T>): Promise<Live<T>> {
  let changed = false;
  // Heard before the first load begins, so that a change in the middle of it is not missed.
  const stopWaiting = o.changes.subscribe(o.topic, () => {
    changed = true;
  });
  try {
    const view = new View(o, await o.load());
    // A failure is not one of `createLive`: there is a value, and the view goes on trying.
    if (changed) await view.refresh().catch(() => undefined);
    return view;
  } finally {
    stopWaiting();
  }
}

class View<T> implements Live<T> {
  readonly refresh: () => Promise<void>;
  readonly #o: LiveOptions<T>;
  readonly #listeners = new Set<(value: T) => void>();
  readonly #unsubscribe: () => void;
  #value: T;
  #staleSince: Date | null = null;
  #failures = 0;
  #startedAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #dueAt = Number.POSITIVE_INFINITY;
  #closed = false;

  constructor(o: LiveOptions<T>, value: T) {
    this.#o = o;
    this.#value = value;
    this.refresh = coalesce(() => this.#load());
    this.#unsubscribe = o.changes.subscribe(o.topic, () =>
      this.#loadIn(this.#startedAt + (o.minIntervalMs ?? 200) - performance.now()),
    );
    this.#loadWhenOld();
  }

  current(): T {
    return this.#value;
  }

  staleSince(): Date | null {
    return this.#staleSince;
  }

  onChange(listener: (value: T) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#unsubscribe();
    this.#listeners.clear();
  }

  async #load(): Promise<void> {
    if (this.#closed) return;
    // What was planned is what begins here. A change that comes later plans the next load.
    clearTimeout(this.#timer);
    this.#dueAt = Number.POSITIVE_INFINITY;
    this.#startedAt = performance.now();
    try {
      this.#accept(await this.#o.load());
    } catch (error) {
      this.#fail(error);
      throw error;
    }
  }

  #accept(value: T): void {
    const { log, topic } = this.#o;
    this.#value = value;
    this.#failures = 0;
    if (this.#staleSince) log.info({ topic }, 'loaded changes again');
    this.#staleSince = null;
    this.#loadWhenOld();
    for (const listener of this.#listeners) this.#tell(listener, value);
  }

  #fail(error: unknown): void {
    const { log, clock, topic } = this.#o;
    if (!this.#staleSince)
      log.warn({ topic, error: messageOf(error) }, 'cannot load changes; the last values stay');
    this.#staleSince ??= new Date(clock());
    this.#loadIn(Math.min(firstRetryMs * 2 ** this.#failures, longestRetryMs));
    this.#failures += 1;
  }

  #tell(listener: (value: T) => void, value: T): void {
    try {
      listener(value);
    } catch (error) {
      this.#o.log.error({ topic: this.#o.topic, error: messageOf(error) }, 'a listener for changes failed');
    }
  }

  #loadWhenOld(): void {
    this.#loadIn(this.#o.maxAgeMs ?? 600_000);
  }

  /** Plans a load, unless an earlier one is planned already. */
  #loadIn(delayMs: number): void {
    const delay = Math.max(0, delayMs);
    const at = performance.now() + delay;
    if (this.#closed || at >= this.#dueAt) return;
    this.#dueAt = at;
    clearTimeout(this.#timer);
    // `#fail` has noted an error and planned the next attempt.
    this.#timer = setTimeout(() => void this.refresh().catch(() => undefined), delay).unref();
  }
}
