import { findNodeAtLocation, type Node, type ParseError, parseTree, printParseErrorCode } from 'jsonc-parser';

export type JsonPath = readonly (string | number)[];

/** Where something stands in a text; both count from 1. */
export interface Position {
  readonly line: number;
  readonly column: number;
}

export interface JsoncError extends Position {
  readonly message: string;
}

/** A parsed text. `value` is what could be understood; believe it only when `errors` is empty. */
export interface Jsonc {
  readonly value: unknown;
  readonly errors: readonly JsoncError[];
  /** Position of the key (or list item) that `path` names, or of its nearest parent that exists. */
  readonly locate: (path: JsonPath) => Position;
}

/** Reads JSON with comments and trailing commas. A key given twice is an error: the first one would be lost in silence. */
export function parseJsonc(text: string): Jsonc {
  const syntax: ParseError[] = [];
  const root = parseTree(text, syntax, { allowTrailingComma: true });
  const at = positions(text);
  const errors = syntax.map((error) => ({
    ...at(error.offset),
    message: syntaxMessages[printParseErrorCode(error.error)] ?? 'is not valid JSON',
  }));
  const refuse = (node: Node, message: string) => errors.push({ ...at(node.offset), message });
  const value = root && read(root, refuse);
  return { value, errors, locate: (path) => at(nearest(root, path)) };
}

const syntaxMessages: Readonly<Record<string, string>> = {
  InvalidSymbol: 'unknown word; text needs double quotes',
  InvalidNumberFormat: 'not a number',
  PropertyNameExpected: 'a key in double quotes is expected here',
  ValueExpected: 'a value is expected here',
  ColonExpected: 'a colon is expected here',
  CommaExpected: 'a comma is missing before this',
  CloseBraceExpected: 'a closing "}" is missing',
  CloseBracketExpected: 'a closing "]" is missing',
  EndOfFileExpected: 'nothing may follow the end of the object',
  InvalidCommentToken: 'not a comment',
  UnexpectedEndOfComment: 'this comment is never closed',
  UnexpectedEndOfString: 'this text is never closed; a double quote is missing',
  UnexpectedEndOfNumber: 'this number is not complete',
  InvalidUnicode: 'not a valid \\u escape',
  InvalidEscapeCharacter: 'not a valid escape; a backslash is written as \\\\',
  InvalidCharacter: 'this character is not allowed here',
};

function read(node: Node, refuse: (node: Node, message: string) => void): unknown {
  if (node.type === 'array') return (node.children ?? []).map((item) => read(item, refuse));
  if (node.type !== 'object') return node.value;
  const entries = new Map<string, unknown>();
  for (const { children: [key, value] = [] } of node.children ?? []) {
    if (key === undefined) continue;
    const name = String(key.value);
    if (entries.has(name)) refuse(key, `the key "${name}" is given twice`);
    // Written into an object it would replace the prototype instead of becoming a key.
    else if (name === '__proto__') refuse(key, 'the key "__proto__" is not allowed');
    else entries.set(name, value && read(value, refuse));
  }
  return Object.fromEntries(entries);
}

function nearest(root: Node | undefined, path: JsonPath): number {
  for (let length = path.length; root !== undefined && length > 0; length--) {
    const node = findNodeAtLocation(root, path.slice(0, length));
    // A property's value has the property as its parent, which begins at the key.
    if (node) return node.parent?.type === 'property' ? node.parent.offset : node.offset;
  }
  return root?.offset ?? 0;
}

function positions(text: string): (offset: number) => Position {
  const starts = [0, ...Array.from(text.matchAll(/\n/g), (match) => match.index + 1)];
  return (offset) => {
    const after = starts.findIndex((start) => start > offset);
    const line = after === -1 ? starts.length : after;
    return { line, column: offset - (starts[line - 1] ?? 0) + 1 };
  };
}
