import { createHash, randomBytes } from 'node:crypto';
import { renameSync } from 'node:fs';
import { chmod, chown, lstat, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Log } from '../../platform/log.ts';
import { makeDirectory } from '../../platform/make-directory.ts';
import { removeIfPossible, removeTree } from './remove-tree.ts';

/** Whose process it is: what one may keep, another never sees. */
export interface Owner {
  readonly server: string;
  readonly tenant: string | null;
  /** Who shares the process: empty for everybody, whichever tenant asked first. */
  readonly scope: string;
}

/** The directories of one process. Only what is in them is its own; the one around them is not. */
export interface OwnDirectories {
  /** Stays from one process of the owner to the next. */
  readonly home: string;
  /** Of this process alone, gone when it ends. */
  readonly temporary: string;
  readonly sharedMemory: string;
}

/** The user that a process runs as. */
export interface User {
  readonly uid: number;
  readonly gid: number;
}

const temporaryPrefix = 'tmp-';
/** No id of a server begins like this. */
const gonePrefix = '.gone-';

/** Name of an owner's directory: says which server it is, and of the rest only that it is another. */
export function directoryName({ server, tenant, scope }: Owner): string {
  if (scope === '') return server;
  const whose = createHash('sha256')
    .update(JSON.stringify([tenant, scope]))
    .digest('hex')
    .slice(0, 16);
  return `${server}.${whose}`;
}

/**
 * Makes the directories of a process. Each user has a home of its own: what one has left there, the next might not be
 * able to read, and handing files over can be abused through links.
 */
export async function makeOwnDirectories(
  root: string,
  owner: Owner,
  { id, user }: { readonly id: string; readonly user: User | null },
): Promise<OwnDirectories> {
  const around = path.join(root, directoryName(owner));
  await makeDirectory(around);
  const own = {
    home: path.join(around, user ? `home-${user.uid}` : 'home'),
    temporary: path.join(around, `${temporaryPrefix}${id}`),
    sharedMemory: path.join(around, `${temporaryPrefix}${id}-shm`),
  };
  for (const directory of Object.values(own)) {
    await mkdir(directory, { mode: 0o700, recursive: true });
    if (user) await chown(directory, user.uid, user.gid);
  }
  // Another user has to come through to what is its own. There is nothing to list.
  if (user) for (const directory of [root, around]) await chmod(directory, 0o711);
  return own;
}

/** What a process had for itself alone. */
export async function removeTemporary({ temporary, sharedMemory }: OwnDirectories): Promise<void> {
  for (const directory of [temporary, sharedMemory]) await removeTree(directory);
}

/** Everything of an owner that does not come back. */
export async function removeOwnDirectories(root: string, owner: Owner): Promise<void> {
  await removeTree(path.join(root, directoryName(owner)));
}

/** What processes of an earlier start have left, which was killed before it could clean up. */
export async function removeLeftovers(root: string, log: Log): Promise<void> {
  for (const owner of await namesIn(root)) {
    for (const name of await namesIn(path.join(root, owner))) {
      if (name.startsWith(temporaryPrefix)) await removeIfPossible(path.join(root, owner, name), log);
    }
  }
}

/**
 * Removes what owners have left who had no process since `before`: people, tenants and servers go without a word to
 * the runner. Links are not followed, and of those in use nothing goes.
 */
export async function removeAbandoned(
  root: string,
  o: { readonly before: number; readonly log: Log; inUse(): ReadonlySet<string> },
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await namesIn(root)) {
    const around = path.join(root, name);
    // Each process that starts or ends makes or removes a directory in there; it cannot write there itself.
    const found = await lstat(around).catch(() => undefined);
    const isGone = name.startsWith(gonePrefix);
    if (!found || (found.mtimeMs >= o.before && !isGone) || o.inUse().has(name)) continue;
    const gone = path.join(root, `${gonePrefix}${randomBytes(6).toString('hex')}`);
    try {
      // Nothing can start between the look and this.
      renameSync(around, gone);
    } catch {
      continue; // A session has just ended, and took it along.
    }
    if ((await removeIfPossible(gone, o.log)) && !isGone) removed.push(name);
  }
  return removed;
}

/** When an owner last had a process begin or end; undefined: there are none. */
export async function newestUse(root: string): Promise<number | undefined> {
  const names = (await namesIn(root)).filter((name) => !name.startsWith(gonePrefix));
  const found = await Promise.all(names.map((name) => lstat(path.join(root, name)).catch(() => undefined)));
  const times = found.flatMap((one) => (one ? [one.mtimeMs] : []));
  return times.length === 0 ? undefined : Math.max(...times);
}

async function namesIn(directory: string): Promise<string[]> {
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
}
