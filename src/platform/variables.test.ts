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
