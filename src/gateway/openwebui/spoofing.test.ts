// Nobody says who they are but the gate: every header that could, in every spelling, from every door.
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { expect, test } from 'vitest';
import { startUpstream } from '../../../test/e2e/upstream.ts';
import { forgedNames as names } from '../../../test/forged-headers.ts';
import { handshakeText, openWebUiWorld, requestText, valuesOf } from '../../../test/open-webui-world.ts';
import { as } from '../../../test/gateway-world.ts';

const forged = 'forged-by-the-client';

/** The spellings that programs behind could take for the same name. */
function spellingsOf(name: string): string[] {
  const mixed = [...name]
    .map((letter, at) => (at % 2 === 0 ? letter.toLowerCase() : letter.toUpperCase()))
    .join('');
  return [
    name,
    name.toLowerCase(),
    name.toUpperCase(),
    mixed,
    name.replaceAll('-', '_'),
    name.replace('-', '_').toLowerCase(),
  ];
}

function linesOf(spelling: string): string[] {
  return [
    `${spelling}: ${forged}`,
    `${spelling}:${forged}`,
    `${spelling}:\t ${forged} \t`,
    `${spelling}: ${forged}, ${forged}`,
    `${spelling}: `,
    `${spelling}: =?utf-8?q?${forged}?=`,
  ];
}

const callers = [
  ['somebody with a session', ['Cookie: token=session-alice']],
  ['nobody', []],
] as const;

const options = { dropped: ['X-Acme-Login'] };

test.each(callers)(
  'HTTP requests of %s carry no identity but the one of the gate',
  async (_who, credentials) => {
    const { site, raw } = await openWebUiWorld(options);
    for (const name of names) {
      const lines = spellingsOf(name).flatMap(linesOf).slice(0, 150);
      const connection = await raw(
        requestText(
          'GET /echo HTTP/1.1',
          'Host: chat.acme.com',
          'Connection: close',
          'X-Mine: kept',
          ...lines,
          ...credentials,
        ),
      );
      await connection.closed;
      expect(connection.text()).toContain('200 OK');
      const { rawHeaders } = site.last('/echo');
      expect(rawHeaders.join('\n')).not.toContain(forged);
      expect(valuesOf(rawHeaders, 'x-mine')).toEqual(['kept']);
    }
  },
);

/** So many at a time that all their spellings fit into one request. */
const handfuls = Array.from({ length: Math.ceil(names.length / 25) }, (_, at) => {
  const handful = names.slice(at * 25, at * 25 + 25);
  return [handful[0], handful] as const;
});

test.each(handfuls)('in a handshake they end at the gate: %s and others', async (_first, handful) => {
  const { site, raw } = await openWebUiWorld(options);
  const lines = handful.flatMap(spellingsOf).map((spelling) => `${spelling}: ${forged}`);
  const connection = await raw(handshakeText('/ws/socket.io/', 'Cookie: token=session-alice', ...lines));
  await expect.poll(connection.text).toContain('hello');
  const { rawHeaders, isHandshake } = site.last('/ws');
  expect(isHandshake).toBe(true);
  expect(rawHeaders.join('\n')).not.toContain(forged);
  expect(valuesOf(rawHeaders, 'x-user-email')).toEqual(['alice@acme.com']);
});

test('names with a space, a tab or a control character are refused as no HTTP', async () => {
  const { site, raw } = await openWebUiWorld();
  for (const line of [
    `X-User-Email : ${forged}`,
    `X-User-Email\t: ${forged}`,
    `X-User\0-Email: ${forged}`,
    ` X-User-Email: ${forged}`,
  ]) {
    const connection = await raw(requestText('GET /echo HTTP/1.1', 'Host: a', 'Accept: x', line));
    await connection.closed;
    expect(connection.text()).toContain('400');
  }
  expect(site.arrived).toEqual([]);
});

test('a header that goes on as the value of another one by a line break is refused', async () => {
  const { site, raw } = await openWebUiWorld();
  for (const glue of ['\r\n ', '\r\n\t', '\n ', '\r']) {
    const connection = await raw(
      requestText('GET /echo HTTP/1.1', 'Host: a', `X-Mine: a${glue}X-User-Email: ${forged}`),
    );
    await connection.closed;
    expect(connection.text()).toContain('400');
  }
  expect(site.arrived).toEqual([]);
});

test('trailers say nothing of the kind either', async () => {
  const { site, raw } = await openWebUiWorld();
  const connection = await raw(
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Connection: close', 'Transfer-Encoding: chunked', 'Trailer: X-User-Email')}3\r\nabc\r\n0\r\nX-User-Email: ${forged}\r\nx_user_email: ${forged}\r\nCookie: token=${forged}\r\nX-Sum: 42\r\n\r\n`,
  );
  await connection.closed;
  expect(site.last('/echo').rawTrailers).toEqual(['X-Sum', '42']);
});

test('a client cannot have the gate leave out what it says', async () => {
  const { site, raw } = await openWebUiWorld();
  const own =
    'X-User-Email, X-Gateway-Signature, X-User-Admin, X-Forwarded-For, Cookie, Authorization, Host, Via';
  const connection = await raw(
    requestText(
      'GET /echo HTTP/1.1',
      'Host: chat.acme.com',
      `Connection: close, ${own}`,
      'Cookie: token=session-alice',
    ),
  );
  await connection.closed;
  const { rawHeaders } = site.last('/echo');
  for (const name of [
    'X-User-Email',
    'X-Gateway-Signature',
    'X-User-Admin',
    'X-Forwarded-For',
    'Cookie',
    'Host',
    'Via',
  ])
    expect(valuesOf(rawHeaders, name)).toHaveLength(1);
});

test('what the gate says of somebody is said once, encoded, and signed', async () => {
  const { site, url, signer } = await openWebUiWorld();
  const response = await fetch(`${url}/echo`, { headers: { cookie: 'token=session-alice; theme=dark' } });
  expect(response.status).toBe(200);
  const { rawHeaders } = site.last('/echo');
  const said = (name: string) => valuesOf(rawHeaders, name);
  expect(said('x-user-email')).toEqual(['alice@acme.com']);
  expect(said('x-user-name')).toEqual(['%C3%84lice %C3%9Cmlaut']);
  expect(said('x-user-groups')).toEqual(['Tenant-acme,Zo%C3%AB%2C & co 100%25']);
  expect(said('x-user-admin')).toEqual(['false']);
  expect(said('x-gateway-validated')).toEqual(['true']);
  expect(said('x-auth-source')).toEqual(['open-webui']);
  expect(said('cookie')).toEqual(['theme=dark; token=session-alice']);
  const keys = (await (await fetch(`${url}/gateway/jwks.json`)).json()) as JSONWebKeySet;
  expect(keys).toEqual(signer.keys);
  expect(JSON.stringify(keys)).not.toContain('"d"');
  const { payload } = await jwtVerify(said('x-gateway-signature')[0] ?? '', createLocalJWKSet(keys), {
    ...{ issuer: 'https://chat.acme.com', audience: 'http://open-webui:8080', typ: 'toolgate-identity+jwt' },
    algorithms: ['EdDSA'],
  });
  expect(payload).toMatchObject({
    ...{ sub: 'alice@acme.com', email: 'alice@acme.com', name: 'Älice Ümlaut', admin: false },
    ...{ groups: ['Tenant-acme', 'Zoë, & co 100%'], authSource: 'open-webui' },
  });
  expect((payload.exp ?? 0) - (payload.iat ?? 0)).toBe(60);
});

test('an administrator is called one', async () => {
  const { site, url } = await openWebUiWorld();
  await fetch(`${url}/echo`, { headers: { cookie: 'token=session-boss' } });
  expect(valuesOf(site.last('/echo').rawHeaders, 'x-user-admin')).toEqual(['true']);
});

test.each([
  ['no token', {}],
  ['a token that does not count', { authorization: 'Bearer not-a-session' }],
  ["the gate's own token", { authorization: 'Bearer tg_0123456789', 'x-api-key': 'tg_0123456789' }],
])('with %s nothing is said of anybody', async (_what, headers: Record<string, string>) => {
  const { site, url } = await openWebUiWorld();
  expect((await fetch(`${url}/echo`, { headers })).status).toBe(200);
  const { rawHeaders } = site.last('/echo');
  expect(rawHeaders.filter((text, at) => at % 2 === 0 && /^x-(user|gateway|auth)/i.test(text))).toEqual([]);
  expect(rawHeaders.join('\n')).not.toContain('tg_');
});

test('cookies of the gate and its tokens go no further, and nobody behind can set them', async () => {
  const { site, url } = await openWebUiWorld();
  const cookie = '__Host-toolgate_session=secret; toolgate_visitor=secret; mine=1; other=tg_0123456789';
  const response = await fetch(`${url}/echo`, { headers: { cookie } });
  expect(valuesOf(site.last('/echo').rawHeaders, 'cookie')).toEqual(['mine=1']);
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
});

test('on the MCP faces such headers name nobody, and no server sees them', async () => {
  const server = await startUpstream(
    { tools: {} },
    {
      'tools/list': () => ({ tools: [] }),
      'tools/call': () => ({ content: [{ type: 'text', text: 'done' }] }),
    },
  );
  const { inner } = await openWebUiWorld({
    picture: {
      servers: { tools: { type: 'http', url: server.url } },
      groups: { all: { servers: ['tools'] }, Bosses: { admin: true } },
      users: { 'alice@acme.com': { groups: ['all'] }, 'boss@acme.com': { groups: ['Bosses'] } },
    },
  });
  const paths = ['/mcp', '/mcp/tools'];
  for (const [path, handful] of paths.flatMap((one) => handfuls.map(([, all]) => [one, all] as const))) {
    const headers = Object.fromEntries(
      handful.flatMap((name) =>
        spellingsOf(name).map((spelling) => [spelling.toLowerCase(), forged] as const),
      ),
    );
    const name = path === '/mcp' ? 'tools__echo' : 'echo';
    const answer = await inner.ask(
      path,
      'tools/call',
      { name, arguments: {} },
      { ...headers, ...as('alice@acme.com') },
    );
    expect(answer.result).toMatchObject({ content: [{ text: 'done' }] });
  }
  expect(inner.records.map(({ principal }) => principal)).toEqual(
    Array.from({ length: paths.length * handfuls.length }, () => 'alice@acme.com'),
  );
  expect(JSON.stringify(server)).not.toContain(forged);
});

test('what pages and browsers say of themselves passes', async () => {
  const { site, raw } = await openWebUiWorld();
  const said = [
    ...['User-Agent', 'Sec-Fetch-User', 'Sec-Ch-Ua', 'Referer', 'Accept-Language', 'If-None-Match', 'Pragma'],
    ...[
      'X-Session-Id',
      'Metadata',
      'X-Csrf-Token',
      'X-Requested-With',
      'X-File-Size',
      'X-Filename',
      'Priority',
    ],
    ...['Baggage', 'Traceparent', 'X-Amzn-Trace-Id', 'Idempotency-Key', 'Last-Event-Id', 'Range', 'DNT'],
  ];
  const lines = said.map((name) => `${name}: kept`);
  await (await raw(requestText('GET /echo HTTP/1.1', 'Host: a', 'Connection: close', ...lines))).closed;
  const { rawHeaders } = site.last('/echo');
  expect(said.filter((name) => valuesOf(rawHeaders, name)[0] !== 'kept')).toEqual([]);
});
