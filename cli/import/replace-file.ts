import { randomBytes } from 'node:crypto';
import { type FileHandle, open, realpath, rename, rm, stat } from 'node:fs/promises';
import path from 'node:path';
import { bytesAt } from '../read-text.ts';

/** Somebody else has changed the file since it was read; what they wrote would be lost. */
export class FileChanged extends Error {}

/**
 * As a whole or not at all: a running gate reads the file at any moment. `before` is what was read of it. A file that is
 * made here belongs to its owner alone, for it comes from one that held keys; one that is there keeps its rights. The
 * draft has a name that nobody can foresee and is made by us or not at all, so that no link leads it elsewhere.
 */
export async function replaceFile(file: string, before: Buffer | null, text: string): Promise<void> {
  const real = await realpath(file).catch(() => file);
  const draft = path.join(
    path.dirname(real),
    `.${path.basename(real)}.${randomBytes(8).toString('hex')}.draft`,
  );
  const handle = await open(draft, 'wx', 0o600);
  try {
    await handle.writeFile(text);
    await takeRights(handle, real);
    await handle.sync();
    await handle.close();
    const now = await bytesAt(real);
    if (before === null ? now !== null : now === null || !now.equals(before)) throw new FileChanged();
    await rename(draft, real);
  } catch (error) {
    await handle.close().catch(() => undefined);
    await rm(draft, { force: true });
    throw error;
  }
}

async function takeRights(draft: FileHandle, real: string): Promise<void> {
  const found = await stat(real).catch(() => undefined);
  if (found === undefined) return;
  // Whoever may not give files away becomes the owner, as with any editor.
  await draft.chown(found.uid, found.gid).catch(() => undefined);
  await draft.chmod(found.mode & 0o777);
}
