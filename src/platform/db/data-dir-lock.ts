import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { link, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../errors.ts';

/** Two programs on one embedded database destroy it, and nothing in PGlite prevents that. */
export interface DataDirLock {
  release(): Promise<void>;
}

interface Holder {
  pid: number;
  /** When that process began, in whatever form the system tells: the same pid later is another process. */
  started: string;
}

/** Takes the lock of `dataDir`, over from a dead process if need be; rejects with `data_dir_in_use`. */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const path = join(dataDir, 'lock');
  const own = JSON.stringify({ pid: process.pid, started: await startOf(process.pid) } satisfies Holder);
  const draft = `${path}.${randomUUID()}`;
  await writeFile(draft, own);
  try {
    // A link appears with its whole content or not at all, and never over an existing file.
    while (!(await linked(draft, path))) await removeStale(path);
  } finally {
    await rm(draft, { force: true });
  }
  return {
    async release() {
      if ((await read(path)) === own) await rm(path, { force: true });
    },
  };
}

async function linked(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (codeOf(error) === 'EEXIST') return false;
    throw error;
  }
}

async function removeStale(path: string): Promise<void> {
  const content = await read(path);
  if (content === undefined) return;
  const holder = parse(content);
  if (holder && (await startOf(holder.pid)) === holder.started) throw inUse(holder.pid);
  const aside = `${path}.${randomUUID()}`;
  try {
    await rename(path, aside);
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return; // Another process was quicker; the next round sees its lock.
    throw error;
  }
  // Another process may have taken the lock over between the reading and the renaming: give it back.
  if ((await read(aside)) !== content) await linked(aside, path);
  await rm(aside, { force: true });
}

async function read(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  }
}

function parse(content: string): Holder | undefined {
  try {
    const value: unknown = JSON.parse(content);
    if (typeof value !== 'object' || value === null || !('pid' in value) || !('started' in value)) return undefined;
    return typeof value.pid === 'number' && typeof value.started === 'string'
      ? { pid: value.pid, started: value.started }
      : undefined;
  } catch {
    return undefined; // Not written by us, or cut off by a power loss: nobody holds it.
  }
}

/** When the process began; an empty string when there is none with this pid. */
async function startOf(pid: number): Promise<string> {
  try {
    if (process.platform === 'linux') {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // From field 3 on, as the name in field 2 may hold blanks and parentheses: 3 is the state (Z: dead, but
      // not yet collected by its parent), 22 the start in ticks since boot.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? '' : (fields[19] ?? '');
    }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], { timeout: 5_000 });
    return stdout.trim();
  } catch {
    return '';
  }
}

function codeOf(error: unknown): unknown {
  return typeof error === 'object' && error !== null && 'code' in error ? error.code : undefined;
}

function inUse(pid: number): AppError {
  const message = `Another Toolgate (pid ${pid}) uses this data directory. Stop it, or set TOOLGATE_DATA_DIR to another directory.`;
  return new AppError('data_dir_in_use', 409, message);
}
