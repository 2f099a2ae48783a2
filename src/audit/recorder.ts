import type { Clock } from '../platform/clock.ts';
import type { Db } from '../platform/db/index.ts';
import { within } from '../platform/deadline.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { trimmed } from './call-row.ts';
import type { CallRecord } from './contract.ts';
import { Sink } from './sink.ts';
import { openSpill, type Spill } from './spill.ts';

export interface RecorderState {
  /** Records in memory, those being written included. */
  readonly queued: number;
  /** Records in spill files. */
  readonly spilled: number;
  /** Since when the database takes no records; null while it does. */
  readonly degradedSince: Date | null;
  /** Records that are gone: torn by a crash, or refused by memory, disk and database alike. */
  readonly lost: number;
  /** Records set aside in `rejected-*.jsonl`, because the database refuses what is in them. */
  readonly rejected: number;
}

/** Takes records of calls off the hot path and brings them to `api_analytics`. */
export interface Recorder {
  /** Never throws, never waits. */
  record(call: CallRecord): void;
  /** False when neither database nor disk takes records: refuse new calls rather than lose their records. */
  accepting(): boolean;
  /** One attempt to store everything that waits, on disk, too. What cannot be stored goes on waiting. */
  flush(): Promise<void>;
  state(): RecorderState;
  /** Stores what waits, within `closeMs`, and puts the rest on disk. Records that come later are lost. */
  close(): Promise<void>;
}

export interface RecorderOptions {
  readonly db: Db;
  /** A folder of this process alone; created when missing. */
  readonly spillDir: string;
  readonly log: Log;
  readonly clock: Clock;
  /** Longest time that a record waits while the database is well. */
  readonly flushMs?: number;
  /** Records in memory before they go to disk. */
  readonly maxInMemory?: number;
  readonly batchSize?: number;
  /** Longest wait for the database to take one batch. */
  readonly insertMs?: number;
  readonly closeMs?: number;
  readonly maxSpillBytes?: number;
  /** Is shown each record. Never throws, never waits. */
  readonly seen?: (call: CallRecord) => void;
}

/**
 * Starts a recorder: bounded memory first, then disk, then `accepting()` turns false. Spill files of an earlier
 * process are stored at the first flush. Throws `spill_unwritable` when the folder cannot be used.
 */
export async function createRecorder(options: RecorderOptions): Promise<Recorder> {
  const full = { ...defaults, ...options };
  const spill = await openSpill({
    dir: full.spillDir,
    clock: full.clock,
    maxFileBytes: 8 * 1024 * 1024,
    maxTotalBytes: full.maxSpillBytes,
  });
  return new BatchedRecorder(full, spill);
}

const defaults = {
  flushMs: 250,
  maxInMemory: 20_000,
  batchSize: 500,
  insertMs: 10_000,
  closeMs: 5_000,
  maxSpillBytes: 1024 * 1024 * 1024,
  seen: (): void => undefined,
};

const longestRetryMs = 5_000;

class BatchedRecorder implements Recorder {
  readonly #o: Required<RecorderOptions>;
  readonly #spill: Spill;
  readonly #sink: Sink;
  #queue: CallRecord[] = [];
  /** Taken from the queue while the database is asked to store them. */
  #storing: CallRecord[] = [];
  /** Taken from the queue while they are put on disk. */
  #spilling: CallRecord[] = [];
  #storingRun: Promise<void> | null = null;
  #spillingRun: Promise<void> | null = null;
  #timer: NodeJS.Timeout | null = null;
  #diskRefuses = false;
  #lost = 0;
  #lostReported = 0;
  #phase: 'open' | 'closing' | 'closed' = 'open';

  constructor(options: Required<RecorderOptions>, spill: Spill) {
    this.#o = options;
    this.#spill = spill;
    this.#sink = new Sink(options, spill);
    if (!spill.isEmpty) this.#arm();
  }

  record(call: CallRecord): void {
    this.#o.seen(call);
    // Calls that were under way when accepting() turned false still end: room for twice the bound is left for them.
    if (this.#phase !== 'open' || this.#inMemory() >= this.#o.maxInMemory * 2) {
      this.#lost += 1;
    } else {
      this.#queue.push(trimmed(call));
      if (this.#queue.length >= this.#o.maxInMemory && !this.#diskRefuses) void this.#startSpilling();
    }
    if (this.#timer === null && this.#phase === 'open') this.#arm();
  }

  accepting(): boolean {
    const bound = this.#diskRefuses ? this.#o.maxInMemory : this.#o.maxInMemory * 1.5;
    return this.#phase === 'open' && this.#inMemory() < bound;
  }

  async flush(): Promise<void> {
    // A run under way may have passed the newest records already.
    await this.#storingRun;
    await this.#startStoring();
  }

  state(): RecorderState {
    return {
      queued: this.#inMemory(),
      spilled: this.#spill.size,
      degradedSince: this.#sink.degradedSince,
      lost: this.#lost + this.#sink.lost,
      rejected: this.#sink.rejected,
    };
  }

  async close(): Promise<void> {
    if (this.#phase !== 'open') return;
    this.#phase = 'closing';
    if (this.#timer) clearTimeout(this.#timer);
    await within(this.#o.closeMs, 'too late', this.flush()).catch(() => undefined); // What is left goes to disk.
    this.#phase = 'closed';
    await this.#spillingRun;
    // Also a batch that the database still holds: stored twice is stored once.
    this.#queue = [...this.#storing, ...this.#queue];
    this.#storing = [];
    await this.#startSpilling();
    this.#lost += this.#queue.length;
    this.#queue = [];
    await this.#spill.close();
    this.#reportLost();
  }

  #inMemory(): number {
    return this.#queue.length + this.#storing.length + this.#spilling.length;
  }

  #arm(): void {
    const { flushMs } = this.#o;
    // Twice as long after each failure; the shift is bounded, for it works on 32 bits.
    const retryMs = Math.min(flushMs << Math.min(this.#sink.failures, 10), Math.max(flushMs, longestRetryMs));
    this.#timer = setTimeout(() => void this.#tick(), retryMs);
    this.#timer.unref();
  }

  async #tick(): Promise<void> {
    this.#reportLost();
    await this.#startStoring();
    this.#timer = null;
    if (this.#phase === 'open' && (this.#inMemory() > 0 || !this.#spill.isEmpty)) this.#arm();
  }

  #startStoring(): Promise<void> {
    this.#storingRun ??= this.#storeAll().finally(() => {
      this.#storingRun = null;
    });
    return this.#storingRun;
  }

  async #storeAll(): Promise<void> {
    let well = await this.#storeQueue();
    while (well && this.#phase === 'open' && !this.#spill.isEmpty) well = await this.#storeOldestFile();
    if (!well && this.#queue.length >= this.#o.maxInMemory) void this.#startSpilling();
    await this.#spillingRun;
  }

  async #storeQueue(): Promise<boolean> {
    // Once closed, what is left belongs to close(), even if the database answers after all.
    while (this.#queue.length > 0 && this.#phase !== 'closed') {
      this.#storing = this.#queue.splice(0, this.#o.batchSize);
      const stored = await this.#sink.store(this.#storing);
      // close() may have taken the batch over meanwhile, to put it on disk.
      if (!stored) this.#queue = [...this.#storing, ...this.#queue];
      this.#storing = [];
      if (!stored) return false;
      this.#diskRefuses = false;
    }
    return true;
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

  #startSpilling(): Promise<void> {
    this.#spillingRun ??= this.#spillQueue().finally(() => {
      this.#spillingRun = null;
    });
    return this.#spillingRun;
  }

  async #spillQueue(): Promise<void> {
    while (this.#queue.length > 0) {
      this.#spilling = this.#queue.splice(0, this.#o.batchSize);
      try {
        await this.#spill.append(this.#spilling);
        this.#diskRefuses = false;
      } catch (error) {
        if (!this.#diskRefuses)
          this.#o.log.error({ error: messageOf(error) }, 'the disk takes no call records');
        this.#diskRefuses = true;
        this.#queue = [...this.#spilling, ...this.#queue];
      }
      this.#spilling = [];
      if (this.#diskRefuses) return;
    }
  }

  #reportLost(): void {
    const { lost } = this.state();
    if (lost > this.#lostReported)
      this.#o.log.error({ lost: lost - this.#lostReported }, 'CALL RECORDS WERE LOST');
    this.#lostReported = lost;
  }
}
