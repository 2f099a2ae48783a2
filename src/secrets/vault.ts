import { createHash } from 'node:crypto';
import { inspect } from 'node:util';
import type { Clock } from '../platform/clock.ts';
import { type Changes, createLive, type Db } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import type { MasterKey } from './master-key.ts';
import { open } from './seal.ts';
import { loadSealed, type SealedRow } from './store.ts';

/** A credential that applies to a call. It prints as its id: neither JSON nor a log line shows more. */
export interface FoundCredential {
  readonly id: string;
  readonly owner: 'tenant' | 'shared';
  /** The tenant; null for a shared one. */
  readonly ownerId: string | null;
  /** Changes when the secret is replaced, so that pool keys tell the connections of the old one apart. */
  readonly version: string;
  /** The secret. Throws `credential_unreadable` when it was sealed under another key or for something else. */
  open(): string;
}

/** Every stored credential, sealed, in memory: it answers while the database is away. */
export interface Vault {
  /** The tenant's own credential, else the shared one; with a null tenant only the shared one. */
  find(q: { tenant: string | null; server: string; name: string }): FoundCredential | null;
  /** Loads anew; resolves when `find` answers from what the database holds now. */
  refresh(): Promise<void>;
  /** Since when changes may be missing; null while everything is current. */
  staleSince(): Date | null;
  close(): void;
}

export async function createVault(o: {
  db: Db;
  changes: Changes;
  masterKey: MasterKey;
  log: Log;
  clock: Clock;
}): Promise<Vault> {
  const load = async () => {
    const rows = await loadSealed(o.db);
    warnOfOtherKeys(rows, o.masterKey, o.log);
    return index(rows, o.masterKey);
  };
  const live = await createLive({
    topic: 'credentials',
    changes: o.changes,
    load,
    log: o.log,
    clock: o.clock,
  });
  return {
    find({ tenant, server, name }) {
      const byOwner = live.current();
      const own = tenant === null ? undefined : byOwner.get(place(tenant, server, name));
      return own ?? byOwner.get(place(null, server, name)) ?? null;
    },
    refresh: () => live.refresh(),
    staleSince: () => live.staleSince(),
    close: () => live.close(),
  };
}

class SealedCredential implements FoundCredential {
  readonly id: string;
  readonly owner: 'tenant' | 'shared';
  readonly ownerId: string | null;
  readonly version: string;
  readonly #row: SealedRow;
  readonly #masterKey: MasterKey;

  constructor(row: SealedRow, masterKey: MasterKey) {
    this.id = row.id;
    this.owner = row.tenant === null ? 'shared' : 'tenant';
    this.ownerId = row.tenant;
    this.version = createHash('sha256').update(row.sealed).digest('base64url').slice(0, 16);
    this.#row = row;
    this.#masterKey = masterKey;
  }

  open(): string {
    return open(this.#masterKey, this.#row.sealed, this.#row);
  }

  toString(): string {
    return `[credential ${this.id}]`;
  }

  toJSON(): string {
    return this.toString();
  }

  [inspect.custom](): string {
    return this.toString();
  }
}

function index(rows: readonly SealedRow[], masterKey: MasterKey): ReadonlyMap<string, FoundCredential> {
  return new Map(
    rows.map((row) => [place(row.tenant, row.server, row.name), new SealedCredential(row, masterKey)]),
  );
}

// No id holds a space, and none is empty.
function place(tenant: string | null, server: string, name: string): string {
  return `${tenant ?? ''} ${server} ${name}`;
}

function warnOfOtherKeys(rows: readonly SealedRow[], masterKey: MasterKey, log: Log): void {
  const keyIds = rows.map((row) => /^v1\.([0-9a-f]{8})\./.exec(row.sealed)?.[1] ?? 'none');
  const others = keyIds.filter((id) => id !== masterKey.id);
  if (others.length === 0) return;
  log.warn(
    { credentials: others.length, neededKeys: [...new Set(others)], thisKey: masterKey.id },
    'stored credentials cannot be read with this master key; start with the one that sealed them, or store them again',
  );
}
