import { expect, test } from 'vitest';
import { createLog } from './log.ts';
import { redacted } from './redact.ts';

/** Built here, so that no scanner takes the file for a leak. */
const made = (start: string, length = 40) => `${start}${'aB3'.repeat(20).slice(0, length)}`;
const jwt = ['eyJhbGciOiJIUzI1NiJ9', 'eyJzdWIiOiJhbGljZUBhY21lLmNvbSJ9', 'c2lnbmF0dXJlLWJ5dGVz'].join('.');

function linesOf(write: (log: ReturnType<typeof createLog>) => void): string {
  const lines: string[] = [];
  write(createLog('trace', { write: (line) => void lines.push(line) }));
  for (const line of lines) JSON.parse(line);
  return lines.join('');
}

const secrets: readonly (readonly [what: string, text: string, secret: string, left: string])[] = [
  [
    'a token of Toolgate',
    `cannot use ${made('tg_', 49)} here`,
    made('tg_', 49),
    'cannot use [redacted] here',
  ],
  ['a key of a model provider', `key ${made('sk-')}`, made('sk-'), 'key [redacted]'],
  ['a token of GitHub', `with ${made('ghp_')}`, made('ghp_'), 'with [redacted]'],
  ['a bearer', 'Authorization: Bearer abc-123/def=', 'abc-123', 'Authorization: Bearer [redacted]'],
  ['a bearer in small letters', 'bearer  opaque0token', 'opaque0token', 'bearer  [redacted]'],
  [
    'a bearer without a digit',
    `Bearer ${'abcdefghij'.repeat(3)} x`,
    'abcdefghij'.repeat(3),
    'Bearer [redacted] x',
  ],
  ['basic credentials', 'Basic YWxpY2U6cHc=', 'YWxpY2U6cHc=', 'Basic [redacted]'],
  ['a JSON web token', `session ${jwt} ended`, jwt, 'session [redacted] ended'],
  [
    'the password in a URL',
    'connect to postgres://gate:pa%20ss@db:5432/x failed',
    'pa%20ss',
    'connect to postgres://[redacted]@db:5432/x failed',
  ],
  [
    'a user that is a key in a URL',
    'https://keyonly@api.example.com/v1',
    'keyonly',
    'https://[redacted]@api.example.com/v1',
  ],
  ['a key in a query', 'GET /mcp?api_key=hunter2&page=2', 'hunter2', 'GET /mcp?api_key=[redacted]&page=2'],
  ['a code in a query', 'at /callback?page=1&code=hunter2', 'hunter2', 'at /callback?page=1&code=[redacted]'],
  ['a sealed link', '/tools/openapi.json?spec=hunter2', 'hunter2', '/tools/openapi.json?spec=[redacted]'],
  [
    'a signature of a cloud store',
    '?X-Amz-Signature=hunter2&X=1',
    'hunter2',
    '?X-Amz-Signature=[redacted]&X=1',
  ],
];

test.each(secrets)('%s is taken out of a text, and nothing else is', (_what, text, _secret, left) => {
  expect(redacted(text)).toBe(left);
});

test.each(secrets)('%s reaches no log line, wherever it stands', (_what, text, secret) => {
  const out = linesOf((log) => {
    log.info(text);
    log.warn({ url: text, deep: { deeper: { deepest: [{ why: text }] } } }, 'a line');
    const error = new Error(text, { cause: new Error(text) });
    log.error({ err: error, error: text }, 'failed');
    log.child({ bound: text }).info('a child');
  });
  expect(out).not.toContain(secret);
});

test('a value under a name that speaks of a secret is left out at any depth', () => {
  const out = linesOf((log) => {
    const secret = {
      Authorization: 'hunter2',
      password: 'hunter2',
      client_secret: 'hunter2',
      'set-cookie': 'hunter2',
    };
    log.info({ a: { b: { c: { d: { e: secret } } } }, headers: { anything: 'hunter2' } }, 'deep');
    log.info({ body: JSON.stringify({ a: 1, access_token: 'hunter2', password: 'hunter2' }) }, 'quoted');
    log.info({ accessToken: 'hun"ter2', refresh_token: 'hunter2', apiKey: { nested: 'hunter2' } }, 'names');
  });
  expect(out).not.toContain('hunter2');
  expect(out).not.toContain('hun\\"ter2');
});

test('what only sounds like a secret stays readable', () => {
  for (const text of [
    'a bearer token is missing',
    'Send METRICS_TOKEN as a bearer token.',
    'Basic authentication is off',
    'the server "github" did not answer /mcp within 3 s',
    'request 3f2c1b7e-8a52-4e43-9f02-0f4f6f0a9a11 of alice@acme.com took 12 ms',
    'https://api.example.com/v1/items?page=2&sort=name',
    'tokens: 3, keys: 4',
  ])
    expect(redacted(text)).toBe(text);
});

test('a long hostile text is read in no time', () => {
  for (const part of ['a.', '?a', 'bearer ', 'eyJa', '"token":"\\', 'a://', '&token', 'sk-', '"a-']) {
    const text = part.repeat(100_000 / part.length);
    redacted(text);
  }
}, 10_000);
