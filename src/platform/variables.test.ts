import { expect, test } from 'vitest';
import { expandVariables } from './variables.ts';

const env = { TOKEN: 'abc', EMPTY: '', TRICKY: '${env:TOKEN} $& $1' };

test.each([
  ['Bearer ${env:TOKEN}', 'Bearer abc'],
  ['${env:TOKEN}-${env:TOKEN}', 'abc-abc'],
  ['$${env:TOKEN}', '${env:TOKEN}'],
  [
    'Bearer ${credential} ${credential:other} $${x} ${TOKEN} $TOKEN',
    'Bearer ${credential} ${credential:other} $${x} ${TOKEN} $TOKEN',
  ],
  ['${env:TRICKY}', '${env:TOKEN} $& $1'],
])('%s becomes %s', (text, expanded) => {
  expect(expandVariables({ list: [text], '${env:TOKEN}': 1 }, env)).toEqual({
    value: { list: [expanded], '${env:TOKEN}': 1 },
    mistakes: [],
  });
});

test.each(['${env:MISSING}', '${env:EMPTY}', '${env:}', '${env:__proto__}'])(
  '%s is a mistake with its place',
  (text) => {
    const { mistakes } = expandVariables({ a: ['x', text] }, env);
    expect(mistakes).toEqual([
      {
        path: ['a', 1],
        message: `needs the environment variable ${JSON.stringify(text.slice(6, -1))}, which is not set`,
      },
    ]);
  },
);

test('what is to be kept stays as it is, and its mistakes are found all the same', () => {
  const isKept = ([key]: readonly (string | number)[]) => key === 'kept';
  const { value, mistakes } = expandVariables(
    { kept: '${env:TOKEN}${env:NONE}', other: '${env:TOKEN}' },
    env,
    isKept,
  );
  expect(value).toEqual({ kept: '${env:TOKEN}${env:NONE}', other: 'abc' });
  expect(mistakes.map(({ path }) => path)).toEqual([['kept']]);
});
