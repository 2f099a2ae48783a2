import type { Clock } from '../../platform/clock.ts';
import { type Changes, createLive, type Db } from '../../platform/db/index.ts';
import type { Log } from '../../platform/log.ts';
import type { CredentialQuestion, FoundCredential } from '../credential.ts';
import { CredentialIndex } from './credential-index.ts';
import { createKeyUsage } from './key-usage.ts';
import { ladder, type Rung } from './ladder.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import { type Loaded, loadIds, loadSealed } from './vault-store.ts';

/** Every stored credential, sealed, in memory: it answers while the database is away. */
export interface Vault {
  /** The most specific credential that applies: the user's, a group's, the tenant's, else the shared one. */
  find(q: CredentialQuestion): FoundCredential | null;
  /**
   * Every credential that could be meant, most specific first, and which of them `find` gives, and why. `strangers` are
   * groups of the user that do not count for the question. For administrators.
   */
  ladder(q: CredentialQuestion, strangers: readonly string[]): readonly Rung[];
  /** Somebody's call went out with this credential. */
  used(credential: FoundCredential): void;
  /** Loads anew; resolves when `find` answers from what the database holds now. */
  refresh(): Promise<void>;
  /** Since when changes may be missing; null while everything is current. */
  staleSince(): Date | null;
  close(): Promise<void> | void;
}

interface VaultOptions {
  readonly db: Db;
  readonly changes: Changes;
  readonly box: SecretBox;
  readonly log: Log;
  readonly clock: Clock;
}

/** Everything is read again after this long, whatever changed. */
const wholeEvery = 10 * 60_000;

export async function createVault(o: VaultOptions): Promise<Vault> {
  const { log, clock, changes } = o;
  const live = await createLive({ topic: 'credentials', changes, load: loader(o), log, clock });
  const usage = createKeyUsage(o);
  return {
    find: (q) => live.current().find(q),
    ladder: (q, strangers) => ladder(live.current(), q, strangers),
    used: (credential) => usage.used(credential),
    refresh: () => live.refresh(),
    staleSince: () => live.staleSince(),
    close() {
      live.close();
      return usage.close();
    },
  };
}

/** Reads what is new since the last time; of what was removed, it learns which is left. */
function loader({ db, box, clock }: VaultOptions): () => Promise<CredentialIndex> {
  const index = new CredentialIndex(box);
  let seen: string | null = null;
  let wholeAt = 0;
  return async () => {
    const since = clock() - wholeAt < wholeEvery ? seen : null;
    const loaded = await loadSealed(db, since);
    const left = await leftIn(loaded, since !== null);
    // From here on nothing waits: whoever asks finds all of it or nothing.
    if (left) index.keepOnly(left);
    index.put(loaded.rows.filter(({ id }) => left?.has(id) ?? true));
    seen = loaded.seen;
    if (since === null) wholeAt = clock();
    return index;
  };

  function leftIn(
    { rows, total }: Loaded,
    isPart: boolean,
  ): Promise<ReadonlySet<string>> | ReadonlySet<string> | undefined {
    if (!isPart) return new Set(rows.map(({ id }) => id));
    // Looked up later than the rows: what was added in between comes with the next look, which this change asks for.
    return index.sizeWith(rows) === total ? undefined : loadIds(db);
  }
}
