import { chmod, lchown, lstat, readdir, rm } from 'node:fs/promises';
import path from 'node:path';

/** More than any package has. */
const mostFiles = 300_000;

/**
 * Makes everything in a directory readable for everybody and writable for its owner alone, who is the runner's user.
 * Nothing may run any more that could write there. Links are not followed, and what is neither file, directory nor
 * link goes. Returns what it takes of the disk, in bytes.
 */
export async function closeTree(directory: string): Promise<number> {
  const isRoot = process.getuid?.() === 0;
  const queue = [directory];
  let files = 0;
  let bytes = 0;
  for (let next = queue.pop(); next !== undefined; next = queue.pop()) {
    await makeReadable(next, { isRoot, mode: 0o755 });
    for (const entry of await readdir(next, { withFileTypes: true })) {
      if (++files > mostFiles) throw new Error(`it has more than ${mostFiles} files`);
      const file = path.join(next, entry.name);
      const { mode, blocks } = await lstat(file);
      bytes += blocks * 512;
      if (entry.isDirectory()) queue.push(file);
      else if (entry.isFile()) await makeReadable(file, { isRoot, mode: mode & 0o111 ? 0o755 : 0o644 });
      else if (!entry.isSymbolicLink()) await rm(file);
      else if (isRoot) await lchown(file, 0, 0);
    }
  }
  return bytes;
}

/** Without the bits that let a program become somebody else. */
async function makeReadable(
  file: string,
  { isRoot, mode }: { readonly isRoot: boolean; readonly mode: number },
): Promise<void> {
  if (isRoot) await lchown(file, 0, 0);
  await chmod(file, mode);
}
