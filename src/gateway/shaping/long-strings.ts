import { elementsOf, membersOf, type Span } from '../rpc/raw.ts';

/** A string in JSON text, quotes included, and the keys and indexes that lead to it. */
export interface LongString extends Span {
  readonly path: readonly (string | number)[];
}

/** No string shorter than this, as JSON text, is ever cut. */
export const shortestCut = 500;
/** Each level is one more walk over the text; what lies deeper stays whole. */
const deepest = 40;

/** The strings of a JSON value that are long enough to be cut. Keys are none of them. */
export function longStringsOf(text: string): LongString[] {
  const found: LongString[] = [];
  collect(
    text,
    { start: text.length - text.trimStart().length, end: text.trimEnd().length, path: [] },
    found,
  );
  return found;
}

function collect(text: string, value: LongString, found: LongString[]): void {
  const { start, end, path } = value;
  // What is short holds nothing long.
  if (end - start <= shortestCut) return;
  const first = text[start];
  if (first === '"') found.push(value);
  if (path.length === deepest) return;
  if (first === '{') {
    for (const { key, ...span } of membersOf(text, start))
      collect(text, { start: span.start, end: span.end, path: [...path, key] }, found);
  }
  if (first === '[') {
    for (const [index, span] of elementsOf(text, start).entries())
      collect(text, { ...span, path: [...path, index] }, found);
  }
}

const backslash = 0x5c;

/** Where to cut the raw string that begins at `start`, at most at `end`: no escape and no character is cut in two. */
export function cutRawAt(text: string, start: number, end: number): number {
  let at = start + 1;
  let last = at;
  for (let next = at + lengthOfUnit(text, at); next <= end; next = at + lengthOfUnit(text, at)) {
    last = at;
    at = next;
  }
  return at > last && isHighSurrogate(text, last) ? last : at;
}

/** Where the first `units` UTF-16 units of the raw string that begins at `start` end. */
export function rawPlace(text: string, start: number, units: number): number {
  let at = start + 1;
  for (let unit = 0; unit < units; unit++) at += lengthOfUnit(text, at);
  return at;
}

/** Characters that spell one UTF-16 unit. */
function lengthOfUnit(text: string, at: number): number {
  if (text.charCodeAt(at) !== backslash) return 1;
  return text[at + 1] === 'u' ? 6 : 2;
}

function isHighSurrogate(text: string, at: number): boolean {
  const isEscaped = text.charCodeAt(at) === backslash;
  const unit = isEscaped ? Number.parseInt(text.slice(at + 2, at + 6), 16) : text.charCodeAt(at);
  return unit >= 0xd800 && unit <= 0xdbff && (!isEscaped || text[at + 1] === 'u');
}
