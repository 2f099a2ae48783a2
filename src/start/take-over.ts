// What workers left on disk: there may be fewer of them than there were.
import { readdir, rename } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';
import { makeDirectory } from '../platform/make-directory.ts';

/** Records are records under any name. Renewed tokens are known by theirs, and others of that name have to wait. */
const folders = { spill: { anyName: true }, 'unsaved-tokens': { anyName: false } };

/**
 * Gives what other workers kept to the first one, which is there however many serve. Called before anything of it is
 * opened. What cannot be moved stays for the next start, and the log says so.
 */
export async function takeOver(dataDir: string, log: Log): Promise<void> {
  const workers = (await namesIn(dataDir)).filter((name) => /^worker-\d+$/.test(name)).sort();
  for (const worker of workers) {
    for (const [folder, { anyName }] of Object.entries(folders)) {
      const [from, to] = [path.join(dataDir, worker, folder), path.join(dataDir, folder)];
      try {
        const files = await namesIn(from);
        if (files.length === 0) continue;
        await makeDirectory(to);
        const taken = new Set(await namesIn(to));
        for (const file of files) {
          const name = anyName ? freeName(file, worker, taken) : file;
          if (taken.has(name)) continue;
          await rename(path.join(from, file), path.join(to, name));
          taken.add(name);
        }
      } catch (error) {
        log.error({ folder: from, error: messageOf(error) }, 'what a worker left cannot be taken over');
      }
    }
  }
}

/** Whatever stands there under the same name is somebody else's. */
function freeName(file: string, worker: string, taken: ReadonlySet<string>): string {
  const { name, ext } = path.parse(file);
  let free = file;
  for (let n = 1; taken.has(free); n++) free = `${name}-${worker}${n === 1 ? '' : `-${n}`}${ext}`;
  return free;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
