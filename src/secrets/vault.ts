import { inspect } from 'node:util';
import type { Clock } from '../platform/clock.ts';
import { type Changes, createLive, type Db } from '../platform/db/index.ts';
import type { Log } from '../platform/log.ts';
import type { Level } from './binding.ts';
import type { CredentialQuestion, FoundCredential } from './credential.ts';
import type { SecretBox } from './secret-box.ts';
import { loadSealed, type SealedRow } from './store.ts';

/** Every stored credential, sealed, in memory: it answers while the database is away. */
export interface Vault {
  /** The most specific credential that applies: the user's, a group's, the tenant's, else the shared one. */
  find(q: CredentialQuestion): FoundCredential | null;
  /** Loads anew; resolves when `find` answers from what the database holds now. */
  refresh(): Promise<void>;
  /** Since when changes may be missing; null while everything is current. */
  staleSince(): Date | null;
  close(): void;
}

export async function createVault(o: {
  db: Db;
  changes: Changes;
  box: SecretBox;
  log: Log;
  clock: Clock;
}): Promise<Vault> {
  const load = async () => {
    const rows = await loadSealed(o.db);
    warnOfOtherKeys(rows, o.box, o.log);
    return index(rows, o.box);
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
  readonly owner: Level;
  readonly ownerId: string | null;
  readonly version: string;
  readonly #row: SealedRow;
  readonly #box: SecretBox;

  constructor(row: SealedRow, box: SecretBox) {
    this.id = row.id;
    this.owner = row.owner.level;
    this.ownerId = row.owner.id;
    this.version = box.versionOf(row.sealed);
    this.#row = row;
    this.#box = box;
  }

  open(): string {
    return this.#box.open(this.#row.sealed, this.#row);
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

function index(rows: readonly SealedRow[], box: SecretBox): ReadonlyMap<string, FoundCredential> {
  return new Map(
    rows.map((row) => [place(row.tenant, row.server, row.name), new SealedCredential(row, box)]),
  );
}

// No id holds a space, and none is empty.
function place(tenant: string | null, server: string, name: string): string {
  return `${tenant ?? ''} ${server} ${name}`;
}

function warnOfOtherKeys(rows: readonly SealedRow[], box: SecretBox, log: Log): void {
  const keyIds = rows.map((row) => box.keyIdOf(row.sealed) ?? 'none');
  const others = keyIds.filter((id) => !box.holds(id));
  if (others.length === 0) return;
  log.warn(
    { credentials: others.length, neededKeys: [...new Set(others)] },
    'stored credentials cannot be read with this master key; start with the one that sealed them, or store them again',
  );
}
