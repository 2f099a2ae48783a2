/**
 * Where things stand in JSON text, so that the gate can change one member and pass every other byte on
 * as it came: JSON.parse and JSON.stringify would round large integers, turn 1.0 into 1 and move
 * integer-like keys. All functions expect text that JSON.parse has accepted.
 */

export interface Span {
  readonly start: number;
  readonly end: number;
}

export interface Member extends Span {
  readonly key: string;
  /** Where the key's opening quote stands. */
  readonly keyStart: number;
}

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const openBrace = 0x7b;
const closeBrace = 0x7d;
const openBracket = 0x5b;
const closeBracket = 0x5d;

/** Index of the first character at or after `at` that is not JSON white space. */
export function skipSpace(text: string, at: number): number {
  let i = at;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) break;
    i++;
  }
  return i;
}

/** Members of the object that begins at `at`, in order, duplicates included. */
export function membersOf(text: string, at = 0): Member[] {
  const members: Member[] = [];
  let i = skipSpace(text, at) + 1;
  for (;;) {
    i = skipSpace(text, i);
    if (text.charCodeAt(i) !== quote) return members;
    const keyStart = i;
    const keyEnd = endOfString(text, i);
    const start = skipSpace(text, skipSpace(text, keyEnd) + 1);
    const end = endOfValue(text, start);
    members.push({ key: keyText(text, keyStart, keyEnd), keyStart, start, end });
    i = skipSpace(text, end);
    if (text.charCodeAt(i) !== comma) return members;
    i++;
  }
}

/** Elements of the array that begins at `at`. */
export function elementsOf(text: string, at = 0): Span[] {
  const elements: Span[] = [];
  let i = skipSpace(text, skipSpace(text, at) + 1);
  while (text.charCodeAt(i) !== closeBracket) {
    const end = endOfValue(text, i);
    elements.push({ start: i, end });
    i = skipSpace(text, end);
    if (text.charCodeAt(i) === comma) i = skipSpace(text, i + 1);
  }
  return elements;
}

/** The last member of that name, which is the one JSON.parse keeps. */
export function findMember(members: readonly Member[], key: string): Member | undefined {
  return members.findLast((member) => member.key === key);
}

/**
 * The object's text with some members replaced, added (at the end) or removed (`null`); every other byte stays.
 * Values are JSON text.
 */
export function editObject(text: string, changes: Readonly<Record<string, string | null>>): string {
  const members = membersOf(text);
  const parts: string[] = [];
  const written = new Set<string>();
  for (const member of members) {
    // Keys come from callers: one that every object inherits is no change.
    const change = Object.hasOwn(changes, member.key) ? changes[member.key] : undefined;
    if (change === null) continue;
    const kept = change === undefined ? text.slice(member.keyStart, member.end) : pair(member.key, change);
    parts.push(kept);
    written.add(member.key);
  }
  for (const [key, value] of Object.entries(changes)) {
    if (value !== null && !written.has(key)) parts.push(pair(key, value));
  }
  return `{${parts.join(',')}}`;
}

function pair(key: string, value: string): string {
  return `${JSON.stringify(key)}:${value}`;
}

function keyText(text: string, start: number, end: number): string {
  const raw = text.slice(start + 1, end - 1);
  if (!raw.includes('\\')) return raw;
  const parsed: unknown = JSON.parse(text.slice(start, end));
  return String(parsed);
}

/** Index after the string that begins at `at`. */
function endOfString(text: string, at: number): number {
  let i = at + 1;
  for (;;) {
    i = text.indexOf('"', i);
    if (i < 0) return text.length;
    let slashes = 0;
    while (text.charCodeAt(i - 1 - slashes) === backslash) slashes++;
    i++;
    if (slashes % 2 === 0) return i;
  }
}

function endOfValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === quote) return endOfString(text, at);
  if (first === openBrace || first === openBracket) return endOfNested(text, at);
  let i = at;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === comma || c === closeBrace || c === closeBracket || c <= 0x20) break;
    i++;
  }
  return i;
}

function endOfNested(text: string, at: number): number {
  let depth = 0;
  let i = at;
  while (i < text.length) {
    const c = text.charCodeAt(i);
    if (c === quote) {
      i = endOfString(text, i);
      continue;
    }
    if (c === openBrace || c === openBracket) depth++;
    else if (c === closeBrace || c === closeBracket) {
      depth--;
      if (depth === 0) return i + 1;
    }
    i++;
  }
  return i;
}
