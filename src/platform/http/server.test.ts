import { connect } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { listen } from './listen.ts';
import { createHttpServer, type HttpOptions, type Mount, sendJson } from './server.ts';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const lines: string[] = [];

async function start(options: Partial<HttpOptions> = {}) {
  lines.length = 0;
  const server = createHttpServer({
    mounts: [],
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    log: createLog('info', { write: (line: string) => void lines.push(line) }),
    ...options,
  });
  const port = await listen(server, '127.0.0.1', 0);
  closing.push(() => {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    return closed;
  });
  return { url: `http://127.0.0.1:${port}`, port };
}

const hello: Mount = {
  takes: (path) => path === '/hello',
  serve: (_req, res, arrival) => sendJson(res, 200, arrival),
};

test('a part serves the paths that it takes; the others are nothing', async () => {
  const { url } = await start({ mounts: [hello] });
  expect(await (await fetch(`${url}/hello?x=1`)).json()).toMatchObject({
    path: '/hello',
    clientIp: '127.0.0.1',
  });
  const missing = await fetch(`${url}/other`);
  expect([missing.status, await missing.json()]).toEqual([
    404,
    {
      error: {
        code: 'not_found',
        message: expect.any(String),
        requestId: missing.headers.get('x-request-id'),
      },
    },
  ]);
});

test('every answer names its request; a name that is safe is kept, any other replaced', async () => {
  const { url } = await start({ mounts: [hello] });
  const idFor = async (id: string) => {
    const response = await fetch(`${url}/hello`, { headers: { 'x-request-id': id } });
    const { requestId } = (await response.json()) as { requestId: string };
    expect(response.headers.get('x-request-id')).toBe(requestId);
    return requestId;
  };
  expect(await idFor('abc-1.2_3')).toBe('abc-1.2_3');
  expect(await idFor('a b')).toMatch(/^[0-9a-f-]{36}$/);
  expect(await idFor('x'.repeat(65))).toMatch(/^[0-9a-f-]{36}$/);
});

test('what a part throws is logged and not shown', async () => {
  const failing = (serve: Mount['serve']): Mount => ({ takes: () => true, serve });
  const secret = new Error('canary');
  for (const mount of [
    failing(() => Promise.reject(secret)),
    failing(() => {
      throw secret;
    }),
  ]) {
    const { url } = await start({ mounts: [mount] });
    const response = await fetch(`${url}/x?token=canary2`);
    const text = await response.text();
    expect(response.status).toBe(500);
    expect(text).toContain('internal_error');
    expect(text).toContain(response.headers.get('x-request-id')!);
    expect(text).not.toContain('canary');
    expect(lines.join('')).toContain('canary');
    expect(lines.join('')).not.toContain('canary2');
  }
});

test('an answer that breaks after its head ends the connection', async () => {
  const { url } = await start({
    mounts: [
      {
        takes: () => true,
        serve: async (_req, res) => {
          res.writeHead(200).write('half');
          await Promise.reject(new Error('broke'));
        },
      },
    ],
  });
  await expect(fetch(url).then((response) => response.text())).rejects.toThrow();
});

test('a page that may not call is refused before any part hears of it', async () => {
  const { url } = await start({
    mounts: [hello],
    guard: { check: () => ({ ok: false, message: 'Not you.' }) },
  });
  const response = await fetch(`${url}/hello`);
  expect([response.status, await response.json()]).toMatchObject([
    403,
    { error: { code: 'origin_not_allowed', message: 'Not you.' } },
  ]);
});

test('a page that may call is told so, and asks before it calls', async () => {
  const headers = [['access-control-allow-origin', 'https://chat.example.com']] as const;
  const { url } = await start({ mounts: [hello], guard: { check: () => ({ ok: true, headers }) } });
  const preflight = await fetch(`${url}/hello`, { method: 'OPTIONS' });
  expect(preflight.status).toBe(204);
  const response = await fetch(`${url}/hello`);
  expect(response.headers.get('access-control-allow-origin')).toBe('https://chat.example.com');
});

test('an address that asks too often is told how long to wait', async () => {
  const asked: string[] = [];
  const limit = (ip: string) => asked.push(ip) && 7;
  const { url } = await start({ mounts: [hello], limit });
  const response = await fetch(`${url}/hello`);
  expect([response.status, response.headers.get('retry-after'), asked]).toEqual([429, '7', ['127.0.0.1']]);
});

test('a request that all replicas together have no room for is refused before a part sees it, also when that takes a moment', async () => {
  const seen: string[] = [];
  const part: Mount = {
    takes: () => true,
    serve: (_req, res, { path }) => {
      seen.push(path);
      sendJson(res, 200, {});
    },
  };
  const answers = [0, 7, Promise.resolve(0), Promise.resolve(7)];
  const { url } = await start({ mounts: [part], count: () => answers.shift() ?? 0 });
  const found: (string | null)[][] = [];
  for (const path of ['a', 'b', 'c', 'd']) {
    const { status, headers } = await fetch(`${url}/${path}`);
    found.push([String(status), headers.get('retry-after')]);
  }
  expect(found).toEqual([
    ['200', null],
    ['429', '7'],
    ['200', null],
    ['429', '7'],
  ]);
  expect(seen).toEqual(['/a', '/c']);
});

test('what a part has not counted by the end is counted then, also when it fails', async () => {
  let counted = 0;
  const count = () => ++counted && 0;
  const part = (isCounted: boolean): Mount => ({
    takes: () => true,
    countsRequests: true,
    serve: (req, res, { turn }) => {
      turn.isCounted = isCounted;
      if (req.url === '/fails') throw new Error('broke');
      sendJson(res, 200, {});
    },
  });
  const [counting, other] = [
    await start({ mounts: [part(true)], count }),
    await start({ mounts: [part(false)], count }),
  ];
  for (const { url } of [counting, other]) expect((await fetch(`${url}/x`)).status).toBe(200);
  expect(counted).toBe(1);
  expect((await fetch(`${other.url}/fails`)).status).toBe(500);
  expect(counted).toBe(2);
});

test('a refused request with a body leaves its connection usable', async () => {
  const { port } = await start({ mounts: [hello] });
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  socket.write(`POST /none HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n${'x'.repeat(100_000)}`);
  await expect.poll(() => heard).toContain('HTTP/1.1 404');
  socket.write('GET /hello HTTP/1.1\r\nHost: x\r\n\r\n');
  await expect.poll(() => heard).toContain('HTTP/1.1 200');
  socket.destroy();
});

test('what is no HTTP is answered as such', async () => {
  const { port } = await start({ mounts: [hello] });
  const socket = connect(port, '127.0.0.1');
  let heard = '';
  socket.on('data', (chunk: Buffer) => {
    heard += chunk.toString();
  });
  socket.write('hello\r\n\r\n');
  await expect.poll(() => heard).toContain('HTTP/1.1 400');
});

test('a port in use is one clear sentence', async () => {
  const { port } = await start();
  const server = createHttpServer({
    mounts: [],
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    log: createLog('silent'),
  });
  await expect(listen(server, '127.0.0.1', port)).rejects.toMatchObject({
    code: 'cannot_listen',
    message: `Port ${port} is in use already; stop the other program or choose another port with PORT.`,
  });
});
