// Pages by key: the cursor is the last id of the page before, so rows that come and go shift nothing.
import type { Page } from '../platform/contract.ts';
import { cursorInvalid } from './errors.ts';

/** The id after which the page begins, or null for the first page. Throws `cursor_invalid` (400). */
export function decodeCursor(cursor: string | undefined): string | null {
  if (cursor === undefined) return null;
  const id = Buffer.from(cursor, 'base64url').toString();
  // A cursor of ours survives the way there and back, and PostgreSQL takes no NUL.
  if (id === '' || id.includes('\u0000') || encodeCursor(id) !== cursor) throw cursorInvalid();
  return id;
}

/** Makes a page of rows that were asked for with `limit + 1`: the one too many tells that more follow. */
export function pageOf<Row, Item>(
  rows: readonly Row[],
  limit: number,
  idOf: (row: Row) => string,
  itemOf: (row: Row) => Item,
): Page<Item> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  const more = rows.length > limit && last !== undefined;
  return { items: shown.map(itemOf), nextCursor: more ? encodeCursor(idOf(last)) : null };
}

/** A LIKE pattern for "contains", in which `%`, `_` and `\` mean themselves; null matches everything. */
export function contains(search: string | undefined): string | null {
  if (search === undefined || search === '') return null;
  return `%${search
    .toWellFormed()
    .replaceAll('\u0000', '')
    .replaceAll(/[\\%_]/g, '\\$&')}%`;
}

function encodeCursor(id: string): string {
  return Buffer.from(id).toString('base64url');
}
