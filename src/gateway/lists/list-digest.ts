import { createHash } from 'node:crypto';
import type { ListItem } from './fetch-list.ts';
import { type ListKind, listKinds } from './kinds.ts';

/** A memo of a pure function: lists are replaced as a whole, and it dies with them. */
const digests = new WeakMap<readonly ListItem[], string>();

/** Equal for two lists only when they hold the same items in the same order, byte for byte. */
export function digestOf(items: readonly ListItem[]): string {
  const known = digests.get(items);
  if (known !== undefined) return known;
  const hash = createHash('sha256');
  for (const { raw } of items) hash.update(`${raw.length}:${raw}`);
  const digest = hash.digest('base64url');
  digests.set(items, digest);
  return digest;
}

export function digestOfText(text: string): string {
  return createHash('sha256').update(text).digest('base64url');
}

type Lists = ReadonlyMap<ListKind, readonly ListItem[]>;

export function changedKinds(before: Lists, after: Lists): ListKind[] {
  return listKinds.filter((kind) => {
    const [old, current] = [before.get(kind), after.get(kind)];
    return old !== current && (!old || !current || digestOf(old) !== digestOf(current));
  });
}
