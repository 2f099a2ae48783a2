import type { Db } from '../../platform/db/index.ts';
import { AppError, messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { rewrap } from '../sealing/seal.ts';
import type { FollowedKeys } from './followed-keys.ts';
import { usableIds } from './followed-keys.ts';
import { dropLease, takeLease } from './key-store.ts';
import {
  countSealed,
  type Left,
  lockLeft,
  replaceSealed,
  type SealedTable,
  type SealedText,
  sealedTables,
} from './sealed-store.ts';

export interface SweeperOptions {
  readonly db: Db;
  readonly keys: FollowedKeys;
  readonly log: Log;
  /** Name of this process among those of the installation. */
  readonly node: string;
  /** Secrets in one transaction. */
  readonly batch?: number;
  /** How often to look for what is left: written by a process that had not heard, or left by one that was killed. */
  readonly everyMs?: number;
  /** After this long without a sign the work of a process is taken over. */
  readonly leaseSeconds?: number;
}

/** Seals everything under the key in force once a rotation was asked for: batch by batch, while calls go on. */
export interface Sweeper {
  /** Looks at once. Never rejects; resolves when nothing is left for this process to do. */
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export function createSweeper(options: SweeperOptions): Sweeper {
  const sweeper = new TimedSweeper({ batch: 200, everyMs: 30_000, leaseSeconds: 10, ...options });
  void sweeper.sweep();
  return sweeper;
}

/** Somebody: another process that is at the rotation, or a transaction that holds rows. */
type Outcome = 'done' | 'somebody holds some';

/** Texts that were sealed anew, and those that do not open. */
interface Tally {
  resealed: number;
  closed: number;
}

class TimedSweeper implements Sweeper {
  readonly #o: Required<SweeperOptions>;
  readonly #stopHearing: () => void;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;
  #again = false;
  #isFailing = false;
  #closed = false;

  constructor(o: Required<SweeperOptions>) {
    this.#o = o;
    this.#stopHearing = o.keys.onChange(() => void this.sweep());
  }

  sweep(): Promise<void> {
    this.#again = this.#running !== undefined;
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined;
    });
    return this.#running;
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#stopHearing();
    clearTimeout(this.#timer);
    await this.#running;
  }

  async #run(): Promise<void> {
    clearTimeout(this.#timer);
    let outcome: Outcome = 'done';
    do {
      this.#again = false;
      outcome = await this.#attempt();
    } while (this.#again && !this.#closed);
    if (this.#closed) return;
    const wait = outcome === 'somebody holds some' ? this.#o.leaseSeconds * 1000 : this.#o.everyMs;
    this.#timer = setTimeout(() => void this.sweep(), wait).unref();
  }

  async #attempt(): Promise<Outcome> {
    const { db, log, node } = this.#o;
    const left = this.#goal();
    try {
      const isDone = !left || (await countLeft(db, left)) === 0;
      this.#isFailing &&= !isDone;
      if (isDone) return 'done';
      if (!(await this.#lease(left))) return 'somebody holds some';
      const { resealed, closed } = await this.#everything(left);
      await dropLease(db, left.current, node);
      if (resealed > 0) log.info({ masterKey: left.current, secrets: resealed }, 'secrets were sealed anew');
      this.#isFailing = false;
      return (await countLeft(db, left)) > closed ? 'somebody holds some' : 'done';
    } catch (error) {
      const message = 'sealing secrets under the master key in force failed; it goes on later';
      // While the database is away it fails each time, and others say that as well.
      if (!this.#isFailing) log.warn({ error: messageOf(error) }, message);
      this.#isFailing = true;
    }
    return 'done';
  }

  /** Undefined while there is nothing to do, or no way to. */
  #goal(): Left | undefined {
    const { keys } = this.#o;
    const row = keys.rows().find(({ isCurrent }) => isCurrent);
    if (!row?.rotationAskedAt || !keys.get(row.id)) return undefined;
    return { current: row.id, held: usableIds(keys.ring, keys.rows()) };
  }

  #lease({ current }: Left): Promise<boolean> {
    const { db, node, leaseSeconds } = this.#o;
    return takeLease(db, current, node, leaseSeconds);
  }

  /** Until a pass finds nothing more: what somebody else had locked comes with the next one. */
  async #everything(left: Left): Promise<Tally> {
    let sum = 0;
    for (;;) {
      const pass = { resealed: 0, closed: 0 };
      for (const table of sealedTables) await this.#table(table, left, pass);
      sum += pass.resealed;
      if (pass.resealed === 0 || this.#closed) return { resealed: sum, closed: pass.closed };
    }
  }

  async #table(table: SealedTable, left: Left, pass: Tally): Promise<void> {
    let after: string | null = null;
    while (!this.#closed && this.#goal()?.current === left.current && (await this.#lease(left))) {
      const batch = await this.#batch(table, { ...left, after });
      pass.resealed += batch.resealed;
      pass.closed += batch.closed;
      if (batch.last === null) return;
      after = batch.last;
    }
  }

  #batch(
    table: SealedTable,
    from: Left & { after: string | null },
  ): Promise<Tally & { readonly last: string | null }> {
    return this.#o.db.transaction().execute(async (trx) => {
      const texts = await lockLeft(trx, table, { ...from, limit: this.#o.batch });
      const renewed = texts.flatMap((text) => this.#renew(text));
      if (renewed.length > 0) await replaceSealed(trx, table, renewed);
      const closed = texts.length - renewed.length;
      return { resealed: renewed.length, closed, last: texts.at(-1)?.id ?? null };
    });
  }

  /** Nothing for a text that does not open: it stays as it is, and `GET /master-keys/rotation` tells of it. */
  #renew(text: SealedText): { id: string; sealed: string }[] {
    try {
      return [{ id: text.id, sealed: rewrap(this.#o.keys, text.sealed, text) }];
    } catch (error) {
      if (error instanceof AppError && error.code === 'credential_unreadable') return [];
      throw error;
    }
  }
}

/** How many texts are not yet as the rotation wants them, of those that can be opened here. */
export async function countLeft(db: Db, { current, held }: Left): Promise<number> {
  const counts = await countSealed(db);
  return counts.reduce((sum, { form, keyId, count }) => {
    const isLeft = keyId !== null && held.includes(keyId) && !(form === 'v2' && keyId === current);
    return isLeft ? sum + count : sum;
  }, 0);
}
