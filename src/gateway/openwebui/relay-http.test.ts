import { createHash, randomBytes } from 'node:crypto';
import http from 'node:http';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { openWebUiWorld, rawConnection, requestText, valuesOf } from '../../../test/open-webui-world.ts';

const alice = { cookie: 'token=session-alice' };

test('headers of one hop stay there, those that Connection lists as well', async () => {
  const { site, raw } = await openWebUiWorld();
  const lines = [
    'Keep-Alive: 5',
    'TE: trailers',
    'Proxy-Authorization: Basic x',
    'Proxy-Connection: x',
    'Upgrade: h2c',
  ];
  const connection = await raw(
    requestText(
      'GET /echo HTTP/1.1',
      'Host: a',
      'Connection: close, X-Secret, upgrade',
      'X-Secret: 1',
      ...lines,
      'X-Mine: 1',
    ),
  );
  await connection.closed;
  const { rawHeaders } = site.last('/echo');
  for (const name of ['keep-alive', 'te', 'proxy-authorization', 'proxy-connection', 'upgrade', 'x-secret'])
    expect(valuesOf(rawHeaders, name)).toEqual([]);
  expect(valuesOf(rawHeaders, 'x-mine')).toEqual(['1']);
});

test('two headers of one name stay two', async () => {
  const { site, raw } = await openWebUiWorld();
  await (
    await raw(requestText('GET /echo HTTP/1.1', 'Host: a', 'Connection: close', 'X-Mine: 1', 'x-mine: 2'))
  ).closed;
  expect(valuesOf(site.last('/echo').rawHeaders, 'x-mine')).toEqual(['1', '2']);
});

test('HEAD, 304, 204 and parts of files pass unchanged', async () => {
  const { url } = await openWebUiWorld();
  const head = await fetch(`${url}/file`, { method: 'HEAD' });
  expect([head.status, head.headers.get('content-length')]).toEqual([200, '10']);
  expect((await fetch(`${url}/not-modified`, { headers: { 'if-none-match': '"1"' } })).status).toBe(304);
  expect((await fetch(`${url}/no-content`)).status).toBe(204);
  const part = await fetch(`${url}/file`, { headers: { range: 'bytes=2-4' } });
  expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([
    206,
    'bytes 2-4/10',
    '234',
  ]);
});

test('trailers of an answer pass, but for what nobody may say', async () => {
  const { url } = await openWebUiWorld();
  const trailers = await new Promise((resolve, reject) => {
    http
      .get(`${url}/trailers`, (answer) => {
        answer.resume().on('end', () => resolve(answer.trailers));
      })
      .on('error', reject);
  });
  expect(trailers).toEqual({ 'x-sum': '42' });
});

test('a large upload arrives whole, with and without a length', async () => {
  const { site, url, records } = await openWebUiWorld();
  const part = randomBytes(1024 * 1024);
  const parts = 60;
  const hash = createHash('sha256');
  for (let at = 0; at < parts; at++) hash.update(part);
  const sha256 = hash.digest('hex');
  for (const length of [undefined, String(part.length * parts)]) {
    const body = Readable.toWeb(
      Readable.from(
        (function* () {
          for (let at = 0; at < parts; at++) yield part;
        })(),
      ),
    );
    const response = await fetch(`${url}/api/v1/files/`, {
      ...{ method: 'POST', body: body as ReadableStream, duplex: 'half' as const },
      headers: { ...alice, ...(length !== undefined && { 'content-length': length }) },
    });
    expect(await response.json()).toMatchObject({ bytes: part.length * parts, sha256 });
    expect(site.last('/api/v1/files/').isComplete).toBe(true);
  }
  await expect
    .poll(() => records.map(({ bytesIn }) => bytesIn))
    .toEqual([part.length * parts, part.length * parts]);
});

test('an upload that Open WebUI does not read waits at the client', async () => {
  const { site, port } = await openWebUiWorld();
  const { socket } = await rawConnection(
    port,
    requestText('POST /unread HTTP/1.1', 'Host: a', 'Content-Length: 500000000'),
  );
  const chunk = Buffer.alloc(1024 * 1024);
  let sent = 0;
  const more = () => {
    while (sent < 400 && socket.writableLength < 4 * chunk.length) {
      socket.write(chunk);
      sent++;
    }
  };
  socket.on('drain', more);
  more();
  await expect.poll(() => site.held.length).toBe(1);
  let before = -1;
  // It comes to a stop by itself, long before everything was taken.
  await expect
    .poll(
      () => {
        const same = before === sent;
        before = sent;
        return same;
      },
      { interval: 300 },
    )
    .toBe(true);
  expect(sent).toBeLessThan(100);
});

test('a client that does not read makes Open WebUI wait', async () => {
  const { site, port } = await openWebUiWorld();
  const { socket } = await rawConnection(port, requestText('GET /endless HTTP/1.1', 'Host: a'));
  socket.pause();
  await expect.poll(() => site.requests.length).toBe(1);
  const written = () => site.requests[0]?.socket.bytesWritten ?? 0;
  let before = -1;
  await expect
    .poll(
      () => {
        const same = before === written() && before > 0;
        before = written();
        return same;
      },
      { interval: 300 },
    )
    .toBe(true);
  expect(written()).toBeLessThan(50 * 1024 * 1024);
});

test('a stream arrives event by event, its head first', async () => {
  const { site, url } = await openWebUiWorld();
  const response = await fetch(`${url}/stream`, { headers: alice });
  expect(response.headers.get('content-type')).toBe('text/event-stream');
  expect(response.headers.get('content-encoding')).toBeNull();
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  for (const event of ['data: one\n\n', 'data: two\n\n']) {
    site.held[0]?.write(event);
    expect((await reader?.read())?.value).toBe(event);
  }
  site.held[0]?.end();
  expect((await reader?.read())?.done).toBe(true);
});

test('whoever leaves is left behind the gate, too, before the answer and in the middle of it', async () => {
  const { site, url, records } = await openWebUiWorld();
  for (const path of ['/hold', '/stream']) {
    const controller = new AbortController();
    const asked = fetch(`${url}${path}`, { signal: controller.signal });
    await expect.poll(() => site.arrived.some((entry) => entry.url === path)).toBe(true);
    if (path === '/stream') await asked;
    controller.abort();
    await asked.catch(() => undefined);
    await expect.poll(() => site.last(path).wasLeft).toBe(true);
  }
  await expect.poll(() => records.map(({ outcome }) => outcome)).toEqual(['cancelled', 'cancelled']);
});

test('an upload that breaks off does not look complete to Open WebUI', async () => {
  const { site, port } = await openWebUiWorld();
  for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    const { socket } = await rawConnection(
      port,
      `${requestText('POST /echo HTTP/1.1', 'Host: a', framing)}5\r\nabcde\r\n`,
    );
    await expect.poll(() => site.last('/echo').bytes).toBeGreaterThan(0);
    socket.destroy();
    await expect.poll(() => site.last('/echo').wasLeft).toBe(true);
    expect(site.last('/echo').isComplete).toBe(false);
    site.arrived.length = 0;
  }
});

test.each(['/break', '/short'])(
  'an answer that breaks off behind the gate breaks off in front of it: %s',
  async (path) => {
    const { url, records } = await openWebUiWorld();
    const response = await fetch(`${url}${path}`);
    await expect(response.text()).rejects.toThrow();
    await expect
      .poll(() => records.map(({ outcome, reason }) => [outcome, reason]))
      .toEqual([['upstream_error', 'broken_off']]);
  },
);

test('an answer that comes before the upload is complete is heard', async () => {
  const { port } = await openWebUiWorld();
  const connection = await rawConnection(
    port,
    requestText('POST /early HTTP/1.1', 'Host: a', 'Content-Length: 10000000'),
  );
  for (let at = 0; at < 20; at++) connection.socket.write(Buffer.alloc(100_000));
  await expect.poll(connection.text).toContain('too large');
  // Whoever goes on sending is not listened to for ever.
  await connection.closed;
  expect(connection.text()).toContain('413');
});

test('many requests share few connections, and one that was closed meanwhile is noticed', async () => {
  const { site, url } = await openWebUiWorld();
  for (let at = 0; at < 5; at++) await (await fetch(`${url}/echo`)).text();
  expect(new Set(site.requests.map(({ socket }) => socket.remotePort)).size).toBe(1);
  let refused = 0;
  site.before = (req) => {
    // Closed at the moment of the request, as a server does that had enough of waiting.
    if (refused > 0 || site.requests.at(-2)?.socket !== req.socket) return false;
    refused++;
    req.socket.resetAndDestroy();
    return true;
  };
  expect((await fetch(`${url}/echo`)).status).toBe(200);
  expect(refused).toBe(1);
});

test('what changes something is never sent twice', async () => {
  const { site, url } = await openWebUiWorld();
  await (await fetch(`${url}/echo`)).text();
  const response = await fetch(`${url}/drop`, { method: 'POST', body: 'x' });
  expect(response.status).toBe(502);
  expect(site.arrived.filter((entry) => entry.url === '/drop')).toHaveLength(1);
});

test('what the gate says of caches stays beside what Open WebUI says', async () => {
  const { site, url } = await openWebUiWorld({ said: [['vary', 'origin']] });
  site.before = (_req, res) => {
    res.writeHead(200, { vary: 'Accept-Encoding' }).end();
    return true;
  };
  expect((await fetch(`${url}/x`)).headers.get('vary')).toBe('Accept-Encoding, origin');
  site.before = undefined;
  expect((await fetch(`${url}/file`)).headers.get('vary')).toBe('origin');
});
