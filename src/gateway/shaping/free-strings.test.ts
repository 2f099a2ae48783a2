import { expect, test } from 'vitest';
import { freeStrings } from './free-strings.ts';

const string = { type: 'string' };
const strict = { type: 'string', pattern: '^a' };
const ofA = (a: unknown, more: object = {}) => ({ type: 'object', properties: { a }, ...more });

test.each([
  ['a plain string', ofA(string, { required: ['a'], additionalProperties: false })],
  ['a string with a short least length', ofA({ type: 'string', minLength: 1 })],
  ['nothing known', true],
  ['nothing said', {}],
  ['a reference', { $ref: '#/$defs/x', $defs: { x: ofA(string) } }],
  ['one of several', { anyOf: [ofA(string), { type: 'null' }] }],
  ['a pattern of another property', { properties: { a: string, b: strict }, additionalProperties: strict }],
  ['an option that is off', ofA(string, { uniqueItems: false })],
])('may be cut: %s', (_what, schema) => {
  expect(freeStrings(schema)(['a'])).toBe(true);
});

const keywords = ['maxLength', 'pattern', 'format', 'enum', 'const', 'contentEncoding', 'contentMediaType'];

const minding: [string, object][] = [
  ...keywords.map((key) => [key, ofA({ type: 'string', [key]: 'x' })] satisfies [string, object]),
  ['a least length', ofA({ type: 'string', minLength: 600 })],
  ['a value of all around it', { ...ofA(string), const: { a: 'x' } }],
  ['any of several', { oneOf: [ofA(string), ofA(strict)] }],
  // biome-ignore lint/suspicious/noThenProperty: a keyword of JSON Schema
  ['a condition', { ...ofA(string), if: ofA(strict), then: {} }],
  ['a negation', { ...ofA(string), not: ofA(strict) }],
  ['names by a pattern', { patternProperties: { '(x+x+)+y': strict } }],
  ['all other names', { additionalProperties: strict }],
  ['what nothing else has looked at', { unevaluatedProperties: strict }],
  ['a dependency', { dependentSchemas: { b: ofA(strict) } }],
  ['a reference', { $ref: '#/$defs/x~1y', $defs: { 'x/y': ofA(strict) } }],
  ['an address elsewhere', ofA({ $ref: 'https://a.example/schema' })],
  ['a document within', ofA({ $id: 'https://a.example/b', type: 'string' })],
  ['a circle', { $ref: '#' }],
  [
    'more patterns than anybody reads',
    { patternProperties: Object.fromEntries(Array.from({ length: 600 }, (_, n) => [n, true])) },
  ],
  ['more than anybody reads', { allOf: Array.from({ length: 600 }, () => ({})) }],
];

test.each(minding)('stays as it is: %s', (_what, schema) => {
  expect(freeStrings(schema)(['a'])).toBe(false);
});

test.each([
  [{ items: string }, true],
  [{ items: strict }, false],
  [{ items: [strict, string] }, false],
  [{ prefixItems: [strict] }, false],
  [{ items: string, contains: strict }, false],
  [{ items: string, uniqueItems: true }, false],
])('elements of a list: %j', (schema, expected) => {
  expect(freeStrings(schema)([1])).toBe(expected);
});

test('a value that is a string itself', () => {
  expect(freeStrings(string)([])).toBe(true);
  expect(freeStrings(strict)([])).toBe(false);
});

test('schemas that cost too much in all leave the rest of the strings as they are', () => {
  const isFree = freeStrings({ allOf: Array.from({ length: 400 }, () => ({})) });
  const told = Array.from({ length: 300 }, () => isFree(['a']));
  expect(told[0]).toBe(true);
  expect(told.at(-1)).toBe(false);
});
