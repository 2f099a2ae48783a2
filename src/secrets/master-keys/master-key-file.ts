import { randomBytes } from 'node:crypto';
import { chmod, link, open, readFile, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { messageOf } from '../../platform/errors.ts';
import type { Log } from '../../platform/log.ts';
import { makeDirectory } from '../../platform/make-directory.ts';
import { keyBytes } from './master-key.ts';

/** The text of the key file in the data directory, which is made, with a warning, when there is none. */
export async function readOrMakeKeyFile(file: string, log: Log): Promise<string> {
  const text = (await readIfThere(file)) ?? (await makeKeyFile(file, log));
  await tighten(file, log);
  return text;
}

/**
 * Adds a key that is made here to those of the file: a crash leaves the old file or the new one. Returns the new text.
 * Whoever calls sees to it that nobody else does so at the same time, or one of two keys would be lost.
 */
export async function addToKeyFile(file: string): Promise<string> {
  const before = (await readFile(file, 'utf8')).trimEnd();
  const text = `${before}\n${newEntry()}\n`;
  const draft = await writeDraft(file, text);
  try {
    await rename(draft, file);
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  }
  await syncDirectory(path.dirname(file));
  return text;
}

/** Warns when others on this machine may read a file that is not ours to change. */
export async function warnIfOpen(file: string, log: Log): Promise<void> {
  if (process.platform === 'win32' || ((await stat(file)).mode & 0o007) === 0) return;
  log.warn({ file }, 'the master key file is open to every user of this machine; make its mode 0400');
}

async function readIfThere(file: string): Promise<string | null> {
  try {
    return await readFile(file, 'utf8');
  } catch (error) {
    if (hasCode(error, 'ENOENT')) return null;
    throw error;
  }
}

/** Makes the file as a whole or not at all, and never over another: two programs that start at once get one key. */
async function makeKeyFile(file: string, log: Log): Promise<string> {
  await makeDirectory(path.dirname(file));
  const draft = await writeDraft(file, `${newEntry()}\n`);
  try {
    await link(draft, file);
    await syncDirectory(path.dirname(file));
    log.warn(
      { file },
      'made a master key; keep a copy of this file in a safe place: without it no stored credential can be read',
    );
  } catch (error) {
    if (!hasCode(error, 'EEXIST')) throw error;
  } finally {
    await rm(draft, { force: true });
  }
  return readFile(file, 'utf8');
}

async function writeDraft(file: string, text: string): Promise<string> {
  const draft = `${file}.${randomBytes(6).toString('hex')}`;
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await handle.sync();
  } catch (error) {
    await rm(draft, { force: true });
    throw error;
  } finally {
    await handle.close();
  }
  return draft;
}

/** After this the name is on the disk too. A key that is used and then gone could never be made again. */
async function syncDirectory(directory: string): Promise<void> {
  if (process.platform === 'win32') return; // A directory cannot be opened there.
  const handle = await open(directory, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function tighten(file: string, log: Log): Promise<void> {
  // Windows has no such permission bits.
  if (process.platform === 'win32' || ((await stat(file)).mode & 0o077) === 0) return;
  try {
    await chmod(file, 0o600);
    log.warn({ file }, 'the master key file was open to other users of this machine; its mode is 0600 again');
  } catch (error) {
    log.warn(
      { file, error: messageOf(error) },
      'the master key file is open to other users of this machine; make its mode 0600',
    );
  }
}

function newEntry(): string {
  const bytes = randomBytes(keyBytes);
  const entry = bytes.toString('base64');
  bytes.fill(0);
  return entry;
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
