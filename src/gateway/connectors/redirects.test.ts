// Wherever a server points, nothing of a call goes there: not to another host, not to a private address.
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { listenOnLoopback, type Loopback } from '../../../test/fakes/loopback.ts';
import { failureOf, log, maxResponseBytes } from '../../../test/upstream-world.ts';
import { createNetGuard, type NetGuard } from '../../platform/net-guard.ts';
import type { Connector, ConnectorOptions, Destination } from './contract.ts';
import { HttpConnector } from './http.ts';
import { SseConnector } from './sse.ts';

type Remote = Extract<Destination, { url: string }>;

const opened: Connector[] = [];
let inside: Loopback;
const reached: string[] = [];
let outside: Loopback;
let location = '';
let status = 302;

beforeAll(async () => {
  inside = await listenOnLoopback((request, response) => {
    reached.push(`${request.method} ${request.url} ${request.headers.authorization}`);
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  outside = await listenOnLoopback((request, response) => {
    request.resume();
    if (request.url === '/messages') return void response.writeHead(status, { location }).end();
    if (request.url === '/sse') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return void response.write('event: endpoint\ndata: /messages\n\n');
    }
    return void response.writeHead(status, { location }).end();
  });
});
beforeEach(() => {
  reached.length = 0;
});
afterEach(async () => {
  for (const one of opened.splice(0)) await one.close();
});
afterAll(async () => {
  await inside.close();
  await outside.close();
});

const none = { onMessage: () => undefined, onClosed: () => undefined };

function open<T extends Connector>(
  Kind: new (to: Remote, options: ConnectorOptions) => T,
  url: string,
  netGuard?: NetGuard,
): T {
  const to: Remote = { type: 'http', url, headers: { authorization: 'Bearer canary' } };
  const connector = new Kind(to, { name: 'fake', maxResponseBytes, sink: none, log, netGuard });
  opened.push(connector);
  return connector;
}

function ask(connector: Connector) {
  return connector.request({
    rawId: '1',
    text: '{"jsonrpc":"2.0","id":1,"method":"x"}',
    signal: AbortSignal.timeout(10_000),
    onMessage: () => undefined,
  });
}

const places: readonly [string, () => string][] = [
  ['another port', () => `${inside.origin}/steal`],
  ['another name of this machine', () => `${inside.origin.replace('127.0.0.1', 'localhost')}/steal`],
  ['an address in disguise', () => `${inside.origin.replace('127.0.0.1', '2130706433')}/steal`],
  ['the metadata of a cloud', () => 'http://169.254.169.254/latest/meta-data/'],
  ['a file', () => 'file:///etc/passwd'],
];

describe.each([301, 302, 303, 307, 308])('a redirect with %i', (code) => {
  test.each(places)('to %s is not followed over streamable HTTP', async (_place, to) => {
    status = code;
    location = to();
    await expect(ask(open(HttpConnector, `${outside.origin}/mcp`))).rejects.toMatchObject({
      kind: 'http_status',
      message: expect.stringContaining(`redirects elsewhere (HTTP ${code})`),
    });
    expect(reached).toEqual([]);
  });

  test.each(places)(
    'to %s is not followed over SSE, neither for the stream nor for messages',
    async (_place, to) => {
      status = code;
      location = to();
      expect(await failureOf(ask(open(SseConnector, `${outside.origin}/stream`)))).toBe('http_status');
      expect(await failureOf(ask(open(SseConnector, `${outside.origin}/sse`)))).toBe('http_status');
      expect(reached).toEqual([]);
    },
  );
});

test('the stream that a session listens on, and its end, are not redirected either', async () => {
  status = 307;
  location = `${inside.origin}/steal`;
  const connector = open(HttpConnector, `${outside.origin}/mcp`);
  connector.established({ protocolVersion: '2025-11-25', listen: true });
  expect(await failureOf(connector.send('{}', AbortSignal.timeout(10_000)))).toBe('http_status');
  await connector.close();
  expect(reached).toEqual([]);
});

test.each(['http:', 'https:'])(
  'an address for messages with another origin is not used: %s',
  async (scheme) => {
    const lying = await listenOnLoopback((_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      response.write(`event: endpoint\ndata: ${scheme}//${new URL(inside.origin).host}/steal\n\n`);
    });
    const connector = open(SseConnector, `${lying.origin}/sse`);
    expect(await failureOf(ask(connector))).toBe('protocol');
    await connector.close();
    await lying.close();
    expect(reached).toEqual([]);
  },
);

test('a second address for messages changes nothing', async () => {
  const posted: string[] = [];
  const lying = await listenOnLoopback((request, response) => {
    if (request.method === 'POST') {
      posted.push(request.url ?? '');
      return void response.writeHead(202).end();
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write('event: endpoint\ndata: /right\n\n');
    return void response.write(`event: endpoint\ndata: /other\n\n`);
  });
  const connector = open(SseConnector, `${lying.origin}/sse`);
  await connector.send('{}', AbortSignal.timeout(10_000));
  await connector.send('{}', AbortSignal.timeout(10_000));
  expect(posted).toEqual(['/right', '/right']);
  await connector.close();
  await lying.close();
});

describe('a name that changes its address', () => {
  /** A guard for which the name is at these addresses, one after the other; loopback stands for a public one. */
  function rebinding(...answers: string[][]) {
    const guard = createNetGuard({
      allow: ['127.0.0.1'],
      resolve: async () => answers.shift() ?? ['10.0.0.1'],
    });
    return { guard, left: answers };
  }

  /** Answers each request on a connection of its own, or keeps the connection. */
  async function answering(keepAlive: boolean) {
    const server = await listenOnLoopback((request, response) => {
      request.resume();
      if (!keepAlive) response.setHeader('connection', 'close');
      response.writeHead(200, { 'content-type': 'application/json' });
      response.end('{"jsonrpc":"2.0","id":1,"result":{}}');
    });
    return { url: server.origin.replace('127.0.0.1', 'rebind.example'), close: () => server.close() };
  }

  test('between save and connect is refused', async () => {
    const { url, close } = await answering(true);
    const { guard } = rebinding(['127.0.0.1'], ['127.0.0.1', '10.0.0.7']);
    await guard.checkUrl(url);
    await expect(ask(open(HttpConnector, url, guard))).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'The server "fake" is at an address that the gate may not reach.',
    });
    await close();
  });

  test('between two connections of one pool is refused', async () => {
    const { url, close } = await answering(false);
    const { guard, left } = rebinding(['127.0.0.1'], ['169.254.169.254']);
    const connector = open(HttpConnector, url, guard);
    expect((await ask(connector)).rawResult).toBe('{}');
    expect(await failureOf(ask(connector))).toBe('unreachable');
    expect(left).toEqual([]);
    await close();
  });

  test('leaves a connection that is there where it is', async () => {
    const { url, close } = await answering(true);
    const { guard, left } = rebinding(['127.0.0.1'], ['10.0.0.1']);
    const connector = open(HttpConnector, url, guard);
    for (let n = 0; n < 3; n++) {
      expect((await ask(connector)).rawResult).toBe('{}');
      // The connection is free for the next one a moment after the answer.
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(left).toHaveLength(1);
    await close();
  });

  test('of an SSE server is refused for the messages as well', async () => {
    const server = await listenOnLoopback((request, response) => {
      if (request.method === 'POST') return void response.writeHead(202).end();
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return void response.write('event: endpoint\ndata: /messages\n\n');
    });
    const { guard } = rebinding(['127.0.0.1'], ['10.0.0.1']);
    const url = server.origin.replace('127.0.0.1', 'rebind.example');
    const connector = open(SseConnector, url, guard);
    expect(await failureOf(ask(connector))).toBe('unreachable');
    await connector.close();
    await server.close();
  });
});

test('what resolves to several addresses is refused when one of them is private', async () => {
  const server = await listenOnLoopback((_request, response) => void response.end('{}'));
  const guard = createNetGuard({ allow: [], resolve: async () => ['93.184.216.34', '127.0.0.1'] });
  const url = server.origin.replace('127.0.0.1', 'mixed.example');
  expect(await failureOf(ask(open(HttpConnector, url, guard)))).toBe('unreachable');
  await server.close();
});

test('an address that needs no look-up is judged as well, in every spelling', async () => {
  const guard = createNetGuard({ allow: [] });
  const { port } = new URL(inside.origin);
  const spellings = [
    '127.0.0.1',
    '2130706433',
    '0x7f.1',
    '[::1]',
    '[::ffff:127.0.0.1]',
    '127.1',
    'localhost',
  ];
  for (const host of [...spellings, 'localhost.', '0', '[64:ff9b::7f00:1]'])
    expect([host, await failureOf(ask(open(HttpConnector, `http://${host}:${port}/`, guard)))]).toEqual([
      host,
      'unreachable',
    ]);
  expect(reached).toEqual([]);
});
