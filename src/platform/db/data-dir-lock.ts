import { execFile } from 'node:child_process';
import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { AppError } from '../errors.ts';

/** Two programs on one embedded database destroy it, and nothing in PGlite prevents that. */
export interface DataDirLock {
  release(): Promise<void>;
}

const attempts = 5;

/**
 * Takes the lock of `dataDir`; rejects with `data_dir_in_use` while another process holds it. The lock of a
 * dead process does not count.
 *
 * Each process announces itself under a name of its own and then looks for others. Of two, the later one sees
 * the earlier one, so they never both go on; and no name is ever used again, so clearing away a dead
 * process can never hit a living one.
 */
export async function lockDataDir(dataDir: string): Promise<DataDirLock> {
  const own = `lock.${process.pid}.${await startOf(process.pid)}`;
  const path = join(dataDir, own);
  const release = () => rm(path, { force: true });
  for (let attempt = 1; ; attempt += 1) {
    await announce(path);
    const holder = await otherHolder(dataDir, own).catch(async (error: unknown) => {
      await release();
      throw error;
    });
    if (holder === undefined) return { release };
    await release();
    // Two that start at once may both step back; by chance one is first at the next attempt.
    if (attempt === attempts) throw inUse(holder);
    await sleep(Math.random() * 100);
  }
}

async function announce(path: string): Promise<void> {
  try {
    await writeFile(path, '', { flag: 'wx' });
  } catch (error) {
    const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
    throw exists ? inUse(process.pid) : error;
  }
}

/** The pid of another living holder; clears the dead ones away. */
async function otherHolder(dataDir: string, own: string): Promise<number | undefined> {
  for (const name of await readdir(dataDir)) {
    const match = /^lock\.(\d+)\.(.*)$/.exec(name);
    if (match === null || name === own) continue;
    const pid = Number(match[1]);
    if ((await startOf(pid)) === match[2]) return pid;
    await rm(join(dataDir, name), { force: true });
  }
  return undefined;
}

/** When the process began, to tell it from a later one with the same pid; null when there is none. */
async function startOf(pid: number): Promise<string | null> {
  try {
    if (process.platform === 'linux') {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
      // From field 3 on, as the name in field 2 may hold blanks and parentheses: 3 is the state (Z: dead, but
      // not yet collected by its parent), 22 the start in ticks since boot.
      const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
      return fields[0] === 'Z' ? null : (fields[19] ?? null);
    }
    const { stdout } = await promisify(execFile)('ps', ['-o', 'lstart=', '-p', String(pid)], {
      timeout: 5_000,
    });
    return stdout.trim().replaceAll(/\W+/g, '-');
  } catch {
    return null; // Both ways fail in this manner when there is no such process.
  }
}

function inUse(pid: number): AppError {
  const message = `Another Toolgate (pid ${pid}) uses this data directory. Stop it, or set TOOLGATE_DATA_DIR to another directory.`;
  return new AppError('data_dir_in_use', 409, message);
}
