import { cutRawAt, type LongString, longStringsOf, rawPlace, shortestCut } from './long-strings.ts';

/** A string inside of data that is too large, and what stays of it. */
export interface StringCut {
  /** The whole string. */
  readonly value: string;
  /** So many of its UTF-16 units stay. */
  readonly at: number;
  /** What goes out of the JSON text. */
  readonly start: number;
  readonly end: number;
}

interface Bounds {
  /** Most characters of the JSON text. */
  readonly limit: number;
  /** Characters of the note that each string will end with. */
  readonly noteChars: number;
  /** May the string at this place be cut? */
  readonly isFree: (path: LongString['path']) => boolean;
}

interface Candidate extends LongString {
  readonly value: string;
}

/** The longest ones are looked at; that many more cannot be what makes a result too large. */
const mostStrings = 5_000;

/**
 * How JSON text gets down to the limit by strings that end early: the longest ones to one length, which is no less than
 * `shortestCut` or twice the note. It stays too large where there is not enough to cut.
 */
export function cutsOf(raw: string, { limit, noteChars, isFree }: Bounds): StringCut[] {
  if (raw.length <= limit) return [];
  const strings = longStringsOf(raw)
    .sort((a, b) => lengthOf(b) - lengthOf(a))
    .slice(0, mostStrings)
    .map((one): Candidate => ({ ...one, value: decoded(raw, one.start, one.end) }))
    .filter(({ path, value }) => !isBinary(path.at(-1), value) && isFree(path));
  const shortest = Math.max(shortestCut, 2 * noteChars);
  const longest = Math.max(shortest, levelFor(strings.map(lengthOf), raw.length - limit));
  return strings
    .filter((one) => lengthOf(one) > longest)
    .map(({ start, end, value }) => {
      // Room for the quote at the end, too.
      const from = cutRawAt(raw, start, start + longest - 1 - noteChars);
      return { value, at: decoded(raw, start, from, '"').length, start: from, end: end - 1 };
    });
}

/** The JSON text with each string cut, and the note at its end. */
export function withCuts(raw: string, cuts: readonly StringCut[], note: string): string {
  const parts: string[] = [];
  let from = 0;
  for (const { start, end } of [...cuts].sort((a, b) => a.start - b.start)) {
    parts.push(raw.slice(from, start), note);
    from = end;
  }
  return parts.join('') + raw.slice(from);
}

export interface SameText {
  /** Where the text says what is first cut out of the data. */
  readonly at: number;
  /** What of it the text says. */
  readonly values: ReadonlySet<string>;
}

/** Finds what was cut in a text that says the same: the string itself, or the data as JSON. */
export function sameIn(text: string, atOf: ReadonlyMap<string, number>): SameText | undefined {
  const whole = atOf.get(text);
  if (whole !== undefined) return { at: whole, values: new Set([text]) };
  if (atOf.size === 0 || !/^\s*[[{"]/.test(text) || !isJson(text)) return undefined;
  const values = new Set<string>();
  let first = text.length;
  for (const { start, end } of longStringsOf(text)) {
    const value = decoded(text, start, end);
    const at = atOf.get(value);
    // The same string again is whole where it stands first, or its rest is.
    if (at === undefined || values.has(value)) continue;
    values.add(value);
    first = Math.min(first, rawPlace(text, start, at));
  }
  return values.size === 0 ? undefined : { at: first, values };
}

function lengthOf({ start, end }: LongString): number {
  return end - start;
}

/** The length to cut the longest of these to, so that so many characters go; `lengths` fall. */
function levelFor(lengths: readonly number[], over: number): number {
  let sum = -over;
  for (const [index, length] of lengths.entries()) {
    sum += length;
    const level = Math.floor(sum / (index + 1));
    if (level >= (lengths[index + 1] ?? 0)) return level;
  }
  return 0;
}

/** The string that the raw one says, or the beginning of one, which lacks its closing quote. */
function decoded(raw: string, start: number, end: number, closing = ''): string {
  const value: unknown = JSON.parse(raw.slice(start, end) + closing);
  return String(value);
}

/** Half a picture is none. Keys are those of MCP's own content, which tools repeat in their data. */
function isBinary(key: string | number | undefined, value: string): boolean {
  if (/^data:[^,]{0,200};base64,/.test(value)) return true;
  return (key === 'data' || key === 'blob') && !/[^A-Za-z0-9+/_=\r\n-]/.test(value);
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}
