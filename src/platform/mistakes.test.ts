import { expect, test } from 'vitest';
import { z } from 'zod';
import { check, didYouMean, formatPath } from './mistakes.ts';

const schema = z.strictObject({
  name: z.string().min(2).max(5).optional(),
  tags: z.array(z.string()).min(1).optional(),
  count: z.int().min(1).optional(),
  kind: z.enum(['a', 'b']).optional(),
  on: z.boolean().optional(),
  list: z
    .union([z.array(z.string()), z.record(z.string().regex(/^x/, 'must begin with x'), z.array(z.string()))])
    .optional(),
  deep: z.record(z.string(), z.strictObject({ timeoutMs: z.number() })).optional(),
  shape: z
    .discriminatedUnion('type', [
      z.strictObject({ type: z.literal('dot').default('dot'), size: z.number() }),
      z.strictObject({ type: z.literal('box'), width: z.number() }),
    ])
    .optional(),
});

test.each([
  [{ name: 7 }, 'name', 'must be a string, not a number'],
  [{ name: 'x' }, 'name', 'must have at least 2 characters'],
  [{ name: 'xxxxxx' }, 'name', 'must have at most 5 characters'],
  [{ tags: [] }, 'tags', 'must not be empty'],
  [{ count: 0 }, 'count', 'must be at least 1'],
  [{ count: '1' }, 'count', 'must be a number, not a string'],
  [{ count: Number.NaN }, 'count', 'must be a number'],
  [{ kind: 'c' }, 'kind', 'must be "a" or "b"'],
  [{ on: null }, 'on', 'must be true or false, not null'],
  [{ list: ['ok', 7] }, 'list[1]', 'must be a string, not a number'],
  [{ list: { xa: 'b' } }, 'list.xa', 'must be a list, not a string'],
  [{ list: { b: [] } }, 'list.b', 'must begin with x'],
  [{ list: 'text' }, 'list', 'must be a list, not a string, or must be an object, not a string'],
  [{ deep: { some: {} } }, 'deep.some.timeoutMs', 'is missing'],
  [
    { deep: { 'a b': { timoutMs: 1, timeoutMs: 1 } } },
    'deep["a b"].timoutMs',
    'is not a known key; did you mean "timeoutMs"?',
  ],
  [{ deep: { a: { colour: 1, timeoutMs: 1 } } }, 'deep.a.colour', 'is not a known key'],
  [{ shape: { type: 'ring' } }, 'shape.type', 'must be "dot" or "box"'],
  [
    { shape: { type: 'box', widht: 1, width: 1 } },
    'shape.widht',
    'is not a known key; did you mean "width"?',
  ],
  [{ nmae: 'x' }, 'nmae', 'is not a known key; did you mean "name"?'],
])('%j is explained in plain words', (input, path, message) => {
  const checked = check(schema, input);
  expect(
    checked.ok ? [] : checked.mistakes.map((mistake) => [formatPath(mistake.path), mistake.message]),
  ).toEqual([[path, message]]);
});

test('every mistake is reported, one for each place', () => {
  const checked = check(schema, { name: 1, count: 'x', extra: 1, other: 2 });
  expect(checked.ok ? [] : checked.mistakes.map(({ path }) => path.join('.'))).toEqual([
    'name',
    'count',
    'extra',
    'other',
  ]);
});

test('a hint names the nearest word, and none when nothing is near', () => {
  expect(didYouMean('urll', ['uri', 'url', 'user'])).toBe('; did you mean "url"?');
  expect(didYouMean('colour', ['url'])).toBe('');
  expect(didYouMean('x'.repeat(10_000), ['x'.repeat(9_999)])).toBe('');
});
