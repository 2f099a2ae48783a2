import { expect, test } from 'vitest';
import { openWebUiWorld, requestText, valuesOf } from '../../../test/open-webui-world.ts';

test.each([
  [
    'the header before the cookie',
    ['Authorization: Bearer session-alice', 'Cookie: token=session-boss'],
    'alice@acme.com',
  ],
  ['the last of several cookies', ['Cookie: token=session-boss; token=session-alice'], 'alice@acme.com'],
  [
    'the last of several Cookie headers',
    ['Cookie: token=session-boss', 'Cookie: token=session-alice'],
    'alice@acme.com',
  ],
  ['a cookie in quotes', ['Cookie: token="session-alice"'], 'alice@acme.com'],
  [
    'the cookie before the API key',
    ['Cookie: token=session-alice', 'X-Api-Key: session-boss'],
    'alice@acme.com',
  ],
  ['an API key by itself', ['X-Api-Key: session-alice'], 'alice@acme.com'],
  [
    'the cookie where the header is of another scheme',
    ['Authorization: Basic session-boss', 'Cookie: token=session-alice'],
    'alice@acme.com',
  ],
  [
    'the cookie where the header has two words',
    ['Authorization: Bearer session-boss x', 'Cookie: token=session-alice'],
    'alice@acme.com',
  ],
])('one credential goes on, the one that was judged: %s', async (_what, lines, email) => {
  const { site, raw } = await openWebUiWorld();
  const connection = await raw(requestText('GET /echo HTTP/1.1', 'Host: a', 'Connection: close', ...lines));
  await connection.closed;
  const { rawHeaders } = site.last('/echo');
  expect(valuesOf(rawHeaders, 'x-user-email')).toEqual([email]);
  expect(rawHeaders.join('\n')).not.toContain('session-boss');
  const sent = ['authorization', 'cookie', 'x-api-key'].flatMap((name) => valuesOf(rawHeaders, name));
  expect(sent.join(' ')).toContain('session-alice');
});
