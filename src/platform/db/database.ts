import { type Kysely, sql } from 'kysely';

/** A database or a transaction on it. SQL is written by hand with Kysely's `sql` tag: sql<Row>`…`.execute(db). */
export type Db = Kysely<unknown>;

export interface ListenHandlers {
  /** One NOTIFY arrived. */
  onNotify(payload: string): void;
  /** The connection was lost and listens again: any number of notifications may be missing. */
  onResync(): void;
}

/** Row-level security: the second wall between tenants, under the one that is code. */
export interface Walls {
  /**
   * From then on every statement runs under a role that row-level security binds. Needs the migrations. Where that
   * cannot be, it resolves all the same, and `missing` says why.
   */
  raise(): Promise<void>;
  /** Why statements run as whoever signed in, whom no wall holds; null once the walls are raised. */
  missing(): string | null;
}

/** Connections of this process to the database, and who waits for one. */
export interface PoolCounts {
  readonly open: number;
  readonly idle: number;
  readonly waiting: number;
}

/** A database as other processes of this machine reach it. */
export interface SharedDatabase {
  /** For `openDatabase`. */
  readonly url: string;
  close(): Promise<void>;
}

export interface Database {
  readonly kind: 'embedded' | 'postgres';
  readonly walls: Walls;
  /** The operator's scope: everything of every tenant. */
  readonly db: Db;
  /** The scope of one tenant: what belongs to others is not there, whatever a statement says. */
  forTenant(tenant: string): Db;
  /** Calls back for each NOTIFY on `channel` until the returned function is called. */
  listen(channel: string, handlers: ListenHandlers): Promise<() => Promise<void>>;
  /** Runs `work` as whoever signed in, where statements may take as long as they need; for migrations and the like. */
  withoutTimeLimit<T>(work: (db: Db) => Promise<T>): Promise<T>;
  counts(): PoolCounts;
  /** Lets other processes of this machine in; absent where they connect to the same server themselves. */
  readonly share?: () => Promise<SharedDatabase>;
  /** Rejects when the database does not answer within `timeoutMs`. */
  ping(timeoutMs: number): Promise<void>;
  /** Ends every connection; queries after it reject. */
  close(): Promise<void>;
}

/** `select 1` with a deadline: a database that hangs is as bad as one that is gone. */
export async function pingWithin(db: Db, timeoutMs: number): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new Error(`The database did not answer within ${timeoutMs} ms.`)),
      timeoutMs,
    );
  });
  try {
    await Promise.race([sql`select 1`.execute(db), late]);
  } finally {
    clearTimeout(timer);
  }
}
