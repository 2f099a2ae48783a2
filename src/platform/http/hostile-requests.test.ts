import { buffer } from 'node:stream/consumers';
import { connect, type Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sendRaw } from '../../../test/raw-http.ts';
import { createLog } from '../log.ts';
import { listen } from './listen.ts';
import { createHttpServer, type HttpServer, sendJson } from './server.ts';

let server: HttpServer;
let port = 0;
/** `METHOD target` of each request that a part was given. */
let served: string[] = [];

beforeEach(async () => {
  served = [];
  server = createHttpServer({
    mounts: [
      {
        takes: () => true,
        serve: async (req, res) => {
          served.push(`${req.method} ${req.url}`);
          const body = await buffer(req);
          sendJson(res, 200, { body: body.toString() });
        },
      },
    ],
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    mostSilent: 250,
    log: createLog('silent'),
  });
  port = await listen(server, '127.0.0.1', 0);
});

afterEach(async () => {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeAllConnections();
  await closed;
});

const host = 'Host: a\r\n';
const next = `GET /smuggled HTTP/1.1\r\n${host}\r\n`;
const post = (headers: string, body: string, version = '1.1') =>
  `POST /first HTTP/${version}\r\n${host}${headers}\r\n${body}`;

describe('a request that a proxy in front could end elsewhere', () => {
  test.each([
    [
      'a length and chunks (CL.TE)',
      post('Content-Length: 6\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\nG'),
    ],
    [
      'chunks and a length (TE.CL)',
      post('Transfer-Encoding: chunked\r\nContent-Length: 4\r\n', '5c\r\n\r\n0\r\n\r\n'),
    ],
    ['two lengths', post('Content-Length: 1\r\nContent-Length: 3\r\n', 'abc')],
    ['the same length twice', post('Content-Length: 1\r\nContent-Length: 1\r\n', 'a')],
    ['a list of lengths', post('Content-Length: 1, 1\r\n', 'a')],
    ['a length with a sign', post('Content-Length: +1\r\n', 'a')],
    ['a negative length', post('Content-Length: -1\r\n', 'a')],
    ['a length in hexadecimal', post('Content-Length: 0x1\r\n', 'a')],
    ['an unknown encoding (TE.TE)', post('Transfer-Encoding: xchunked\r\n', '0\r\n\r\n')],
    ['two encodings', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n', '0\r\n\r\n')],
    ['chunked twice', post('Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n', '0\r\n\r\n')],
    ['an encoding before chunked', post('Transfer-Encoding: gzip, chunked\r\n', '0\r\n\r\n')],
    ['a list that begins empty', post('Transfer-Encoding: , chunked\r\n', '0\r\n\r\n')],
    ['a blank before the colon', post('Transfer-Encoding : chunked\r\n', '0\r\n\r\n')],
    ['a control character before the encoding', post('Transfer-Encoding: \x0bchunked\r\n', '0\r\n\r\n')],
    ['chunks in HTTP/1.0', post('Transfer-Encoding: chunked\r\n', '0\r\n\r\n', '1.0')],
    ['a folded header', post('X-A: b\r\n c\r\nContent-Length: 0\r\n', '')],
    ['a folded encoding', post('Transfer-Encoding:\r\n chunked\r\n', '0\r\n\r\n')],
    ['a header that begins with a blank', `POST /first HTTP/1.1\r\n X-A: b\r\n${host}\r\n`],
    ['bare line feeds', 'POST /first HTTP/1.1\nHost: a\nContent-Length: 0\n\n'],
    ['a bare carriage return', post('X-A: b\rTransfer-Encoding: chunked\r\n', '')],
    ['a chunk that ends with a line feed', post('Transfer-Encoding: chunked\r\n', '1\na\r\n0\r\n\r\n')],
    ['a chunk extension with a line feed', post('Transfer-Encoding: chunked\r\n', '1;\na\r\n0\r\n\r\n')],
    ['a chunk of negative size', post('Transfer-Encoding: chunked\r\n', '-1\r\na\r\n0\r\n\r\n')],
    ['a chunk size with a prefix', post('Transfer-Encoding: chunked\r\n', '0x1\r\na\r\n0\r\n\r\n')],
    [
      'a chunk of 64 bits and more',
      post('Transfer-Encoding: chunked\r\n', '10000000000000000\r\na\r\n0\r\n\r\n'),
    ],
    ['a length in the trailer', post('Transfer-Encoding: chunked\r\n', '0\r\nContent-Length: 5\r\n\r\n')],
    ['a null byte in a header', post('X-A: b\0c\r\nContent-Length: 0\r\n', '')],
    ['two hosts', post('Host: b\r\nContent-Length: 0\r\n', '')],
    ['two hosts in other letters', post('hOST: b\r\nContent-Length: 0\r\n', '')],
    ['no host', 'POST /first HTTP/1.1\r\nContent-Length: 0\r\n\r\n'],
    ['a host with a path', `GET /first HTTP/1.1\r\nHost: a/b@c\r\n\r\n`],
    ['a host with a blank', `GET /first HTTP/1.1\r\nHost: a b\r\n\r\n`],
    [
      'two credentials',
      post('Authorization: Bearer a\r\nAuthorization: Bearer b\r\nContent-Length: 0\r\n', ''),
    ],
    ['two origins', post('Origin: http://a\r\nOrigin: http://b\r\nContent-Length: 0\r\n', '')],
    ['HTTP/2 in the clear', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['HTTP/2.0 as a version', `GET /first HTTP/2.0\r\n${host}\r\n`],
    ['HTTP/0.9', 'GET /first\r\n\r\n'],
  ])('%s: refused, and what follows on the connection is no request', async (_what, bytes) => {
    const { statuses } = await sendRaw(port, bytes + next);
    expect(statuses[0]).toBe(400);
    expect(statuses.slice(1).filter((status) => status < 400)).toEqual([]);
    expect(served).not.toContain('GET /smuggled');
  });

  test('garbage after a request is no answer to that request', async () => {
    const { text } = await sendRaw(
      port,
      `GET /first HTTP/1.1\r\n${host}Connection: close\r\n\r\nGET /smuggled HTTP/1.1\r\n${host}\r\n`,
    );
    expect(text).not.toContain('400 Bad Request');
    expect(served).not.toContain('GET /smuggled');
  });
});

describe('a target that is no path, or could be read as another one', () => {
  test.each([
    ['absolute', 'http://evil.example/first'],
    ['absolute, this server', 'http://a/mcp'],
    ['two slashes', '//evil.example/first'],
    ['star', '*'],
    ['a fragment', '/first#part'],
    ['dots', '/mcp/../mcp-admin/api/users'],
    ['dots at the end', '/mcp/..'],
    ['one dot', '/mcp/./first'],
    ['encoded dots', '/mcp/%2e%2e/mcp-admin/api/users'],
    ['half encoded dots', '/mcp/.%2E/mcp-admin'],
    ['dots after an encoded slash', '/mcp%2f..%2fmcp-admin'],
    ['dots after an encoded backslash', '/mcp%5c..%5cmcp-admin'],
    ['an encoded null byte', '/mcp%00'],
    ['an encoded line break', '/mcp%0d%0aX-A:%20b'],
    ['a null byte', '/mcp\0'],
    ['a backslash for a slash', '\\mcp'],
    ['dots after a backslash', '/mcp\\..\\mcp-admin'],
    ['a backslash anywhere', '/mcp\\x'],
    ['a host after a backslash', '/\\evil.example/first'],
    ['a byte beyond ASCII', '/mcp\xff'],
    ['a tab', '/mcp\tx'],
  ])('%s: refused', async (_what, target) => {
    const { statuses } = await sendRaw(port, `GET ${target} HTTP/1.1\r\n${host}\r\n`);
    expect([statuses, served]).toEqual([[400], []]);
  });

  test.each([
    '/.well-known/oauth-protected-resource',
    '/mcp/%252e%252e/x',
    '/files/a%2Fb',
    '/files/..a/b..',
    '/a/...?next=/../x',
    '/a?file=C:\\x',
    '/a%5Cb',
  ])('%s is a path like any other', async (target) => {
    const { statuses } = await sendRaw(port, `GET ${target} HTTP/1.1\r\n${host}\r\n`);
    expect([statuses, served]).toEqual([[200], [`GET ${target}`]]);
  });

  test.each([
    ['OPTIONS *', `OPTIONS * HTTP/1.1\r\n${host}\r\n`, [400]],
    ['TRACE', `TRACE /first HTTP/1.1\r\n${host}Cookie: a=b\r\n\r\n`, [405]],
    ['CONNECT', `CONNECT evil.example:443 HTTP/1.1\r\n${host}\r\n`, []],
    [
      'an expectation that nobody knows',
      `POST /first HTTP/1.1\r\n${host}Expect: miracles\r\nContent-Length: 0\r\n\r\n`,
      [417],
    ],
  ])('%s is not for a part', async (_what, bytes, expected) => {
    const { statuses } = await sendRaw(port, bytes);
    expect([statuses, served]).toEqual([expected, []]);
  });
});

describe('limits of a request', () => {
  const filler = (bytes: number) => 'a'.repeat(bytes);
  test.each([
    ['a long address', `GET /${filler(17_000)} HTTP/1.1\r\n${host}\r\n`, 414],
    ['a long header', `GET / HTTP/1.1\r\n${host}X-A: ${filler(70_000)}\r\n\r\n`, 431],
    ['long headers together', `GET / HTTP/1.1\r\n${host}${`X-A: ${filler(7_000)}\r\n`.repeat(10)}\r\n`, 431],
    ['many headers', `GET / HTTP/1.1\r\n${host}${'X-A: b\r\n'.repeat(201)}\r\n`, 431],
    [
      'more headers than Node counts, and two hosts among them',
      `GET / HTTP/1.1\r\n${'X-A: b\r\n'.repeat(2_100)}${host}${host}\r\n`,
      431,
    ],
    [
      'a long chunk extension',
      post('Transfer-Encoding: chunked\r\n', `1;${filler(20_000)}\r\na\r\n0\r\n\r\n`),
      413,
    ],
  ])('%s', async (_what, bytes, status) => {
    const { statuses } = await sendRaw(port, bytes);
    expect(statuses).toContain(status);
  });

  test('requests one behind the other are answered in turn', async () => {
    const one = (n: number) => `POST /${n} HTTP/1.1\r\n${host}Content-Length: 1\r\n\r\n${n}`;
    const { text } = await sendRaw(port, [1, 2, 3, 4].map(one).join(''));
    expect([...text.matchAll(/"body":"(\d)"/g)].map(([, n]) => n)).toEqual(['1', '2', '3', '4']);
  });

  test('HTTP/1.0 is answered, and its connection ends', async () => {
    const { statuses, text } = await sendRaw(port, 'GET /first HTTP/1.0\r\n\r\n');
    expect(statuses).toEqual([200]);
    expect(text.toLowerCase()).toContain('connection: close');
  });

  test('an expected 100 is said before the answer', async () => {
    const { statuses } = await sendRaw(port, post('Expect: 100-continue\r\nContent-Length: 1\r\n', 'a'));
    expect(statuses).toEqual([100, 200]);
  });

  test('nobody may take for ever to send a head, a request, or nothing', () => {
    expect(server.headersTimeout).toBe(20_000);
    expect(server.requestTimeout).toBe(60_000);
    expect(server.keepAliveTimeout).toBe(65_000);
  });

  test('one address has only so many connections that say nothing', async () => {
    const sockets: Socket[] = [];
    let lost = 0;
    for (let n = 0; n < 270; n++) {
      const socket = connect(port, '127.0.0.1');
      socket.on('error', () => undefined);
      socket.on('close', () => void lost++);
      socket.write('GET /first HTTP/1.1\r\nX-Slow: ');
      sockets.push(socket);
      await once(socket, 'connect');
    }
    await expect.poll(() => lost).toBe(20);
    for (const socket of sockets) socket.destroy();
    await expect.poll(() => lost).toBe(270);
    expect((await sendRaw(port, `GET /first HTTP/1.1\r\n${host}\r\n`)).statuses).toEqual([200]);
  });
});
