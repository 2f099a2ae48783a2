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

const session = 'eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IjEifQ.c2lnbmF0dXJl';

test.each([`${session}=`, `${session}====`, `${session}~`])(
  'a session that only a lenient reader takes for one goes nowhere: %s',
  async (token) => {
    const { site, url } = await openWebUiWorld();
    for (const headers of [
      { authorization: `Bearer ${token}` },
      { cookie: `token=${token}` },
      { cookie: `token="${token}"` },
      { 'x-api-key': token },
    ]) {
      await fetch(`${url}/echo`, { headers });
      expect(site.last('/echo').rawHeaders.join('\n')).not.toContain('eyJ');
    }
  },
);

test('a credential in a header that is not looked at goes nowhere', async () => {
  const { site, url } = await openWebUiWorld();
  for (const value of [session, `${session}=`, `Bearer ${session}`, `sk-${'0'.repeat(32)}`]) {
    await fetch(`${url}/echo`, { headers: { 'x-custom-key': value, 'x-other': '1.2.3' } });
    const { rawHeaders } = site.last('/echo');
    expect(valuesOf(rawHeaders, 'x-custom-key')).toEqual([]);
    expect(valuesOf(rawHeaders, 'x-other')).toEqual(['1.2.3']);
  }
});

test('a token of another kind goes on, for it is no session', async () => {
  const { site, url } = await openWebUiWorld();
  for (const token of ['a-fixed-token', 'a.b.c.d.e', 'with=sign'])
    await fetch(`${url}/echo`, { headers: { authorization: `Bearer ${token}` } }).then(() =>
      expect(valuesOf(site.last('/echo').rawHeaders, 'authorization')).toEqual([`Bearer ${token}`]),
    );
});

/** What Python's `str.strip()` takes away of a name, and what other readers part cookies by. */
const odd = ['\x85', '\xa0', '\xc2\x85', ' \xa0', '"', '(', '\\', ',', 'é'];

test('a cookie whose name could be read as another one goes nowhere', async () => {
  const { site, raw } = await openWebUiWorld();
  const names = odd.flatMap((one) => [`${one}token`, `token${one}`, `x${one}token`]);
  for (const name of [...names, 'token ', 'token\t'])
    for (const value of ['session-boss', session]) {
      const lines = ['Connection: close', `Cookie: a=1; ${name}=${value}; session=eyJhIjoxfQ==.x-y_z`];
      await (await raw(requestText('GET /echo HTTP/1.1', 'Host: a', ...lines))).closed;
      const { rawHeaders } = site.last('/echo');
      expect(valuesOf(rawHeaders, 'cookie')).toEqual(['a=1; session=eyJhIjoxfQ==.x-y_z']);
      expect(valuesOf(rawHeaders, 'x-user-email')).toEqual([]);
    }
});

test.each([
  'a=b token=session-boss',
  'a="b, token=session-boss"',
  'a="x\\"',
  'a=b\xa0',
  'session-boss',
  '="x"',
  '',
])('a value that could be read as another cookie goes nowhere: %s', async (cookie) => {
  const { site, raw } = await openWebUiWorld();
  const lines = ['Connection: close', `Cookie: ${cookie}; b="2"; c=`];
  await (await raw(requestText('GET /echo HTTP/1.1', 'Host: a', ...lines))).closed;
  expect(valuesOf(site.last('/echo').rawHeaders, 'cookie')).toEqual(['b="2"; c=']);
});
