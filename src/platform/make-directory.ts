import { mkdir } from 'node:fs/promises';
import path from 'node:path';

/**
 * Makes a directory and what is missing above it, for its owner alone. One level at a time: Node's recursive form
 * never comes back where the file system refuses (below /proc, for one).
 */
export async function makeDirectory(directory: string): Promise<void> {
  try {
    await mkdir(directory, { mode: 0o700 });
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : '';
    if (code === 'EEXIST') return;
    const parent = path.dirname(directory);
    if (code !== 'ENOENT' || parent === directory) throw error;
    await makeDirectory(parent);
    await mkdir(directory, { mode: 0o700 });
  }
}
