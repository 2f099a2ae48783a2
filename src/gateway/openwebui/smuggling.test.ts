// Requests whose end could be read in two ways: either they are refused, or Open WebUI gets one with a single clear end.
import { expect, test } from 'vitest';
import { openWebUiWorld, requestText, valuesOf } from '../../../test/open-webui-world.ts';

const hidden = 'GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n';

const ambiguous: readonly (readonly [string, string])[] = [
  [
    'a length and chunks',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 5', 'Transfer-Encoding: chunked')}0\r\n\r\n${hidden}`,
  ],
  [
    'chunks and a length',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Content-Length: 5')}0\r\n\r\n${hidden}`,
  ],
  [
    'two lengths',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 0', `Content-Length: ${hidden.length}`)}${hidden}`,
  ],
  [
    'two equal lengths',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 3', 'Content-Length: 3')}abc`,
  ],
  ['a list of lengths', `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 3, 3')}abc`],
  ['a length with a sign', `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: +3')}abc`],
  ['a negative length', requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: -1')],
  ['a length in hexadecimal', `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Content-Length: 0x3')}abc`],
  [
    'a coding that is not known',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: xchunked')}0\r\n\r\n`,
  ],
  [
    'two codings',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: gzip, chunked')}0\r\n\r\n`,
  ],
  [
    'chunks that are not last',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked, identity')}0\r\n\r\n`,
  ],
  [
    'two headers with codings',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked', 'Transfer-Encoding: identity')}0\r\n\r\n`,
  ],
  [
    'a coding behind a space',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding : chunked')}0\r\n\r\n`,
  ],
  [
    'a folded coding',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding:\r\n chunked')}0\r\n\r\n`,
  ],
  ['a line that ends with LF alone', `POST /echo HTTP/1.1\nHost: a\nContent-Length: 3\n\nabc`],
  [
    'a chunk size with a sign',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}+3\r\nabc\r\n0\r\n\r\n`,
  ],
  [
    'a chunk size that is too large',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}ffffffffffffffffff\r\nabc\r\n0\r\n\r\n`,
  ],
  [
    'a chunk that is longer than it says',
    `${requestText('POST /echo HTTP/1.1', 'Host: a', 'Transfer-Encoding: chunked')}3\r\nabcde\r\n0\r\n\r\n`,
  ],
  [
    'chunks in HTTP/1.0',
    `${requestText('POST /echo HTTP/1.0', 'Host: a', 'Transfer-Encoding: chunked')}0\r\n\r\n`,
  ],
];

test.each(ambiguous)('%s', async (_what, text) => {
  const { site, raw } = await openWebUiWorld();
  const connection = await raw(text);
  connection.socket.end();
  await connection.closed;
  expect(site.arrived.map(({ url }) => url)).not.toContain('/smuggled');
  // Refused, or read by Open WebUI in one way only.
  for (const { rawHeaders } of site.arrived) {
    const framing = [...valuesOf(rawHeaders, 'content-length'), ...valuesOf(rawHeaders, 'transfer-encoding')];
    expect(framing).toHaveLength(1);
  }
  expect(connection.text()).toMatch(/^HTTP\/1\.1 [45]\d\d /);
});

test('a body of a request that usually has none is passed on as one', async () => {
  const { site, raw } = await openWebUiWorld();
  for (const method of ['GET', 'DELETE', 'OPTIONS']) {
    const connection = await raw(
      `${requestText(`${method} /echo HTTP/1.1`, 'Host: a', 'Connection: close', `Content-Length: ${hidden.length}`)}${hidden}`,
    );
    await connection.closed;
    expect(site.last('/echo')).toMatchObject({ method, bytes: hidden.length });
  }
  expect(site.arrived.map(({ url }) => url)).not.toContain('/smuggled');
});

test('requests behind each other on one connection are answered in their order', async () => {
  const { site, raw } = await openWebUiWorld();
  const connection = await raw(
    `${requestText('POST /echo?1 HTTP/1.1', 'Host: a', 'Content-Length: 3')}abc${requestText('GET /echo?2 HTTP/1.1', 'Host: a')}${requestText('GET /echo?3 HTTP/1.1', 'Host: a', 'Connection: close')}`,
  );
  await connection.closed;
  expect([...connection.text().matchAll(/"url":"\/echo\?(\d)"/g)].map(([, number]) => number)).toEqual([
    '1',
    '2',
    '3',
  ]);
  expect(site.arrived).toHaveLength(3);
});

test.each([
  'GET http://evil.example/x HTTP/1.1',
  'OPTIONS * HTTP/1.1',
  'CONNECT evil.example:443 HTTP/1.1',
  'GET /a b HTTP/1.1',
])('no request is made for somebody else: %s', async (line) => {
  const { site, raw } = await openWebUiWorld();
  const connection = await raw(requestText(line, 'Host: a', 'Connection: close'));
  await connection.closed;
  expect(connection.text()).not.toContain(' 200 ');
  expect(site.arrived).toEqual([]);
});
