import { randomBytes } from 'node:crypto';
import { open, readdir, readFile, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../platform/clock.ts';
import type { Log } from '../platform/log.ts';
import { makeDirectory } from '../platform/make-directory.ts';
import { Batch } from './batch.ts';
import type { CallRecord } from './contract.ts';
import { Disk } from './disk.ts';
import { spillUnwritable } from './errors.ts';

/** A record that the database refuses for what is in it, with the reason. */
export interface Refusal {
  readonly record: unknown;
  readonly reason: string;
}

export interface SpillOptions {
  /** Belongs to this process alone. */
  readonly dir: string;
  readonly clock: Clock;
  readonly log: Log;
  /** Of all files with records together; what would exceed it is refused. */
  readonly maxBytes: number;
}

/** What one file held: its records, and what could not be read as one. */
export interface SpillFile {
  readonly name: string;
  readonly records: readonly CallRecord[];
  readonly unreadable: readonly Refusal[];
  /** Whether the last line was cut off by a crash in the middle of a write. */
  readonly torn: boolean;
}

interface Waiting {
  readonly name: string;
  readonly records: number;
  readonly bytes: number;
}

const prefix = 'calls-';
const rejectedPrefix = 'rejected-';
const maxRejectedBytes = 8 * 1024 * 1024;

/** Opens the folder, creating it with mode 0700, and counts what an earlier process left there. */
export async function openSpill(options: SpillOptions): Promise<Spill> {
  try {
    await makeDirectory(options.dir);
    const names = (await readdir(options.dir)).filter((name) => name.endsWith('.jsonl')).sort();
    const waiting: Waiting[] = [];
    for (const name of names.filter((name) => name.startsWith(prefix))) {
      const content = await readFile(path.join(options.dir, name));
      waiting.push({ name, records: countLines(content), bytes: content.length });
    }
    let rejectedBytes = 0;
    for (const name of names.filter((name) => name.startsWith(rejectedPrefix))) {
      rejectedBytes += (await stat(path.join(options.dir, name))).size;
    }
    return new Spill(options, waiting, rejectedBytes);
  } catch (cause) {
    throw spillUnwritable(options.dir, cause);
  }
}

/** Call records on disk: a file for each batch that is not stored yet. */
export class Spill {
  readonly #o: SpillOptions;
  /** Files whose records are in memory no more, the oldest first. */
  readonly #waiting: Waiting[];
  readonly #disk: Disk;
  #rejectedBytes: number;
  #sequence = 0;
  #unreadable = 0;

  constructor(options: SpillOptions, waiting: Waiting[], rejectedBytes: number) {
    this.#o = options;
    this.#waiting = waiting;
    this.#rejectedBytes = rejectedBytes;
    this.#disk = new Disk(options);
    for (const { bytes } of waiting) this.#disk.give(-bytes);
  }

  /** Since when the disk takes no records; null while it does. */
  get refusedSince(): Date | null {
    return this.#disk.refusedSince;
  }

  get isEmpty(): boolean {
    return this.#waiting.length === 0;
  }

  /** Files that could not be read, since the start. */
  get unreadable(): number {
    return this.#unreadable;
  }

  /** Records that wait on disk alone. */
  get size(): number {
    return this.#waiting.reduce((sum, file) => sum + file.records, 0);
  }

  /** An empty batch; its file is made with its first record. */
  begin(): Batch {
    // Sorts by age: the time has 13 digits until the year 2286.
    const order = `${this.#o.clock()}-${String(this.#sequence++).padStart(6, '0')}`;
    const name = `${prefix}${order}-${randomBytes(4).toString('hex')}.jsonl`;
    return new Batch(path.join(this.#o.dir, name), this.#disk);
  }

  /** Resolves when all of the batch is safe on the disk, so that memory may forget it; rejects when the disk refuses. */
  async keep(batch: Batch): Promise<void> {
    await batch.keep();
    await syncFolder(this.#o.dir);
    const name = path.basename(batch.path);
    this.#waiting.push({ name, records: batch.records.length, bytes: batch.bytes });
  }

  /** The oldest waiting file, or null. One that cannot be read is skipped. */
  async oldest(): Promise<SpillFile | null> {
    const name = this.#waiting[0]?.name;
    if (name === undefined) return null;
    try {
      return { name, ...parse(await readFile(path.join(this.#o.dir, name), 'utf8')) };
    } catch (cause) {
      this.#forget(name);
      this.#unreadable += 1;
      throw new Error(`${name} cannot be read; it is left for the next start`, { cause });
    }
  }

  /** Deletes a file whose records are stored. */
  async remove(name: string): Promise<void> {
    // Forgotten first: one that cannot be deleted must not be stored over and over.
    this.#forget(name);
    await rm(path.join(this.#o.dir, name), { force: true });
  }

  /** Sets records aside for a person to look at: `rejected-*.jsonl`, never read again. */
  async reject(refusals: readonly Refusal[]): Promise<void> {
    const content = toLines(refusals);
    if (this.#rejectedBytes + content.length > maxRejectedBytes) {
      throw new Error(`The rejected-*.jsonl files in ${this.#o.dir} are full; look at them and delete them.`);
    }
    const day = new Date(this.#o.clock()).toISOString().slice(0, 10);
    const handle = await open(path.join(this.#o.dir, `${rejectedPrefix}${day}.jsonl`), 'a', 0o600);
    try {
      await handle.appendFile(content);
      await handle.datasync();
    } finally {
      await handle.close();
    }
    this.#rejectedBytes += content.length;
  }

  #forget(name: string): void {
    const at = this.#waiting.findIndex((file) => file.name === name);
    const [file] = at < 0 ? [] : this.#waiting.splice(at, 1);
    this.#disk.give(file?.bytes ?? 0);
  }
}

// Without it a power cut may take the new file's name away, and the synced content with it.
async function syncFolder(dir: string): Promise<void> {
  if (process.platform === 'win32') return;
  const handle = await open(dir, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

function toLines(values: readonly unknown[]): Buffer {
  return Buffer.from(values.map((value) => `${JSON.stringify(value)}\n`).join(''));
}

function countLines(content: Buffer): number {
  let lines = 0;
  for (let at = content.indexOf(10); at >= 0; at = content.indexOf(10, at + 1)) lines += 1;
  return lines;
}

function parse(content: string): Omit<SpillFile, 'name'> {
  const lines = content.split('\n');
  const torn = lines.pop() !== '';
  const records: CallRecord[] = [];
  const unreadable: Refusal[] = [];
  for (const line of lines) {
    const record = parseLine(line);
    if (record) records.push(record);
    else unreadable.push({ record: line, reason: 'not a call record' });
  }
  return { records, unreadable, torn };
}

function parseLine(line: string): CallRecord | null {
  try {
    const value: unknown = JSON.parse(line);
    // Only these files' own writer is believed, and the database checks each field again.
    return typeof value === 'object' && value !== null && 'id' in value ? (value as CallRecord) : null;
  } catch {
    return null; // Damaged on disk: it goes to the rejected records.
  }
}
