import { z } from 'zod';
import { cursorInvalid } from './errors.ts';

/** The place after which the next page of a newest-first list begins. */
export interface Cursor {
  readonly timestamp: string;
  readonly id: string;
}

const shapes = {
  integer: z.tuple([z.iso.datetime(), z.string().regex(/^\d{1,18}$/)]),
  uuid: z.tuple([z.iso.datetime(), z.guid()]),
};

export function encodeCursor(last: Cursor): string {
  return Buffer.from(JSON.stringify([last.timestamp, last.id])).toString('base64url');
}

/** Reads what `encodeCursor` made. Throws `cursor_invalid` (400) on anything else. */
export function decodeCursor(text: string | undefined, idKind: keyof typeof shapes): Cursor | null {
  if (text === undefined) return null;
  const parsed = shapes[idKind].safeParse(parseJson(Buffer.from(text, 'base64url').toString()));
  if (!parsed.success) throw cursorInvalid();
  const [timestamp, id] = parsed.data;
  return { timestamp, id };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The schema refuses it with the one message that all bad cursors get.
    return undefined;
  }
}
