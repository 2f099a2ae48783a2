import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { within } from '../platform/deadline.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { toRow } from './call-row.ts';
import type { CallRecord } from './contract.ts';
import type { Refusal, Spill } from './spill.ts';
import { insertCalls } from './store.ts';

export interface SinkOptions {
  readonly db: Db;
  readonly log: Log;
  readonly clock: Clock;
  /** Longest wait for the database to take one batch. */
  readonly insertMs: number;
}

/** Brings batches of records into the database and knows since when it takes none. */
export class Sink {
  readonly #o: SinkOptions;
  readonly #spill: Spill;
  #degradedSince: Date | null = null;
  #failures = 0;
  #rejected = 0;
  #lost = 0;

  constructor(options: SinkOptions, spill: Spill) {
    this.#o = options;
    this.#spill = spill;
  }

  get degradedSince(): Date | null {
    return this.#degradedSince;
  }

  /** Failed attempts in a row. */
  get failures(): number {
    return this.#failures;
  }

  /** Records set aside because the database refuses what is in them. */
  get rejected(): number {
    return this.#rejected;
  }

  /** Records that could not even be set aside. */
  get lost(): number {
    return this.#lost;
  }

  /** False when the database is away; the same batch may then come again, and is stored once all the same. */
  async store(records: readonly CallRecord[]): Promise<boolean> {
    const { db, insertMs, log } = this.#o;
    try {
      const late = `The database did not answer within ${insertMs} ms.`;
      await this.setAside(await within(insertMs, late, storeCalls(db, records)));
    } catch (error) {
      this.#failed(error);
      return false;
    }
    if (this.#degradedSince) log.info('the database takes call records again');
    this.#degradedSince = null;
    this.#failures = 0;
    return true;
  }

  /** Never rejects: what the disk refuses as well is counted as lost. */
  async setAside(refusals: readonly Refusal[]): Promise<void> {
    if (refusals.length === 0) return;
    try {
      await this.#spill.reject(refusals);
      this.#rejected += refusals.length;
      const message = 'call records are refused for what is in them; they are in rejected-*.jsonl';
      this.#o.log.error({ records: refusals.length }, message);
    } catch (error) {
      this.#lost += refusals.length;
      this.#o.log.error({ error: messageOf(error) }, 'refused call records cannot be set aside');
    }
  }

  #failed(error: unknown): void {
    this.#failures += 1;
    if (this.#degradedSince) return;
    this.#degradedSince = new Date(this.#o.clock());
    const message = 'the database takes no call records; they wait in memory, then on disk';
    this.#o.log.error({ error: messageOf(error) }, message);
  }
}

/** Stores a batch and answers the records that are refused; halves it until those are found. */
async function storeCalls(db: Db, records: readonly CallRecord[]): Promise<Refusal[]> {
  try {
    await insertCalls(db, records.map(toRow));
    return [];
  } catch (error) {
    if (!isAboutData(error)) throw error;
    if (records.length === 1) return [{ record: records[0], reason: messageOf(error) }];
    const half = Math.ceil(records.length / 2);
    const first = await storeCalls(db, records.slice(0, half));
    return [...first, ...(await storeCalls(db, records.slice(half)))];
  }
}

// SQLSTATE classes: 22 data exception, 23 integrity violation, 54 program limit exceeded (such as too deep JSON).
// https://www.postgresql.org/docs/current/errcodes-appendix.html
function isAboutData(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(?:22|23|54)/.test(String(error.code));
}
