import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { within } from '../platform/deadline.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import type { Batch } from './batch.ts';
import { trimmed } from './call-row.ts';
import type { CallRecord } from './contract.ts';
import type { RecorderState } from './recorder-state.ts';
import { Sink } from './sink.ts';
import { openSpill, type Spill } from './spill.ts';
import { Unrecorded } from './unrecorded.ts';

/** Takes records of calls off the hot path and brings them to `api_analytics`. */
export interface Recorder {
  /** Never throws, never waits. On return the record is in a file that outlives the process, unless the disk refuses. */
  record(call: CallRecord): void;
  /** False when neither database nor disk takes records: refuse new calls rather than lose their records. */
  accepting(): boolean;
  /** One attempt to store everything that waits, on disk, too. What cannot be stored goes on waiting. */
  flush(): Promise<void>;
  state(): RecorderState;
  /** Stores what waits, within `closeMs` and half of `ms`, and puts the rest on disk. Records that come later are lost. */
  close(ms?: number): Promise<void>;
}

export interface RecorderOptions {
  readonly db: Db;
  /** A folder of this process alone; created when missing. */
  readonly spillDir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Longest time that a record waits while the database is well. */
  readonly flushMs?: number;
  /** Records in memory before they are on disk alone. */
  readonly maxInMemory?: number;
  readonly batchSize?: number;
  /** Longest wait for the database to take one batch. */
  readonly insertMs?: number;
  readonly closeMs?: number;
  readonly maxSpillBytes?: number;
  /** False: requests are not kept, and only shown to `seen`. */
  readonly keeps?: boolean;
  /** Is shown each record. Never throws, never waits. */
  readonly seen?: (call: CallRecord) => void;
}

/**
 * Starts a recorder: memory and disk first, then disk alone, then `accepting()` turns false. Spill files of an earlier
 * process are stored at the first flush. Throws `spill_unwritable` when the folder cannot be used.
 */
export async function createRecorder(options: RecorderOptions): Promise<Recorder> {
  const given = { ...defaults, ...options };
  // Batches are forgotten as a whole: several have to fit into memory.
  const full = { ...given, batchSize: Math.min(given.batchSize, Math.ceil(given.maxInMemory / 4)) };
  const { spillDir: dir, clock, log, maxSpillBytes: maxBytes } = full;
  const spill = await openSpill({ dir, clock, log, maxBytes });
  return new BatchedRecorder(full, spill);
}

const defaults = {
  ...{ flushMs: 250, maxInMemory: 20_000, batchSize: 500, insertMs: 10_000, closeMs: 5_000 },
  maxSpillBytes: 1024 * 1024 * 1024,
  keeps: true,
  seen: (): void => undefined,
};

/** Files are read as a whole. */
const longestFile = 1024 * 1024;
const longestRetryMs = 5_000;

class BatchedRecorder implements Recorder {
  readonly #o: Required<RecorderOptions>;
  readonly #spill: Spill;
  readonly #sink: Sink;
  readonly #unrecorded: Unrecorded;
  /** Takes new records. */
  #filling: Batch;
  /** Those before it, the oldest first. */
  #waiting: Batch[] = [];
  /** What the database is asked to store. */
  #storing: Batch | null = null;
  /** Records of all of them, and of the one that is put on disk. */
  #inMemory = 0;
  #storingRun: Promise<void> | null = null;
  #sheddingRun: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #lost = 0;
  #lostReported = 0;
  #phase: 'open' | 'closing' | 'closed' = 'open';

  constructor(options: Required<RecorderOptions>, spill: Spill) {
    this.#o = options;
    this.#spill = spill;
    this.#unrecorded = new Unrecorded(options.clock);
    this.#sink = new Sink(options, spill);
    this.#filling = spill.begin();
    if (!spill.isEmpty) this.#arm();
  }

  record(call: CallRecord): void {
    this.#o.seen(call);
    if (!this.#o.keeps) return;
    const isCounted = this.#unrecorded.takes(call, this.#inMemory >= this.#o.maxInMemory * 1.5);
    // Calls that were under way when accepting() turned false still end: room for twice the bound is left for them.
    if (isCounted) this.#arm();
    else if (this.#phase !== 'open' || this.#inMemory >= this.#o.maxInMemory * 2) this.#lost += 1;
    else this.#add(trimmed(call));
    this.#arm();
  }

  accepting(): boolean {
    const bound = this.#spill.refusedSince ? this.#o.maxInMemory : this.#o.maxInMemory * 1.5;
    return this.#phase === 'open' && this.#inMemory < bound;
  }

  async flush(): Promise<void> {
    // A run under way may have passed the newest records already.
    await this.#storingRun;
    await this.#startStoring();
  }

  state(): RecorderState {
    return {
      queued: this.#inMemory,
      spilled: this.#spill.size,
      degradedSince: this.#sink.degradedSince,
      diskRefusedSince: this.#spill.refusedSince,
      lost: this.#lost + this.#sink.lost,
      unreadable: this.#spill.unreadable,
      rejected: this.#sink.rejected,
    };
  }

  async close(ms = Number.POSITIVE_INFINITY): Promise<void> {
    if (this.#phase !== 'open') return;
    for (const counted of this.#unrecorded.told()) this.#add(counted);
    this.#phase = 'closing';
    if (this.#timer) clearTimeout(this.#timer);
    await within(Math.min(this.#o.closeMs, ms / 2), 'too late', this.flush()).catch(() => undefined); // What is left goes to disk.
    this.#phase = 'closed';
    await this.#sheddingRun;
    // Also a batch that the database still holds: stored twice is stored once.
    if (this.#storing) this.#waiting.unshift(this.#storing);
    this.#storing = null;
    await this.#shed(0);
    this.#lost += this.#inMemory;
    this.#inMemory = 0;
    this.#reportLost();
  }

  #add(call: CallRecord): void {
    this.#filling.add(call);
    this.#inMemory += 1;
    const { records, bytes } = this.#filling;
    if (records.length >= this.#o.batchSize || bytes > longestFile) this.#turnOver();
    if (this.#inMemory >= this.#o.maxInMemory && this.#spill.refusedSince === null)
      void this.#startShedding();
  }

  #tellUnrecorded(): void {
    if (!this.accepting()) return;
    for (const counted of this.#unrecorded.told()) this.#add(counted);
  }

  #turnOver(): void {
    this.#filling.close();
    this.#waiting.push(this.#filling);
    this.#filling = this.#spill.begin();
  }

  /** The oldest batch with records. The one that is being filled only when there is no other, so that few are small. */
  #next(): Batch | null {
    if (this.#waiting.length === 0 && this.#filling.records.length > 0) this.#turnOver();
    return this.#waiting.shift() ?? null;
  }

  #arm(): void {
    if (this.#timer !== null || this.#phase !== 'open') return;
    const { flushMs } = this.#o;
    // Twice as long after each failure; the shift is bounded, for it works on 32 bits.
    const retryMs = Math.min(flushMs << Math.min(this.#sink.failures, 10), Math.max(flushMs, longestRetryMs));
    this.#timer = setTimeout(() => void this.#tick(), retryMs);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    this.#reportLost();
    await this.#startStoring().catch((error: unknown) => {
      this.#o.log.error({ err: error }, 'records wait: storing them failed in a way that nobody expected');
    });
    this.#timer = null;
    if (this.#inMemory > 0 || !this.#spill.isEmpty || !this.#unrecorded.isEmpty) this.#arm();
  }

  #startStoring(): Promise<void> {
    this.#storingRun ??= this.#storeAll().finally(() => {
      this.#storingRun = null;
    });
    return this.#storingRun;
  }

  async #storeAll(): Promise<void> {
    this.#tellUnrecorded();
    let well = await this.#storeQueue();
    while (well && this.#phase === 'open' && !this.#spill.isEmpty) well = await this.#storeOldestFile();
    if (!well && this.#inMemory >= this.#o.maxInMemory) void this.#startShedding();
    await this.#sheddingRun;
  }

  async #storeQueue(): Promise<boolean> {
    // Once closed, what is left belongs to close(), even if the database answers after all.
    while (this.#phase !== 'closed') {
      const batch = this.#next();
      if (batch === null) return true;
      this.#storing = batch;
      const stored = await this.#sink.store(batch.records);
      // close() may have taken the batch over meanwhile, to put it on disk.
      if (this.#storing !== batch) return false;
      this.#storing = null;
      if (!stored) {
        this.#waiting.unshift(batch);
        return false;
      }
      this.#inMemory -= batch.records.length;
      await this.#discard(batch);
      this.#tellUnrecorded();
    }
    return true;
  }

  async #discard(batch: Batch): Promise<void> {
    await batch.discard().catch((error: unknown) => {
      this.#o.log.error({ error: messageOf(error) }, 'a spill file of call records cannot be removed');
    });
  }

  async #storeOldestFile(): Promise<boolean> {
    try {
      const file = await this.#spill.oldest();
      if (!file) return true;
      for (let at = 0; at < file.records.length; at += this.#o.batchSize) {
        if (!(await this.#sink.store(file.records.slice(at, at + this.#o.batchSize)))) return false;
        // New records do not wait until a long file is through.
        if (!(await this.#storeQueue()) || this.#phase !== 'open') return false;
      }
      await this.#sink.setAside(file.unreadable);
      await this.#spill.remove(file.name);
      if (file.torn) this.#lost += 1;
      this.#o.log.info(
        { file: file.name, records: file.records.length },
        'stored the call records of a spill file',
      );
      return true;
    } catch (error) {
      this.#o.log.error(
        { error: messageOf(error) },
        'a spill file of call records cannot be read or removed',
      );
      return false;
    }
  }

  /** Goes on until half of the bound is free: what was forgotten has to be read again. */
  #startShedding(): Promise<void> {
    this.#sheddingRun ??= this.#shed(this.#o.maxInMemory / 2).finally(() => {
      this.#sheddingRun = null;
    });
    return this.#sheddingRun;
  }

  async #shed(down: number): Promise<void> {
    while (this.#inMemory > down) {
      const batch = this.#next();
      if (batch === null) return;
      if (!(await this.#keep(batch))) {
        this.#waiting.unshift(batch);
        return;
      }
      this.#inMemory -= batch.records.length;
    }
  }

  async #keep(batch: Batch): Promise<boolean> {
    try {
      await this.#spill.keep(batch);
      return true;
    } catch {
      return false; // The disk is known to refuse, and the log says why.
    }
  }

  #reportLost(): void {
    const { lost } = this.state();
    if (lost > this.#lostReported)
      this.#o.log.error({ lost: lost - this.#lostReported }, 'CALL RECORDS WERE LOST');
    this.#lostReported = lost;
  }
}
