import { randomBytes } from 'node:crypto';
import { chmod, lstat, readdir, rename, rmdir, unlink } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../platform/log.ts';

/**
 * Removes a directory whatever a server has made of it: directories that may not be written, names that are no text, and
 * trees so deep that their paths are longer than the system takes. Links are not followed. Nothing may run any more
 * that could write there.
 */
export async function removeTree(directory: string): Promise<void> {
  const found = await lstat(directory).catch(unlessGone);
  if (!found) return;
  if (!found.isDirectory()) return unlink(directory).catch(unlessGone);
  const prefix = randomBytes(6).toString('hex');
  const queue = [directory];
  let moved = 0;
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    await open(next);
    for (const entry of (await readdir(next, inBytes).catch(unlessGone)) ?? []) {
      const at = Buffer.concat([Buffer.from(`${next}/`), entry.name]);
      if (entry.isDirectory()) {
        // Up, so that no path gets longer, however deep it was.
        const flat = path.join(directory, `${prefix}-${moved++}`);
        await open(at);
        await rename(at, flat).catch(unlessGone);
        queue.push(flat);
      } else await unlink(at).catch(unlessGone);
    }
    if (next !== directory) await rmdir(next).catch(unlessGone);
  }
  await rmdir(directory).catch(unlessGone);
}

/** False, and a word in the log, where something keeps it from going. */
export async function removeIfPossible(directory: string, log: Log): Promise<boolean> {
  try {
    await removeTree(directory);
    return true;
  } catch (error) {
    log.error({ err: error, directory }, 'a directory that is of no use any more could not be removed');
    return false;
  }
}

const inBytes = { withFileTypes: true, encoding: 'buffer' } as const;

/** Lets its owner look into it, empty it and move it; root may do that anyway. */
async function open(directory: string | Buffer): Promise<void> {
  if (process.getuid?.() !== 0) await chmod(directory, 0o700).catch(unlessGone);
}

/** Somebody else may be removing a part of it. */
function unlessGone(error: unknown): undefined {
  if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
}
