import { z } from 'zod';
import { cursorInvalid } from './errors.ts';

/** The place after which the next page of a newest-first list begins. */
export interface Cursor {
  readonly at: string;
  readonly id: string;
}

const shape = z.tuple([z.iso.datetime(), z.uuid()]);

export function encodeCursor({ at, id }: Cursor): string {
  return Buffer.from(JSON.stringify([at, id])).toString('base64url');
}

/** Reads what `encodeCursor` made. Throws `cursor_invalid` (400) on anything else. */
export function decodeCursor(text: string | undefined): Cursor | null {
  if (text === undefined) return null;
  const read = z
    .string()
    .transform((json, context) => {
      try {
        return JSON.parse(json) as unknown; // `shape` looks at it next
      } catch {
        context.addIssue('not JSON');
        return z.NEVER;
      }
    })
    .pipe(shape)
    .safeParse(Buffer.from(text, 'base64url').toString());
  if (!read.success) throw cursorInvalid();
  const [at, id] = read.data;
  return { at, id };
}
