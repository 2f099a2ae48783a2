import { randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { z } from 'zod';
import type { Log } from '../../../platform/log.ts';
import { removeIfPossible, removeTree } from '../remove-tree.ts';

/** Where one package is. */
export interface Place {
  readonly key: string;
  readonly around: string;
  /** All that whoever runs it sees of it. */
  readonly files: string;
  /** Outside of what a package can write: it says that the package is complete, and when it was last used. */
  readonly mark: string;
}

const made = z.object({ spec: z.string(), bytes: z.number() });
type Made = z.infer<typeof made>;

/** How long a package stays that nobody starts, in milliseconds. */
const kept = 30 * 24 * 3_600_000;
const gonePrefix = '.gone-';

/** The directories of packages: which are complete, which are in use, and which can go. */
export class Shelves {
  readonly #root: string;
  readonly #log: Log;
  readonly #held = new Map<string, number>();

  constructor(root: string, log: Log) {
    this.#root = root;
    this.#log = log;
  }

  place(key: string): Place {
    const around = path.join(this.#root, key);
    return { key, around, files: path.join(around, 'files'), mark: path.join(around, 'made.json') };
  }

  /** Until the function that it returns is called, it stays. */
  hold(key: string): () => void {
    this.#held.set(key, (this.#held.get(key) ?? 0) + 1);
    let isOver = false;
    return () => {
      if (isOver) return;
      isOver = true;
      const left = (this.#held.get(key) ?? 1) - 1;
      if (left === 0) this.#held.delete(key);
      else this.#held.set(key, left);
    };
  }

  /** Is it complete? Whoever asks is about to use it. */
  async made({ mark }: Place): Promise<boolean> {
    if (!(await madeOf(mark))) return false;
    const now = new Date();
    await utimes(mark, now, now);
    return true;
  }

  /** An empty directory for it. */
  async begin(place: Place): Promise<string> {
    await this.discard(place);
    await mkdir(place.around, { mode: 0o700 });
    return place.around;
  }

  /** What there is of it so far goes; false: not from the disk. */
  async discard({ around }: Place): Promise<boolean> {
    const gone = path.join(this.#root, `${gonePrefix}${randomBytes(6).toString('hex')}`);
    try {
      renameSync(around, gone);
    } catch {
      return false; // It is not there, or somebody else is removing it.
    }
    return removeIfPossible(gone, this.#log);
  }

  async finish({ around, mark }: Place, about: Made): Promise<void> {
    for (const name of ['tmp', 'shm']) await removeTree(path.join(around, name));
    await writeFile(mark, JSON.stringify(about), { mode: 0o600 });
  }

  /** It is of no use any more, and is made again. */
  unmake({ mark }: Place): Promise<void> {
    return rm(mark, { force: true });
  }

  /** Removes those that were not used for the longest time; false: what is in use takes too much. */
  async makeRoom(mostBytes: number): Promise<boolean> {
    const all = (await this.#all()).sort((a, b) => a.usedAt - b.usedAt);
    let bytes = all.reduce((sum, one) => sum + one.bytes, 0);
    for (const one of all) {
      if (bytes < mostBytes) return true;
      if (await this.#remove(one.key)) bytes -= one.bytes;
    }
    return bytes < mostBytes;
  }

  async sweep(now: number): Promise<void> {
    const all = new Map((await this.#all()).map((one) => [one.key, one]));
    for (const key of await namesIn(this.#root)) {
      const usedAt = all.get(key)?.usedAt;
      if (usedAt === undefined || now - usedAt > kept || key.startsWith(gonePrefix)) await this.#remove(key);
    }
  }

  async #all(): Promise<{ key: string; bytes: number; usedAt: number }[]> {
    const found = (await namesIn(this.#root)).map(async (key) => {
      const { mark } = this.place(key);
      const about = await madeOf(mark);
      const usedAt = (await stat(mark).catch(() => undefined))?.mtimeMs;
      return about && usedAt !== undefined ? [{ key, bytes: about.bytes, usedAt }] : [];
    });
    return (await Promise.all(found)).flat();
  }

  /** False while somebody uses it. Nobody can begin to between the look and the renaming. */
  async #remove(key: string): Promise<boolean> {
    if (this.#held.has(key) || !(await this.discard(this.place(key)))) return false;
    if (!key.startsWith(gonePrefix))
      this.#log.info({ package: key }, 'a package was removed that nobody uses');
    return true;
  }
}

async function madeOf(mark: string): Promise<Made | undefined> {
  const text = await readFile(mark, 'utf8').catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return made.safeParse(JSON.parse(text)).data;
  } catch {
    return undefined; // It was being written when the power went.
  }
}

async function namesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
