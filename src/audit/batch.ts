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
    if (this.#fd !== null) closeSync(this.#fd);
    this.#fd = null;
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
      // Somebody removed it, or half a line stands there: all of it is written anew.
      if ((await handle.stat()).size !== this.#bytes) await this.#empty(handle);
      const lines = linesOf(this.records.slice(this.#written));
      this.#disk.take(lines.length);
      this.#bytes += lines.length;
      await handle.appendFile(lines);
      await handle.datasync();
      this.#written = this.records.length;
    } finally {
      await handle.close();
    }
  }

  async #empty(handle: FileHandle): Promise<void> {
    await handle.truncate(0);
    this.#disk.give(this.#bytes);
    this.#bytes = 0;
    this.#written = 0;
  }
}

function linesOf(records: readonly CallRecord[]): Buffer {
  return Buffer.from(records.map((record) => `${JSON.stringify(record)}\n`).join(''));
}
