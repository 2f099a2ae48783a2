import { expect, test } from 'vitest';
import { maskArgs, maskUrl } from './mask.ts';

test.each([
  ['https://x.org/mcp', 'https://x.org/mcp'],
  ['https://x.org/mcp?mode=ro', 'https://x.org/mcp?mode=ro'],
  ['https://x.org/mcp?mode=ro&tavilyApiKey=abc#f', 'https://x.org/mcp?mode=ro&tavilyApiKey=***#f'],
  ['https://x.org/mcp?access_token=a=b', 'https://x.org/mcp?access_token=***'],
  ['https://x.org/mcp?key=${credential}', 'https://x.org/mcp?key=${credential}'],
  ['https://user:pass@x.org/', 'https://user:***@x.org/'],
  ['https://x.org/a:b@c', 'https://x.org/a:b@c'],
])('%s is shown as %s', (url, shown) => {
  expect(maskUrl(url)).toBe(shown);
});

test('arguments that follow the name of a secret are blanked', () => {
  const args = [
    '-y',
    'server',
    '--api-key=abc',
    '--token',
    'abc',
    '--mode',
    'ro',
    '--password',
    '--verbose',
    'postgres://u:p@h/db',
  ];
  expect(maskArgs(args)).toEqual([
    ...[
      '-y',
      'server',
      '--api-key=***',
      '--token',
      '***',
      '--mode',
      'ro',
      '--password',
      '--verbose',
      'postgres://u:***@h/db',
    ],
  ]);
});
