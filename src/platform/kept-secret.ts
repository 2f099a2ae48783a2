import { randomBytes } from 'node:crypto';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { makeDirectory } from './make-directory.ts';

/** The text of a file in the data directory that only its owner may read; made by `make` when it is not there. */
export async function keptSecret(
  dataDir: string,
  name: string,
  make: () => Promise<string> | string,
): Promise<string> {
  const file = path.join(dataDir, name);
  const found = await readIfThere(file);
  if (found !== undefined) return found;
  return replaceSecret(dataDir, name, await make());
}

/** Writes the file, whatever it held before, and returns the secret. */
export async function replaceSecret(dataDir: string, name: string, secret: string): Promise<string> {
  const file = path.join(dataDir, name);
  await makeDirectory(dataDir);
  await writeFile(file, `${secret}\n`, { mode: 0o600 });
  // An existing file keeps its mode on writing.
  await chmod(file, 0o600);
  return secret;
}

/** The file's text without white space around it; undefined when it is missing or empty. */
export async function readIfThere(file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(file, 'utf8')).trim();
    return text === '' ? undefined : text;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/** 256 random bits, as text that fits into a header. */
export function randomSecret(): string {
  return randomBytes(32).toString('base64url');
}
