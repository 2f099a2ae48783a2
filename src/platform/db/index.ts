// The one door to the database: PostgreSQL by URL, or the embedded one. Both are Kysely, both speak the same SQL.
import { openEmbedded } from './embedded.ts';
import { defaultTimeouts, openPostgres } from './postgres.ts';
import type { Database } from './database.ts';
import type { Log } from '../log.ts';

export type { Database, Db } from './database.ts';
export { type Changes, watchChanges } from './changes.ts';
export { type Live, createLive } from './live.ts';
/** Opens what another process of this machine shares: its connections keep their role and scope, though they take turns. */
export function openShared(url: string, log: Log): Promise<Database> {
  return openPostgres(url, log, defaultTimeouts, () => Promise.resolve(false));
}
export { migrate, pendingMigrations } from './migrate.ts';

/**
 * Opens PostgreSQL at `url`, or the embedded database under `dataDir` when there is no URL. Rejects with
 * `database_unreachable`, `data_dir_in_use`, `data_dir_unwritable` or `data_dir_damaged`.
 */
export function openDatabase(o: { url?: string | undefined; dataDir: string; log: Log }): Promise<Database> {
  return o.url === undefined ? openEmbedded(o.dataDir, o.log) : openPostgres(o.url, o.log);
}
