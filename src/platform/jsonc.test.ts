import { expect, test } from 'vitest';
import { parseJsonc } from './jsonc.ts';

test('comments and trailing commas are read past', () => {
  const { value, errors } = parseJsonc('// a\n{ "a": [1, 2,], /* b */ "b": { "c": null, }, }');
  expect(errors).toEqual([]);
  expect(value).toEqual({ a: [1, 2], b: { c: null } });
});

test('a path is located at its key or list item, and a missing one at its nearest parent', () => {
  const { locate } = parseJsonc('{\n  "a": {\r\n    "b": [10,\n      20]\n  }\n}');
  expect(locate(['a'])).toEqual({ line: 2, column: 3 });
  expect(locate(['a', 'b'])).toEqual({ line: 3, column: 5 });
  expect(locate(['a', 'b', 1])).toEqual({ line: 4, column: 7 });
  expect(locate(['a', 'b', 7, 'x'])).toEqual({ line: 3, column: 5 });
  expect(locate(['nowhere'])).toEqual({ line: 1, column: 1 });
  expect(locate([])).toEqual({ line: 1, column: 1 });
});

test.each([
  ['{ "a": 1\n "b": 2 }', { line: 2, column: 2, message: 'a comma is missing before this' }],
  ['{\n "a": tru }', { line: 2, column: 7, message: 'unknown word; text needs double quotes' }],
  ['{ "a": 1 } {}', { line: 1, column: 12, message: 'nothing may follow the end of the object' }],
  ['{ "a": 1,\n  "a": 2 }', { line: 2, column: 3, message: 'the key "a" is given twice' }],
  [
    '{ "b": [{ "__proto__": { "admin": true } }] }',
    { line: 1, column: 11, message: 'the key "__proto__" is not allowed' },
  ],
  ['', { line: 1, column: 1, message: 'a value is expected here' }],
])('%j is refused with line and column', (text, error) => {
  expect(parseJsonc(text).errors).toContainEqual(error);
});

test('every duplicate and every syntax error is reported', () => {
  expect(parseJsonc('{ "a": 1, "a": 2, "a": 3, "b": }').errors).toHaveLength(3);
});
