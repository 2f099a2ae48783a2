import { expect, test } from 'vitest';
import {
  handshakeText,
  openWebUiWorld,
  requestText,
  usualPicture,
  valuesOf,
} from '../../../test/open-webui-world.ts';
import { clientFrame, goodbyeIn } from '../../../test/web-socket.ts';

const path = '/ws/socket.io/?EIO=4&transport=websocket';
const cookie = 'Cookie: token=session-alice';
const ping = '42["heartbeat",{}]';

test('a socket opens with the session of a person, and both sides are heard', async () => {
  const { site, raw, records, mount } = await openWebUiWorld();
  const connection = await raw(
    handshakeText(path, cookie, 'Origin: https://chat.acme.com', 'Sec-WebSocket-Protocol: x'),
  );
  await expect.poll(connection.text).toContain('hello');
  expect(connection.text()).toMatch(/^HTTP\/1\.1 101 [\s\S]*Sec-WebSocket-Accept: yes/);
  expect(connection.text()).not.toContain('toolgate_session');
  connection.socket.write(clientFrame(ping));
  await expect.poll(connection.text).toContain(ping);
  const { rawHeaders, url } = site.last('/ws');
  expect(url).toBe(path);
  for (const [name, value] of [
    ['upgrade', 'websocket'],
    ['connection', 'Upgrade'],
    ['origin', 'https://chat.acme.com'],
    ['sec-websocket-key', 'dGhlIHNhbXBsZSBub25jZQ=='],
    ['sec-websocket-protocol', 'x'],
    ['x-user-email', 'alice@acme.com'],
  ] as const)
    expect(valuesOf(rawHeaders, name)).toEqual([value]);
  expect(records).toMatchObject([
    { principal: 'alice@acme.com', endpoint: '/ws/socket.io', status: 101, outcome: 'ok' },
  ]);
  expect(mount.sockets()).toBe(1);
  connection.socket.end();
  await connection.closed;
  await expect.poll(() => mount.sockets()).toBe(0);
});

test('what the client says right behind its handshake arrives', async () => {
  const { raw } = await openWebUiWorld();
  const connection = await raw(`${handshakeText(path, cookie)}${clientFrame(ping).toString('latin1')}`);
  await expect.poll(connection.text).toMatch(/hello.*heartbeat/s);
});

test('nothing is compressed, so that it can be read; what Open WebUI compresses all the same is refused', async () => {
  const { site, raw } = await openWebUiWorld();
  const asking = handshakeText(path, cookie, 'Sec-WebSocket-Extensions: permessage-deflate');
  await expect.poll((await raw(asking)).text).toContain('hello');
  expect(valuesOf(site.last('/ws').rawHeaders, 'sec-websocket-extensions')).toEqual([]);
  site.agreed = 'Sec-WebSocket-Extensions: permessage-deflate\r\n';
  const refused = await raw(asking);
  await refused.closed;
  expect(refused.text()).toContain('HTTP/1.1 502 ');
});

test.each([
  ['no session', []],
  ['a session that does not count', ['Cookie: token=gone']],
])('with %s nothing but the Socket.IO of Open WebUI opens', async (_what, lines) => {
  const { site, raw } = await openWebUiWorld();
  for (const other of ['/api/v1/terminals/a/api/terminals/b', '/api/v1/audio/realtime', '/']) {
    const connection = await raw(handshakeText(other, ...lines));
    await connection.closed;
    expect(connection.text()).toContain('HTTP/1.1 401 ');
    expect(connection.text()).toContain('open_webui_session_needed');
  }
  expect(site.arrived).toEqual([]);
  const connection = await raw(handshakeText(path, ...lines));
  await expect.poll(connection.text).toContain('hello');
  expect(valuesOf(site.last('/ws').rawHeaders, 'x-user-email')).toEqual([]);
});

test('without WebSockets Open WebUI is polled, and that needs a session', async () => {
  const { site, url } = await openWebUiWorld();
  const polled = '/ws/socket.io/?EIO=4&transport=polling';
  for (const where of [polled, polled.replace('ws/socket.io', '%77s/socket%2Eio')]) {
    const response = await fetch(`${url}${where}`, { method: 'POST', body: '40{"token":"session-alice"}' });
    expect(response.status).toBe(401);
    expect(await response.json()).toMatchObject({ error: { code: 'open_webui_session_needed' } });
  }
  expect(site.arrived).toEqual([]);
  expect((await fetch(`${url}${polled}`, { headers: { cookie: 'token=session-alice' } })).status).toBe(200);
});

test('a disabled person gets no socket, and an open one ends with a word', async () => {
  const { site, raw, change, mount } = await openWebUiWorld();
  const connection = await raw(handshakeText(path, cookie));
  await expect.poll(connection.text).toContain('hello');
  change({ ...usualPicture, users: { 'alice@acme.com': { disabled: true } } });
  await connection.closed;
  expect(goodbyeIn(connection.text())).toEqual({ code: 1008, reason: 'This account is disabled.' });
  await expect.poll(() => site.sockets[0]?.destroyed).toBe(true);
  await expect.poll(() => mount.sockets()).toBe(0);
  const again = await raw(handshakeText(path, cookie));
  await again.closed;
  expect(again.text()).toContain('403');
});

test('an end behind the gate is an end in front of it, and the other way round', async () => {
  const { site, raw } = await openWebUiWorld();
  const one = await raw(handshakeText(path, cookie));
  await expect.poll(one.text).toContain('hello');
  site.sockets[0]?.destroy();
  await one.closed;
  const two = await raw(handshakeText(path, cookie));
  await expect.poll(two.text).toContain('hello');
  two.socket.destroy();
  await expect.poll(() => site.sockets[1]?.destroyed).toBe(true);
});

test('a no of Open WebUI is an ordinary answer, and nothing gets through behind it', async () => {
  const { site, raw } = await openWebUiWorld();
  site.refuseSocket =
    'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 4\r\nConnection: close\r\n\r\nnope';
  const connection = await raw(
    `${handshakeText(path, cookie)}${requestText('GET /smuggled HTTP/1.1', 'Host: a')}`,
  );
  await connection.closed;
  expect(connection.text()).toMatch(/^HTTP\/1\.1 400 [\s\S]*nope$/);
  expect(site.arrived.map(({ url }) => url)).toEqual([path]);
});

test('another protocol than the one that was asked for is refused', async () => {
  const { site, raw } = await openWebUiWorld();
  site.refuseSocket = 'HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n';
  const connection = await raw(handshakeText(path, cookie));
  await connection.closed;
  expect(connection.text()).toContain('HTTP/1.1 502 ');
});

test('a handshake with a body is refused', async () => {
  const { site, raw } = await openWebUiWorld();
  for (const framing of ['Content-Length: 5', 'Transfer-Encoding: chunked']) {
    const connection = await raw(`${handshakeText(path, cookie, framing)}abcde`);
    await connection.closed;
    expect(connection.text()).toContain('400');
  }
  expect(site.arrived).toEqual([]);
});

test.each(['h2c', 'TLS/1.0', 'websocket, h2c'])(
  'an upgrade to %s is overlooked: it is a request as any other',
  async (to) => {
    const { site, raw } = await openWebUiWorld();
    const connection = await raw(
      requestText(
        'GET /echo HTTP/1.1',
        'Host: a',
        'Connection: Upgrade, HTTP2-Settings, close',
        `Upgrade: ${to}`,
        'HTTP2-Settings: AAMAAABk',
      ),
    );
    await connection.closed;
    expect(connection.text()).toContain('200 OK');
    const { rawHeaders, isHandshake } = site.last('/echo');
    expect(isHandshake).toBe(false);
    for (const name of ['upgrade', 'http2-settings']) expect(valuesOf(rawHeaders, name)).toEqual([]);
  },
);

test('a handshake to a part of the gate is a request as any other', async () => {
  const { raw } = await openWebUiWorld();
  const connection = await raw(`${handshakeText('/gateway/jwks.json')}`);
  await expect.poll(connection.text).toContain('"keys"');
});

test('when Open WebUI is away a handshake gets a clean answer', async () => {
  const { raw, mount } = await openWebUiWorld({ url: 'http://127.0.0.1:1' });
  const connection = await raw(handshakeText(path, cookie));
  await connection.closed;
  expect(connection.text()).toContain('HTTP/1.1 503 ');
  expect(connection.text()).toMatch(/retry-after: 10/i);
  expect(connection.text()).toContain('open_webui_away');
  expect(mount.sockets()).toBe(0);
});

test('nobody has more than a hundred sockets', async () => {
  const { raw } = await openWebUiWorld();
  const connections = await Promise.all(Array.from({ length: 101 }, () => raw(handshakeText(path, cookie))));
  await expect.poll(() => connections.filter(({ text }) => text() !== '').length).toBe(101);
  expect(connections.filter(({ text }) => text().includes(' 101 '))).toHaveLength(100);
  expect(connections.find(({ text }) => text().includes(' 429 '))?.text()).toContain('too_many_sockets');
});

test('sockets end with the program, and are told to come back', async () => {
  const { raw, mount } = await openWebUiWorld();
  const connection = await raw(handshakeText(path, cookie));
  await expect.poll(connection.text).toContain('hello');
  mount.leave?.();
  await connection.closed;
  expect(goodbyeIn(connection.text())).toMatchObject({ code: 1012 });
});

test('a goodbye waits for the end of what Open WebUI is saying', async () => {
  const { site, raw, mount } = await openWebUiWorld();
  const connection = await raw(handshakeText(path, cookie));
  await expect.poll(connection.text).toContain('hello');
  site.sockets[0]?.write(Buffer.from([0x81, 6, ...Buffer.from('abc')]));
  await expect.poll(connection.text).toContain('abc');
  mount.leave?.();
  site.sockets[0]?.write('def');
  await connection.closed;
  expect(connection.text()).toMatch(/abcdef\x88/);
  expect(goodbyeIn(connection.text())).toMatchObject({ code: 1012 });
});
