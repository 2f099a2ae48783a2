import { expect, test } from 'vitest';
import { openWebUiWorld, requestText, usualPicture, valuesOf } from '../../../test/open-webui-world.ts';

const alice = { cookie: 'token=session-alice' };

test('what is not of the gate goes to Open WebUI, and the answer comes back as it is', async () => {
  const { site, url } = await openWebUiWorld();
  const response = await fetch(`${url}/api/v1/anything?x=%20y&x=2`, {
    headers: { 'x-mine': 'a', accept: 'x/y' },
  });
  expect(await response.json()).toMatchObject({ method: 'GET', url: '/api/v1/anything?x=%20y&x=2' });
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2']);
  expect(response.headers.get('x-kept')).toBe('yes');
  expect(response.headers.get('x-inner')).toBeNull();
  expect(response.headers.get('x-gateway-signature')).toBeNull();
  const { rawHeaders } = site.last('/api/v1/anything');
  expect(valuesOf(rawHeaders, 'x-mine')).toEqual(['a']);
});

test('which pages may read answers is not for Open WebUI to say', async () => {
  const { url } = await openWebUiWorld();
  const { headers } = await fetch(`${url}/echo`);
  expect([...headers.keys()].filter((name) => name.startsWith('access-control'))).toEqual([]);
});

test.each([
  '/mcp-admin/made-up',
  '/gateway/made-up',
  '/.well-known/oauth-authorization-server',
  '/metrics',
  '/v1/models',
  '/scim/v2/Users',
  '/t/acme/made-up',
])('a path of the gate that leads nowhere is not answered by Open WebUI: %s', async (path) => {
  const { site, url } = await openWebUiWorld();
  expect((await fetch(`${url}${path}`)).status).toBe(404);
  expect(site.arrived).toEqual([]);
});

test('the host is the public one, and the way of the request is what the gate knows of it', async () => {
  const { site, raw } = await openWebUiWorld();
  const lines = [
    'Host: evil.example',
    'Connection: close',
    'X-Forwarded-For: 6.6.6.6',
    'X-Forwarded-Proto: http',
  ];
  await (await raw(requestText('GET /echo HTTP/1.1', ...lines, 'X-Request-Id: mine-1'))).closed;
  const { rawHeaders } = site.last('/echo');
  const said = (name: string) => valuesOf(rawHeaders, name);
  expect(said('host')).toEqual(['chat.acme.com']);
  expect(said('x-forwarded-host')).toEqual(['chat.acme.com']);
  expect(said('x-forwarded-proto')).toEqual(['https']);
  expect(said('x-forwarded-for')).toEqual(['127.0.0.1']);
  expect(said('x-request-id')).toEqual(['mine-1']);
  expect(said('via')).toEqual(['1.1 toolgate-test']);
});

test('when Open WebUI is away people get a page, programs get JSON, and both get a time', async () => {
  const { url, mount, records } = await openWebUiWorld({ url: 'http://127.0.0.1:1' });
  const page = await fetch(`${url}/`, { headers: { accept: 'text/html,*/*' } });
  expect([page.status, page.headers.get('retry-after')]).toEqual([503, '10']);
  const text = await page.text();
  expect(text).toContain('Open WebUI cannot be reached');
  expect(text).toContain(page.headers.get('x-request-id'));
  expect(text).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|node:/);
  const api = await fetch(`${url}/api/v1/chats/`, { method: 'POST', body: 'x', headers: alice });
  expect([api.status, api.headers.get('retry-after')]).toEqual([503, '10']);
  expect(await api.json()).toMatchObject({ error: { code: 'open_webui_away' }, detail: expect.any(String) });
  expect(await mount.awaySince()).toBeInstanceOf(Date);
  expect(records.map(({ outcome, reason }) => [outcome, reason])).toEqual([
    ['upstream_error', 'open_webui_away'],
    ['upstream_error', 'open_webui_away'],
  ]);
});

test('when it is back nothing has to be done', async () => {
  const { mount, url } = await openWebUiWorld();
  expect((await fetch(`${url}/drop`)).status).toBe(502);
  expect(await mount.awaySince()).toBeNull();
});

test('a silent Open WebUI is waited for no longer than it should be', async () => {
  const { url } = await openWebUiWorld({ times: { silentMs: 100 } });
  const response = await fetch(`${url}/hold`);
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ error: { code: 'open_webui_slow' } });
});

test('an address that leads back to the gate is told so', async () => {
  const { url, site } = await openWebUiWorld();
  const response = await fetch(`${url}/echo`, { headers: { via: '1.1 somebody, 1.1 toolgate-test' } });
  expect(response.status).toBe(508);
  expect(site.arrived).toEqual([]);
});

test('TRACE would show what the gate says, so it goes no further', async () => {
  const { site, raw } = await openWebUiWorld();
  const connection = await raw(requestText('TRACE /echo HTTP/1.1', 'Host: a', 'Connection: close'));
  await connection.closed;
  expect(connection.text()).toContain('405');
  expect(site.arrived).toEqual([]);
});

test("files of the web application are nobody's, so nobody is asked whose session it is", async () => {
  const { site, url, asked } = await openWebUiWorld();
  await fetch(`${url}/_app/immutable/chunks/a.js`, { headers: alice });
  expect(asked).toEqual([]);
  expect(valuesOf(site.last('/_app').rawHeaders, 'x-user-email')).toEqual([]);
});

test('a disabled person gets no further, and what they have open ends', async () => {
  const { site, url, change, records } = await openWebUiWorld();
  const response = await fetch(`${url}/stream`, { headers: alice });
  const reading = response.text();
  change({ ...usualPicture, users: { 'alice@acme.com': { disabled: true } } });
  await expect(reading).rejects.toThrow();
  await expect.poll(() => site.last('/stream').wasLeft).toBe(true);
  const refused = await fetch(`${url}/api/config`, { headers: alice });
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ error: { code: 'user_disabled' } });
  expect(records.at(-1)).toMatchObject({
    principal: 'alice@acme.com',
    outcome: 'denied',
    reason: 'user_disabled',
  });
  // Signing in is everybody's, and so is what needs no session.
  expect((await fetch(`${url}/auth`)).status).toBe(200);
});

test('who is disabled while a request is prepared gets no answer to it', async () => {
  const { site, url, change, signing, signed, records } = await openWebUiWorld();
  const goOn = Promise.withResolvers<void>();
  signing.until = goOn.promise;
  const asking = fetch(`${url}/stream`, { headers: alice });
  await expect.poll(() => signed).toEqual(['alice@acme.com']);
  change({ ...usualPicture, users: { 'alice@acme.com': { disabled: true } } });
  goOn.resolve();
  const refused = await asking;
  expect(refused.status).toBe(403);
  expect(await refused.json()).toMatchObject({ error: { code: 'user_disabled' } });
  expect(site.arrived).toEqual([]);
  expect(records.at(-1)).toMatchObject({ outcome: 'denied', reason: 'user_disabled' });
});

test('each request has its record: who, what kind of path, how it ended; nothing of what was said', async () => {
  const { url, records } = await openWebUiWorld();
  await (await fetch(`${url}/api/v1/chats/6b1e-secret-id?q=secret`, { headers: alice })).text();
  await (await fetch(`${url}/api/made/up?secret`, { method: 'POST', body: 'secret' })).text();
  await expect.poll(() => records.length).toBe(2);
  expect(records[0]).toMatchObject({
    ...{ principal: 'alice@acme.com', authSource: 'open-webui', tenant: 'acme', face: 'webui' },
    ...{ httpMethod: 'GET', endpoint: '/api/v1/chats/{id}', status: 200, outcome: 'ok', arguments: null },
  });
  expect(records[0]?.bytesOut).toBeGreaterThan(10);
  expect(records[1]).toMatchObject({ principal: null, endpoint: '/api/*', httpMethod: 'POST', bytesIn: 6 });
  expect(JSON.stringify(records)).not.toContain('secret');
});

test('when records cannot be kept nothing goes on', async () => {
  const { url, site, inner } = await openWebUiWorld();
  inner.fillRecords();
  expect((await fetch(`${url}/api/config`)).status).toBe(503);
  expect(site.arrived).toEqual([]);
});

test('one person cannot take every connection to Open WebUI', async () => {
  const { site, url } = await openWebUiWorld();
  const controller = new AbortController();
  const hold = () =>
    fetch(`${url}/hold`, { headers: alice, signal: controller.signal }).catch(() => undefined);
  const held = Array.from({ length: 200 }, hold);
  await expect.poll(() => site.held.length).toBe(200);
  const refused = await fetch(`${url}/echo`, { headers: alice });
  expect(refused.status).toBe(503);
  expect(await refused.json()).toMatchObject({ error: { code: 'open_webui_busy' } });
  for (const cookie of ['token=session-boss', ''])
    expect((await fetch(`${url}/echo`, { headers: { cookie } })).status).toBe(200);
  controller.abort();
  await Promise.all(held);
  await expect.poll(async () => (await fetch(`${url}/echo`, { headers: alice })).status).toBe(200);
});
