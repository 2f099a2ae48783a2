import { sql } from 'kysely';
import type { Clock } from '../clock.ts';
import { messageOf } from '../errors.ts';
import type { Log } from '../log.ts';
import { coalesce } from './coalesce.ts';
import type { Database } from './database.ts';

/** Tells which topics of `mcp_proxy.live_versions` changed, whoever changed them. */
export interface Changes {
  /** Calls back after each change of `topic`; a burst of them may be told as one. */
  subscribe(topic: string, onChange: () => void): () => void;
  /** Since when the database could not be asked; null while it answers. */
  failingSince(): Date | null;
  close(): Promise<void>;
}

interface WatchOptions {
  log: Log;
  clock: Clock;
  /** How often to look for changes whose notification was lost (1000). */
  pollMs?: number;
}

/** Looks at the versions at each notification on `toolgate_live`, and every `pollMs` in case one was lost. */
export async function watchChanges(database: Database, o: WatchOptions): Promise<Changes> {
  const watch = new Watch(database, o);
  await watch.start();
  return watch;
}

class Watch implements Changes {
  readonly #database: Database;
  readonly #log: Log;
  readonly #clock: Clock;
  readonly #subscribers = new Map<string, Set<() => void>>();
  readonly #versions = new Map<string, string>();
  readonly #look: () => Promise<void>;
  readonly #pollMs: number;
  #timer: NodeJS.Timeout | undefined;
  #failingSince: Date | null = null;
  #latest: Promise<void> = Promise.resolve();
  #stopListening: (() => Promise<void>) | undefined;

  constructor(database: Database, { log, clock, pollMs = 1000 }: WatchOptions) {
    this.#database = database;
    this.#log = log;
    this.#clock = clock;
    this.#pollMs = pollMs;
    this.#look = coalesce(() => this.#compare());
  }

  /** Rejects when the database does not answer, because then nothing could be loaded either. */
  async start(): Promise<void> {
    const look = () => {
      this.#latest = this.#lookSafely();
    };
    this.#stopListening = await this.#database.listen('toolgate_live', { onNotify: look, onResync: look });
    await this.#look();
    this.#timer = setInterval(look, this.#pollMs);
  }

  subscribe(topic: string, onChange: () => void): () => void {
    const all = this.#subscribers.get(topic) ?? new Set();
    this.#subscribers.set(topic, all.add(onChange));
    return () => void all.delete(onChange);
  }

  failingSince(): Date | null {
    return this.#failingSince;
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#subscribers.clear();
    await this.#stopListening?.();
    await this.#latest;
  }

  /** Never rejects. */
  async #lookSafely(): Promise<void> {
    try {
      await this.#look();
      if (this.#failingSince) this.#log.info('the database answers again');
      this.#failingSince = null;
    } catch (error) {
      if (!this.#failingSince) this.#log.warn({ error: messageOf(error) }, 'the database does not answer');
      this.#failingSince ??= new Date(this.#clock());
    }
  }

  async #compare(): Promise<void> {
    const { rows } = await sql<{ topic: string; version: string }>`
      select topic, version from mcp_proxy.live_versions`.execute(this.#database.db);
    for (const { topic, version } of rows) {
      if (this.#versions.get(topic) === version) continue;
      this.#versions.set(topic, version);
      for (const onChange of this.#subscribers.get(topic) ?? []) onChange();
    }
  }
}
