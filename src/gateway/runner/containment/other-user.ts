import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { AppError } from '../../../platform/errors.ts';
import type { User } from '../data-directory.ts';

/** The user that servers run as instead of root. */
export interface OtherUser extends User {
  readonly name: string;
  /** So many numbers from `uid` on belong to the runner; 1 where it is a single user. */
  readonly span: number;
}

const run = promisify(execFile);
const usual = 'nobody';
/** What `TOOLGATE_RUNNER_USER` is set to by whoever wants servers to run as root. */
const stay = 'root';

/**
 * Whom a runner that is root lets servers run as; null when it is not root, or is told to stay. Throws when there is no
 * such user.
 */
export async function otherUser(name: string | undefined): Promise<OtherUser | null> {
  const isRoot = process.getuid?.() === 0;
  if (!isRoot && name !== undefined)
    throw new AppError(
      'runner_user_unusable',
      500,
      'TOOLGATE_RUNNER_USER needs a runner that is started as root; leave it out, or start it as that user.',
    );
  if (!isRoot || name === stay) return null;
  const wanted = name ?? usual;
  const range = /^(\d+)-(\d+)$/.exec(wanted);
  const [first, last] = (range?.slice(1) ?? []).map(Number);
  if (first && last && first <= last) return { name: wanted, uid: first, gid: first, span: last - first + 1 };
  const [, uid, gid = uid] = /^(\d+)(?::(\d+))?$/.exec(wanted) ?? [];
  if (uid !== undefined)
    return Number(uid) === 0 ? null : { name: wanted, uid: Number(uid), gid: Number(gid), span: 1 };
  try {
    const [user, group] = await Promise.all(['-u', '-g'].map((what) => run('id', [what, wanted])));
    return { name: wanted, uid: Number(user?.stdout), gid: Number(group?.stdout), span: 1 };
  } catch (cause) {
    if (name === undefined) return null;
    throw new AppError(
      'runner_user_unusable',
      500,
      `There is no user "${wanted}" on this machine, which TOOLGATE_RUNNER_USER names.`,
      { cause },
    );
  }
}

/** Of a range of users, the one of this owner: always the same, and another for nearly every other owner. */
export function userFor({ name, uid, gid, span }: OtherUser, owner: string): OtherUser {
  const at = createHash('sha256').update(owner).digest().readUInt32BE() % span;
  return { name: span === 1 ? name : `user ${uid + at}`, uid: uid + at, gid: gid + at, span: 1 };
}

/** What a process does with a path. */
export type Use = 'read' | 'write';

/**
 * May the user do that with the file or directory, by its mode alone? `reach` also asks whether it comes to it through
 * the directories above, which it need not where they are not shown to it.
 */
export async function mayUse(
  user: User,
  target: string,
  { use, reach }: { readonly use: Use; readonly reach: boolean },
): Promise<boolean> {
  const found = await stat(target).catch(() => undefined);
  // What is not there, nobody can use: that is not the user's fault.
  if (!found) return true;
  const bits = (use === 'write' ? 0o6 : 0o4) | (found.isDirectory() ? 0o1 : 0);
  if ((allowedBits(user, found) & bits) !== bits) return false;
  return !reach || comesTo(user, path.dirname(target));
}

/** Does the user get as far as into this directory? */
export async function comesTo(user: User, directory: string): Promise<boolean> {
  const found = await stat(directory).catch(() => undefined);
  if (found && (allowedBits(user, found) & 0o1) === 0) return false;
  const above = path.dirname(directory);
  return above === directory || comesTo(user, above);
}

function allowedBits(user: User, { uid, gid, mode }: { uid: number; gid: number; mode: number }): number {
  if (uid === user.uid) return (mode >> 6) & 0o7;
  return gid === user.gid ? (mode >> 3) & 0o7 : mode & 0o7;
}
