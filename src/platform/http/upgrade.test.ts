import type { ServerResponse } from 'node:http';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { listen } from './listen.ts';
import { createHttpServer, type HttpServer, sendJson } from './server.ts';
import { takeSocket } from './upgrade.ts';

let server: HttpServer;
let port = 0;
/** Paths whose answers are under way, and those whose answers are over. */
let begun: string[] = [];
let over: string[] = [];
const clients: Socket[] = [];

beforeEach(async () => {
  begun = [];
  over = [];
  server = createHttpServer({
    mounts: [
      {
        takes: () => true,
        hasSockets: true,
        serve: (req, res, { path }) => {
          begun.push(path);
          res.once('close', () => over.push(path));
          if (path === '/quick') sendJson(res, 200, {});
          if (path === '/refused') sendJson(res, 401, { sentence: 'not you' });
          if (path === '/taken') takeSocket(req, res)?.socket.end('taken');
        },
      },
    ],
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    log: createLog('silent'),
  });
  port = await listen(server, '127.0.0.1', 0);
});

afterEach(async () => {
  for (const client of clients.splice(0)) client.destroy();
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

const request = (path: string) => `GET ${path} HTTP/1.1\r\nHost: a\r\n\r\n`;
const handshake = (path: string) =>
  `GET ${path} HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n`;

/** A client that never ends its side by itself. */
function say(text: string) {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  clients.push(socket);
  let came = '';
  socket.setEncoding('latin1').on('data', (part: string) => {
    came += part;
  });
  socket.on('error', () => undefined);
  socket.write(text);
  /** By the other side; this one stays. */
  const closed = new Promise((resolve) => socket.once('end', resolve).once('close', resolve));
  return { socket, text: () => came, closed };
}

const openConnections = () =>
  new Promise<number>((resolve, reject) =>
    server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
  );

test.each([['/slow'], ['/quick']])(
  'a handshake in one packet behind a request that is still being answered (%s) ends the connection alone',
  async (path) => {
    await say(`${request(path)}${handshake('/taken')}`).closed;
    expect(begun).toEqual([path]);
    await expect.poll(say(request('/quick')).text).toContain('HTTP/1.1 200 ');
  },
);

test('answers whose turn had not come end with it, too', async () => {
  await say(`${request('/one')}${request('/two')}${request('/three')}${handshake('/taken')}`).closed;
  await expect.poll(() => [...over].sort()).toEqual(['/one', '/three', '/two']);
});

test('a handshake behind a request that was answered is one like any other', async () => {
  const { socket, text } = say(request('/quick'));
  await expect.poll(text).toContain('HTTP/1.1 200 ');
  socket.write(handshake('/taken'));
  await expect.poll(text).toMatch(/taken$/);
});

test('whatever fails while a handshake is let in ends its connection alone', async () => {
  server.once('request', (_req, res: ServerResponse) => {
    res.destroy();
    throw new Error('on purpose');
  });
  await say(handshake('/taken')).closed;
  await expect.poll(say(handshake('/taken')).text).toMatch(/taken$/);
});

test('a refused handshake is answered, and its connection ends though the client does not end it', async () => {
  const { text, closed } = say(`${handshake('/refused')}${'x'.repeat(100_000)}`);
  await closed;
  expect(text()).toMatch(/^HTTP\/1\.1 401 [\s\S]*not you/);
  await expect.poll(openConnections, { timeout: 8_000 }).toBe(0);
});
