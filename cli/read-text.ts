import { readFile } from 'node:fs/promises';
import { CallError, type Input, plain, type Terminal } from './terminal.ts';

/** A text file, in whichever way its first bytes say that it is written. Throws CallError. */
export async function readText(file: string): Promise<string> {
  const bytes = await bytesAt(file);
  if (bytes === null) throw new CallError(`${plain(file)} cannot be read: there is no such file.`);
  return textIn(bytes, file);
}

/**
 * UTF-8, with or without a byte order mark, or UTF-16 with one, as Excel and Windows write it. Anything else would turn
 * into other characters than were written, and a key with such a one works nowhere: it is refused. `name` is for people.
 */
export function textIn(bytes: Uint8Array, name: string): string {
  const mark = marks.find(({ begins }) => begins.every((byte, at) => bytes[at] === byte));
  // The decoder takes the mark off.
  const text = new TextDecoder(mark?.encoding ?? 'utf-8').decode(bytes);
  const at = text.search(/[\0\uFFFD]/);
  if (at < 0) return text;
  const line = text.slice(0, at).split(/\r\n?|\n/).length;
  const which = text[at] === '\0' ? 'UTF-16 without a mark, or no text' : 'Windows-1252, or damaged before';
  throw new CallError(
    `${plain(name)} is not UTF-8: line ${line} cannot be read. It may be ${which}. Save it as UTF-8 (in Excel: "CSV UTF-8"), or convert it: iconv -f WINDOWS-1252 -t UTF-8 <file> > <new file>. Nothing was changed.`,
  );
}

/**
 * A secret out of a file, or of standard input where the file is "-"; a person who sits there is asked for it. The line
 * break that an editor or `echo` leaves at the end is none of the secret's. Throws CallError.
 */
export async function readSecret(file: string, { input }: Terminal, what: string): Promise<string> {
  const text = file === '-' ? await ofInput(input, what) : await readText(file);
  const value = text.replace(/\r?\n$/, '');
  if (value === '')
    throw new CallError(
      `${file === '-' ? 'Standard input' : plain(file)} holds no ${what}; nothing was changed.`,
    );
  return value;
}

async function ofInput(input: Input | undefined, what: string): Promise<string> {
  if (!input) throw new CallError(`There is nobody to ask for the ${what}, and nothing is piped in.`);
  return input.isPerson ? await input.askHidden(`${plain(what)}: `) : await input.read();
}

const marks = [
  { begins: [0xff, 0xfe], encoding: 'utf-16le' },
  { begins: [0xfe, 0xff], encoding: 'utf-16be' },
] as const;

/** What a file holds; null when it is not there. Throws CallError. */
export async function bytesAt(file: string): Promise<Buffer | null> {
  try {
    return await readFile(file);
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    if (code === 'ENOENT') return null;
    throw new CallError(`${plain(file)} cannot be read${reasons[code] ?? ''}.`, { cause });
  }
}

const reasons: Readonly<Record<string, string>> = {
  EACCES: ': this user may not',
  EISDIR: ': it is a directory',
};
