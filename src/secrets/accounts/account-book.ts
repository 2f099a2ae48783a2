import { LRUCache } from 'lru-cache';
import type { Clock } from '../../platform/clock.ts';
import { type Changes, createLive, type Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { AccountPlace } from './accounts.ts';
import { type AccountRow, loadChanged, loadIds } from './accounts-store.ts';

/** Every account, sealed, in memory: it answers while the database is away. */
export interface AccountBook {
  at(place: AccountPlace): AccountRow | undefined;
  byId(id: string): AccountRow | undefined;
  of(user: string): AccountRow[];
  /** A row that this process just wrote or read. What is older than what is known already changes nothing. */
  accept(row: AccountRow): void;
  /** This process just deleted it. */
  drop(id: string): void;
  /** Resolves when the account is another one than this, or after `milliseconds`. */
  changed(row: AccountRow, milliseconds: number): Promise<void>;
  /** Calls back soon after accounts came, went or changed otherwise than by renewed tokens. */
  onChange(listener: () => void): () => void;
  refresh(): Promise<void>;
  staleSince(): Date | null;
  close(): void;
}

export async function createAccountBook(o: {
  db: Db;
  changes: Changes;
  log: Log;
  clock: Clock;
}): Promise<AccountBook> {
  const pages = new Pages();
  let horizon: string | null = null;
  /** Only what changed: everybody's tokens change all the time, and everything is a lot. */
  const load = async () => {
    const found = await loadChanged(o.db, horizon);
    for (const row of found.rows) pages.accept(row);
    // Whatever was deleted is not among the changes, but it is not counted either.
    if (found.total !== pages.size) pages.keepOnly(new Set(await loadIds(o.db)));
    horizon = found.horizon;
  };
  const { changes, log, clock } = o;
  const live = await createLive({ topic: 'accounts', changes, load, log, clock });
  return {
    at: (place) => pages.at(place),
    byId: (id) => pages.byId(id),
    of: (user) => pages.of(user),
    accept: (row) => pages.accept(row),
    drop: (id) => pages.drop(id),
    changed: (row, milliseconds) => pages.changed(row, milliseconds),
    onChange: (listener) => pages.onChange(listener),
    refresh: () => live.refresh(),
    staleSince: () => live.staleSince(),
    close() {
      live.close();
      pages.close();
    },
  };
}

const mostDropped = 1000;
const droppedMs = 60_000;

class Pages {
  readonly #byId = new Map<string, AccountRow>();
  readonly #byPlace = new Map<string, AccountRow>();
  readonly #byUser = new Map<string, Set<string>>();
  /** Deleted here: a load that began before brings none of them back. */
  readonly #dropped = new LRUCache<string, true>({ max: mostDropped, ttl: droppedMs });
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #listeners = new Set<() => void>();
  #isTelling = false;

  get size(): number {
    return this.#byId.size;
  }

  at(place: AccountPlace): AccountRow | undefined {
    return this.#byPlace.get(keyOf(place));
  }

  byId(id: string): AccountRow | undefined {
    return this.#byId.get(id);
  }

  of(user: string): AccountRow[] {
    return [...(this.#byUser.get(user) ?? [])].flatMap((id) => this.#byId.get(id) ?? []);
  }

  accept(row: AccountRow): void {
    const known = this.#byId.get(row.id);
    if (this.#dropped.has(row.id) || (known && known.generation > row.generation)) return;
    if (known && isEqual(known, row)) return;
    if (known) this.#remove(known);
    this.#byId.set(row.id, row);
    this.#byPlace.set(keyOf(row), row);
    this.#byUser.set(row.user, (this.#byUser.get(row.user) ?? new Set()).add(row.id));
    this.#tell(row.id);
    if (!known || !looksTheSame(known, row)) this.#tellAll();
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(): void {
    this.#listeners.clear();
  }

  drop(id: string): void {
    this.#dropped.set(id, true);
    const known = this.#byId.get(id);
    if (known) this.#remove(known);
    this.#tell(id);
    this.#tellAll();
  }

  keepOnly(ids: ReadonlySet<string>): void {
    const gone = [...this.#byId.values()].filter(({ id }) => !ids.has(id));
    for (const row of gone) {
      this.#remove(row);
      this.#tell(row.id);
    }
    if (gone.length > 0) this.#tellAll();
  }

  changed(row: AccountRow, milliseconds: number): Promise<void> {
    if (this.#byId.get(row.id) !== row) return Promise.resolve();
    const waiting = this.#waiting.get(row.id) ?? new Set();
    this.#waiting.set(row.id, waiting);
    return new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer);
        waiting.delete(done);
        if (waiting.size === 0 && this.#waiting.get(row.id) === waiting) this.#waiting.delete(row.id);
        resolve();
      };
      const timer = setTimeout(done, milliseconds);
      waiting.add(done);
    });
  }

  #remove(row: AccountRow): void {
    this.#byId.delete(row.id);
    if (this.#byPlace.get(keyOf(row))?.id === row.id) this.#byPlace.delete(keyOf(row));
    const own = this.#byUser.get(row.user);
    own?.delete(row.id);
    if (own?.size === 0) this.#byUser.delete(row.user);
  }

  #tell(id: string): void {
    for (const done of [...(this.#waiting.get(id) ?? [])]) done();
  }

  /** Once for a whole load. */
  #tellAll(): void {
    if (this.#isTelling || this.#listeners.size === 0) return;
    this.#isTelling = true;
    setImmediate(() => {
      this.#isTelling = false;
      for (const listener of [...this.#listeners]) listener();
    });
  }
}

/** Whatever people are shown is the same. */
function looksTheSame(one: AccountRow, other: AccountRow): boolean {
  return (
    one.state === other.state &&
    one.problem === other.problem &&
    one.user === other.user &&
    one.resource === other.resource &&
    one.connectedAt.getTime() === other.connectedAt.getTime()
  );
}

/** A row that is loaded again stays the same object, which is what callers compare by. */
function isEqual(one: AccountRow, other: AccountRow): boolean {
  return (
    one.generation === other.generation &&
    one.sealed === other.sealed &&
    one.state === other.state &&
    one.problem === other.problem &&
    one.user === other.user &&
    one.resource === other.resource
  );
}

// No id of a tenant or server holds a space, and no address does.
function keyOf({ tenant, user, server }: AccountPlace): string {
  return `${tenant ?? ''} ${server} ${user}`;
}
