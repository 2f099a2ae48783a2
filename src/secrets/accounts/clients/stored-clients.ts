import type { Clock } from '../../../platform/clock.ts';
import { type Changes, createLive, type Db } from '../../../platform/db/index.ts';
import type { Log } from '../../../platform/log.ts';
import { type ClientPlace, type ClientRow, loadStoredClients } from './clients-store.ts';

/** What administrators stored, sealed, in memory: calls find it while the database is away. */
export interface StoredClients {
  /** For exactly this place. */
  at(place: ClientPlace): ClientRow | undefined;
  refresh(): Promise<void>;
  close(): void;
}

export async function createStoredClients(o: {
  readonly db: Db;
  readonly changes: Changes;
  readonly log: Log;
  readonly clock: Clock;
}): Promise<StoredClients> {
  const load = async () => new Map((await loadStoredClients(o.db)).map((row) => [keyOf(row), row]));
  const live = await createLive({ topic: 'oauth_clients', ...o, load });
  return {
    at: (place) => live.current().get(keyOf(place)),
    refresh: () => live.refresh(),
    close: () => live.close(),
  };
}

// No id of a tenant or a server holds a space.
function keyOf({ tenant, server }: ClientPlace): string {
  return `${tenant ?? ''} ${server}`;
}
