import { TextMistake } from './text-mistake.ts';

/** `NAME=VALUE`; `line` is the one that it begins on. */
export interface EnvLine {
  readonly line: number;
  readonly name: string;
  readonly value: string;
}

const assignment = /^[^\S\n]*(?:export[^\S\n]+)?([A-Za-z_][A-Za-z0-9_.-]*)[^\S\n]*=[^\S\n]*/;

/**
 * A `.env` file as common programs read it: `export`, comments, values in double quotes (with `\n`, `\r`, `\t`, `\"` and
 * `\\`), in single quotes or in none; quoted ones may go over several lines. Nothing in it is expanded.
 */
export function parseEnvFile(text: string): EnvLine[] {
  const found: EnvLine[] = [];
  let rest = text.replace(/^\uFEFF/, '').replaceAll(/\r\n?/g, '\n');
  let line = 1;
  while (rest !== '') {
    const used = oneLine(rest, line, found);
    line += used.split('\n').length - 1;
    rest = rest.slice(used.length);
  }
  return found;
}

/** Reads one assignment, comment or empty line; returns the text that it took, its line break included. */
function oneLine(rest: string, line: number, found: EnvLine[]): string {
  const [whole = ''] = /^[^\n]*\n?/.exec(rest) ?? [];
  if (/^\s*(?:#|$)/.test(whole)) return whole;
  const [begin, name] = assignment.exec(whole) ?? [];
  if (begin === undefined || name === undefined)
    throw new TextMistake(line, 'is neither NAME=VALUE nor a comment');
  const { value, length } = valueAt(rest.slice(begin.length), line);
  found.push({ line, name, value });
  const behind = /^[^\S\n]*(?:#[^\n]*)?(?:\n|$)/.exec(rest.slice(begin.length + length));
  if (behind === null) throw new TextMistake(line, 'has something behind a closing quote');
  return rest.slice(0, begin.length + length + behind[0].length);
}

function valueAt(text: string, line: number): { value: string; length: number } {
  const quote = text[0] ?? '';
  if (!['"', "'", '`'].includes(quote)) return plainValue(text);
  const end = endOfQuoted(text, quote);
  if (end < 0) throw new TextMistake(line, 'has a quote that nothing closes');
  const inside = text.slice(1, end);
  return { value: quote === '"' ? unescaped(inside) : inside, length: end + 1 };
}

/** A "#" begins a comment only behind white space: many keys hold one. */
function plainValue(text: string): { value: string; length: number } {
  const [whole = ''] = text.split('\n', 1);
  const comment = whole.startsWith('#') ? 0 : whole.search(/\s#/);
  const value = (comment < 0 ? whole : whole.slice(0, comment)).trimEnd();
  return { value, length: value.length };
}

function endOfQuoted(text: string, quote: string): number {
  for (let at = 1; at < text.length; at += 1) {
    if (text[at] === quote) return at;
    if (quote === '"' && text[at] === '\\') at += 1;
  }
  return -1;
}

const escapes: Readonly<Record<string, string>> = { n: '\n', r: '\r', t: '\t' };

function unescaped(text: string): string {
  return text.replaceAll(/\\(["\\nrt])/g, (_whole, character: string) => escapes[character] ?? character);
}
