import { closeSync, ftruncateSync, openSync, writeSync } from 'node:fs';
import { type FileHandle, open, rm } from 'node:fs/promises';
import type { CallRecord } from './contract.ts';
import type { Disk } from './disk.ts';

/** The system takes a line in microseconds. Where it takes this long, calls must not wait for it again and again. */
const slowMs = 100;

/**
 * Records that are stored together, in memory and in a file of their own. Each is written before its call is
 * answered, and not waited for until it is on the disk itself: what the system has taken, `kill -9` does not take away.
 */
export class Batch {
  readonly records: CallRecord[] = [];
  readonly path: string;
  readonly #disk: Disk;
  #fd: number | null = null;
  #exists = false;
  /** So many of the records stand in the file, the first ones. */
  #written = 0;
  #bytes = 0;
  /** The disk did not say that it has what was written. */
  #isDoubtful = false;

  constructor(path: string, disk: Disk) {
    this.path = path;
    this.#disk = disk;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Takes one more record. Where the disk refuses it, it is in memory alone until `keep`. */
  add(record: CallRecord): void {
    this.records.push(record);
    if (this.#written < this.records.length - 1 || this.#disk.rests) return;
    const before = performance.now();
    try {
      this.#write(linesOf([record]));
      this.#written += 1;
      this.#disk.took();
    } catch (error) {
      this.#disk.refused(error);
    }
    const ms = performance.now() - before;
    if (ms > slowMs) this.#disk.refused(new Error(`It took ${Math.round(ms)} ms to write one.`));
  }

  /** No more records come. */
  close(): void {
    const fd = this.#fd;
    // Whatever the system answers, the number is free, and may soon be somebody else's.
    this.#fd = null;
    if (fd === null) return;
    try {
      closeSync(fd);
    } catch (error) {
      // Some disks say only here that they have not taken what was written.
      this.#isDoubtful = true;
      this.#disk.refused(error);
    }
  }

  /** Resolves when all records are on the disk itself; rejects when it takes no more. */
  async keep(): Promise<void> {
    this.close();
    try {
      await this.#append();
      this.#disk.took();
    } catch (error) {
      this.#disk.refused(error);
      throw error;
    }
  }

  /** Deletes the file: its records are stored. */
  async discard(): Promise<void> {
    this.close();
    this.#disk.give(this.#bytes);
    this.#bytes = 0;
    if (this.#exists) await rm(this.path, { force: true });
  }

  #write(line: Buffer): void {
    this.#disk.take(line.length);
    try {
      this.#fd ??= openSync(this.path, 'ax', 0o600);
      this.#exists = true;
      if (writeSync(this.#fd, line) < line.length) throw new Error('It took a part of a record.');
      this.#bytes += line.length;
    } catch (error) {
      this.#disk.give(line.length);
      // A part of the line may stand there, and the next one must not join it.
      if (this.#fd !== null) ftruncateSync(this.#fd, this.#bytes);
      throw error;
    }
  }

  async #append(): Promise<void> {
    const handle = await open(this.path, 'a', 0o600);
    this.#exists = true;
    try {
      await this.#repair(handle);
      const lines = linesOf(this.records.slice(this.#written));
      this.#disk.take(lines.length);
      try {
        await handle.appendFile(lines);
        await handle.datasync();
      } catch (error) {
        this.#disk.give(lines.length);
        throw error;
      }
      this.#bytes += lines.length;
      this.#written = this.records.length;
    } finally {
      await handle.close();
    }
  }

  /** Whole lines that are safe stay; what stands behind them is cut off. What is not as it was left is written anew. */
  async #repair(handle: FileHandle): Promise<void> {
    const { size } = await handle.stat();
    if (size >= this.#bytes && !this.#isDoubtful)
      return void (size > this.#bytes && (await handle.truncate(this.#bytes)));
    await handle.truncate(0);
    this.#disk.give(this.#bytes);
    this.#bytes = 0;
    this.#written = 0;
    this.#isDoubtful = false;
  }
}

function linesOf(records: readonly CallRecord[]): Buffer {
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
}
