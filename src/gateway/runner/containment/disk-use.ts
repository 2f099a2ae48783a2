import type { Dirent, Stats } from 'node:fs';
import { lstat, readdir, stat } from 'node:fs/promises';
import path from 'node:path';

/** More than anybody needs; counting them takes longer than anybody should have to wait. */
const mostFiles = 200_000;
const deepest = 100;
const mostDescriptors = 10_000;

/** `bytes`, or why they cannot be counted: "it …". */
export type DiskUse = { readonly bytes: number } | { readonly uncountable: string };

/**
 * What a process takes of the disk: its directories, and files that it has deleted but holds open. Sparse files count
 * with what they really take, files of several names once; links are not followed.
 */
export async function diskUse(directories: readonly string[], pids: readonly number[]): Promise<DiskUse> {
  const sum = new Sum();
  const queue = directories.map((directory) => ({ directory, depth: 0 }));
  for (let next = queue.pop(); next; next = queue.pop()) {
    const { directory, depth } = next;
    const entries = await entriesOf(directory);
    if (entries === undefined) return { uncountable: 'keeps a directory from being counted' };
    if (depth > deepest || sum.files + entries.length > mostFiles)
      return {
        uncountable: `keeps more than ${mostFiles} files, or more than ${deepest} levels of directories`,
      };
    for (const entry of entries) {
      const file = path.join(directory, entry.name);
      const found = await lstat(file).catch(() => undefined);
      if (found) sum.add(found);
      if (entry.isDirectory()) queue.push({ directory: file, depth: depth + 1 });
    }
  }
  for (const pid of pids) for (const one of await deletedButOpen(pid)) sum.add(one);
  return { bytes: sum.bytes };
}

class Sum {
  bytes = 0;
  files = 0;
  readonly #seen = new Set<string>();

  add({ dev, ino, nlink, blocks }: Stats): void {
    this.files++;
    const isOnlyName = nlink === 1;
    const name = isOnlyName ? '' : `${dev}:${ino}`;
    if (!isOnlyName && this.#seen.has(name)) return;
    if (!isOnlyName) this.#seen.add(name);
    this.bytes += blocks * 512;
  }
}

/** Empty for a directory that went meanwhile, undefined for one that nobody can look into. */
async function entriesOf(directory: string): Promise<Dirent[] | undefined> {
  try {
    return await readdir(directory, { withFileTypes: true });
  } catch (error) {
    return error instanceof Error && 'code' in error && error.code === 'ENOENT' ? [] : undefined;
  }
}

async function deletedButOpen(pid: number): Promise<Stats[]> {
  const descriptors = await readdir(`/proc/${pid}/fd`).catch(() => []);
  const found = await Promise.all(
    descriptors.slice(0, mostDescriptors).map((fd) => stat(`/proc/${pid}/fd/${fd}`).catch(() => undefined)),
  );
  return found.filter((one) => one?.isFile() === true && one.nlink === 0).filter((one) => one !== undefined);
}
