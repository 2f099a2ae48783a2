// Turns what zod refuses into sentences for people: one per mistake, with the path of the value at fault.
import { z } from 'zod';

export interface Mistake {
  readonly path: readonly (string | number)[];
  /** What is wrong, to be read after the name of the value: `must be a string, not a number`. Never quotes the value. */
  readonly message: string;
}

export type Checked<T> =
  | { readonly ok: true; readonly value: T }
  | { readonly ok: false; readonly mistakes: readonly Mistake[] };

/** Parses with plain messages and finds every mistake, not only the first. */
export function check<Schema extends z.ZodType>(schema: Schema, input: unknown): Checked<z.output<Schema>> {
  const result = schema.safeParse(input, { error: inPlainWords });
  if (result.success) return { ok: true, value: result.data };
  const byPath = new Map<string, Mistake>();
  for (const mistake of result.error.issues.flatMap((issue) => mistakesOf(issue, schema))) {
    const key = JSON.stringify(mistake.path);
    if (!byPath.has(key)) byPath.set(key, mistake);
  }
  return { ok: false, mistakes: [...byPath.values()] };
}

/** Writes a path as people read it: `groups["a b"].servers.github[0]`. */
export function formatPath(path: readonly (string | number)[]): string {
  return path.reduce<string>((text, part) => {
    if (typeof part === 'number') return `${text}[${part}]`;
    if (!/^[\w$-]+$/.test(part)) return `${text}[${JSON.stringify(part)}]`;
    return text === '' ? part : `${text}.${part}`;
  }, '');
}

/** The name that was probably meant, as `; did you mean "url"?`, or nothing. */
export function didYouMean(word: string, known: Iterable<string>): string {
  if (word.length > 60) return '';
  const limit = word.length < 4 ? 1 : Math.max(2, Math.floor(word.length / 3));
  const ranked = Array.from(known, (name) => ({
    name,
    edits: editDistance(word.toLowerCase(), name.toLowerCase()),
  }))
    .filter(({ name, edits }) => edits <= limit && name !== word)
    .sort((a, b) => a.edits - b.edits);
  return ranked[0] === undefined ? '' : `; did you mean "${ranked[0].name}"?`;
}

function mistakesOf(issue: z.core.$ZodIssue, schema: z.ZodType): Mistake[] {
  const path = pathOf(issue);
  if (issue.code === 'unrecognized_keys') {
    const known = knownKeys(schema, path);
    return issue.keys.map((key) => ({
      path: [...path, key],
      message: `is not a known key${didYouMean(key, known)}`,
    }));
  }
  if (issue.code === 'invalid_key' || issue.code === 'invalid_element') {
    return [{ path, message: joined(issue.issues.flatMap((inner) => mistakesOf(inner, schema))) }];
  }
  if (issue.code === 'invalid_union') return unionMistakes(issue, path, schema);
  return [{ path, message: issue.message }];
}

/** Of a union, the alternative whose outline fits tells what is wrong; when none does, all of them are named. */
function unionMistakes(
  issue: z.core.$ZodIssueInvalidUnion,
  path: Mistake['path'],
  schema: z.ZodType,
): Mistake[] {
  const branches = issue.errors;
  if (branches.length === 0) return [{ path, message: issue.message }];
  const fitting = branches.find((branch) => branch.every((inner) => inner.path.length > 0));
  const below = (branch: readonly z.core.$ZodIssue[]) =>
    branch.flatMap((inner) => mistakesOf({ ...inner, path: [...path, ...inner.path] }, schema));
  if (fitting) return below(fitting);
  return [{ path, message: joined(branches.flatMap(below)) }];
}

function joined(mistakes: readonly Mistake[]): string {
  return [...new Set(mistakes.map((mistake) => mistake.message))].join(', or ');
}

function pathOf(issue: z.core.$ZodIssue): (string | number)[] {
  return issue.path.map((part) => (typeof part === 'symbol' ? String(part) : part));
}

/** Every key that some alternative of the schema allows at this path. */
function knownKeys(schema: z.ZodType, path: Mistake['path']): Set<string> {
  let level = alternatives(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', reused: 'inline' }));
  for (const part of path) {
    level = level.flatMap((node) =>
      alternatives(node.properties?.[part] ?? node.additionalProperties ?? node.items),
    );
  }
  return new Set(level.flatMap((node) => Object.keys(node.properties ?? {})));
}

type SchemaNode = z.core.JSONSchema.JSONSchema;

function alternatives(node: unknown): SchemaNode[] {
  if (typeof node !== 'object' || node === null) return [];
  // toJSONSchema wrote it, and it is not one of the two booleans that stand for "anything" and "nothing".
  const found = node as SchemaNode;
  const nested = [...(found.anyOf ?? []), ...(found.oneOf ?? []), ...(found.allOf ?? [])];
  return [found, ...nested.flatMap(alternatives)];
}

const article: Readonly<Record<string, string>> = {
  string: 'a string',
  number: 'a number',
  int: 'a whole number',
  boolean: 'true or false',
  array: 'a list',
  object: 'an object',
  record: 'an object',
  null: 'null',
};

function inPlainWords(issue: z.core.$ZodRawIssue): string | undefined {
  switch (issue.code) {
    case 'invalid_type': {
      if (issue.input === undefined) return 'is missing';
      if (Number.isNaN(issue.input)) return `must be ${article[issue.expected] ?? issue.expected}`;
      return `must be ${article[issue.expected] ?? issue.expected}, not ${article[kindOf(issue.input)] ?? kindOf(issue.input)}`;
    }
    case 'invalid_value':
      return issue.input === undefined ? 'is missing' : `must be ${listed(issue.values)}`;
    case 'invalid_union':
      return Array.isArray(issue.options) ? `must be ${listed(issue.options)}` : undefined;
    case 'too_small':
      if (issue.minimum === 1 && sizeOf(issue.origin) === 'have') return 'must not be empty';
      return `must ${sizeOf(issue.origin)} at least ${String(issue.minimum)}${unitOf(issue.origin)}`;
    case 'too_big':
      return `must ${sizeOf(issue.origin)} at most ${String(issue.maximum)}${unitOf(issue.origin)}`;
    case 'invalid_format':
      return issue.format === 'regex'
        ? `must match ${issue.pattern ?? 'its pattern'}`
        : `must be a valid ${issue.format}`;
    default:
      return undefined;
  }
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return Array.isArray(value) ? 'array' : typeof value;
}

function listed(values: readonly unknown[]): string {
  const names = values
    .filter((value) => value !== undefined && value !== null)
    .map((value) => JSON.stringify(value));
  return names.length > 1 ? `${names.slice(0, -1).join(', ')} or ${names.at(-1)}` : String(names[0]);
}

function sizeOf(origin: string): string {
  return ['array', 'set', 'string', 'object'].includes(origin) ? 'have' : 'be';
}

function unitOf(origin: string): string {
  if (origin === 'string') return ' characters';
  return sizeOf(origin) === 'have' ? ' entries' : '';
}

/** Levenshtein distance, one row at a time. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index);
  for (const [i, left] of [...a].entries()) {
    const next = [i + 1];
    for (const [j, right] of [...b].entries()) {
      const swap = (row[j] ?? 0) + (left === right ? 0 : 1);
      next.push(Math.min(swap, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1));
    }
    row = next;
  }
  return row.at(-1) ?? 0;
}
