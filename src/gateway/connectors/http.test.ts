import { createServer, type Server } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { listenOnLoopback, type Loopback } from '../../../test/fakes/loopback.ts';
import { createNetGuard, type NetGuard } from '../../platform/net-guard.ts';
import {
  busierThan,
  busy,
  closeWorlds,
  failureOf,
  log,
  maxResponseBytes,
  worldOf,
} from '../../../test/upstream-world.ts';
import { connectorContract } from './connectors.contract.ts';
import type { Sink } from './contract.ts';
import { HttpConnector } from './http.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());
afterEach(closeWorlds);

function connect(
  url: string,
  sink: Sink,
  more: { headers?: Record<string, string>; netGuard?: NetGuard } = {},
) {
  return new HttpConnector(
    { type: 'http', url, headers: more.headers ?? {} },
    { name: 'fake', maxResponseBytes, sink, log, netGuard: more.netGuard },
  );
}

connectorContract('http', {
  sharesOneStream: false,
  open: (kind, options, sink) => connect(http.url(kind, options), sink),
  openBroken: (sink) => connect(http.url('http-500'), sink),
});

connectorContract('http with event streams', {
  sharesOneStream: false,
  open: (kind, options, sink) => connect(http.url(kind, { stream: 1, ...options }), sink),
  openBroken: (sink) => connect(http.url('exits'), sink),
});

describe('the modern era', () => {
  const headers = { Authorization: 'Bearer canary' };
  const world = () => worldOf((sink) => connect(http.url('modern'), sink, { headers }), 'modern');

  test('needs no session and mirrors what it asks in headers', async () => {
    const { list, call } = world();
    expect(await list()).toContain('echo');
    expect(await call('echo', { text: 'x' })).toBe('x');
    const sent = http.stats('modern').lastHeaders;
    expect(sent).toMatchObject({
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'tools/call',
      'mcp-name': 'echo',
      authorization: 'Bearer canary',
    });
    expect(sent).not.toHaveProperty('mcp-session-id');
  });

  test('is told of a cancellation by the end of the request', async () => {
    const { call, list } = world();
    await list();
    const before = http.stats('modern').abandoned;
    const controller = new AbortController();
    const slow = call('slow', { ms: 60_000 }, { controller });
    setTimeout(() => controller.abort(new Error('enough')), 20);
    await expect(slow).rejects.toThrow('enough');
    await expect.poll(() => http.stats('modern').abandoned).toBe(before + 1);
    expect(http.stats('modern').counts).not.toHaveProperty('notifications/cancelled');
  });

  test('a name that no header can hold travels encoded', async () => {
    const { call } = world();
    await expect(call('ä\r\nx-evil: 1')).rejects.toThrow('-32602');
    const sent = http.stats('modern').lastHeaders;
    expect(sent['mcp-name']).toBe(`=?base64?${Buffer.from('ä\r\nx-evil: 1').toString('base64')}?=`);
    expect(sent).not.toHaveProperty('x-evil');
  });

  test('a server of the other era says so, and is not held to be broken', async () => {
    const modern = worldOf((sink) => connect(http.url('ok'), sink), 'modern');
    await expect(modern.upstream.ready()).rejects.toThrow('does not speak the modern era');
    const legacy = worldOf((sink) => connect(http.url('modern'), sink), 'legacy');
    await expect(legacy.upstream.ready()).rejects.toThrow('does not speak the legacy era');
  });
});

describe('a session', () => {
  test('is opened once, sent with every message and ended by close()', async () => {
    const before = http.stats('counts-sessions');
    const { upstream, list, call } = worldOf((sink) => connect(http.url('counts-sessions'), sink));
    await Promise.all([list(), list(), call('echo', { text: 'x' })]);
    expect(http.stats('counts-sessions').openSessions).toBe(before.openSessions + 1);
    await upstream.close();
    await expect.poll(() => http.stats('counts-sessions').deletedSessions).toBe(before.deletedSessions + 1);
  });

  test('that the server has forgotten is opened anew, and the call repeated once', async () => {
    const { call, opened, received } = worldOf((sink) => connect(http.url('counts-sessions'), sink));
    expect(await call('echo', { text: 'a' })).toBe('a');
    const before = await received('initialize');
    http.expireSessions('counts-sessions');
    expect(await call('echo', { text: 'b' })).toBe('b');
    expect(opened()).toBe(2);
    expect(await received('initialize')).toBe(before + 1);
  });

  test('is opened anew once for all who had lost it', async () => {
    const { call, list, opened } = worldOf((sink) => connect(http.url('counts-sessions'), sink));
    await list();
    http.expireSessions('counts-sessions');
    const texts = ['a', 'b', 'c', 'd'];
    expect(await Promise.all(texts.map((text) => call('echo', { text })))).toEqual(texts);
    expect(opened()).toBe(2);
  });
});

describe('where a server may lead', () => {
  test('redirects are not followed, and the credential goes nowhere', async () => {
    const headers = { Authorization: 'Bearer canary' };
    const { upstream } = worldOf((sink) => connect(http.url('redirect'), sink, { headers }));
    await expect(upstream.ready()).rejects.toThrow('redirects elsewhere (HTTP 302)');
    expect(http.stats('redirect-target').requests).toBe(0);
  });

  test.each([
    ['an address', (url: string) => url],
    ['a name', (url: string) => url.replace('127.0.0.1', 'localhost')],
  ])('a private network is out of reach by %s', async (_how, from) => {
    const netGuard = createNetGuard({ allow: [] });
    const before = http.stats('ok').requests;
    const { upstream } = worldOf((sink) => connect(from(http.url('ok')), sink, { netGuard }));
    await expect(upstream.ready()).rejects.toMatchObject({
      kind: 'unreachable',
      message: 'The server "fake" is at an address that the gate may not reach.',
    });
    expect(http.stats('ok').requests).toBe(before);
  });

  test('a network that the operator allows is in reach', async () => {
    const netGuard = createNetGuard({ allow: ['127.0.0.1'] });
    const { list } = worldOf((sink) => connect(http.url('ok'), sink, { netGuard }));
    expect(await list()).toContain('echo');
  });
});

test.each([
  ['html', 'http_status', 'neither JSON nor an event stream'],
  ['http-500', 'http_status', 'HTTP 500'],
] as const)('a server that answers with %s is named for it', async (kind, failure, text) => {
  const { upstream } = worldOf((sink) => connect(http.url(kind), sink));
  await expect(upstream.ready()).rejects.toMatchObject({
    kind: failure,
    message: expect.stringContaining(text),
  });
});

test('a port that nobody listens on is unreachable', async () => {
  const { upstream } = worldOf((sink) => connect('http://127.0.0.1:1/mcp', sink));
  await expect(upstream.ready()).rejects.toMatchObject({ kind: 'unreachable' });
});

describe('a stream that the server closes half-way', () => {
  let loopback: Loopback;
  const seen: { method: string; last: string | undefined }[] = [];
  let answers: ((id: number) => string)[] = [];

  beforeEach(async () => {
    seen.length = 0;
    loopback = await listenOnLoopback((request, response) => {
      let body = '';
      request.on('data', (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on('end', () => {
        seen.push({ method: request.method!, last: request.headers['last-event-id'] as string | undefined });
        response.writeHead(200, { 'content-type': 'text/event-stream' });
        const id = body === '' ? 1 : (JSON.parse(body) as { id: number }).id;
        response.end(answers.shift()?.(id));
      });
    });
  });
  afterEach(() => loopback.close());

  const result = (id: number) => `id: e9\ndata: {"jsonrpc":"2.0","id":${id},"result":{}}\n\n`;
  const told: string[] = [];
  const ask = async () => {
    told.length = 0;
    const connector = connect(loopback.origin, { onMessage: () => undefined, onClosed: () => undefined });
    const response = await connector
      .request({
        rawId: '1',
        text: '{"jsonrpc":"2.0","id":1,"method":"x"}',
        signal: AbortSignal.timeout(5_000),
        onMessage: ({ method }) => void told.push(method),
        onPrimed: () => void told.push('primed'),
        onPaused: () => void told.push('paused'),
      })
      .finally(() => void connector.close());
    return response;
  };

  test('is taken up where it stopped', async () => {
    answers = [
      () => 'id: e1\nretry: 1\ndata: \n\n',
      () => 'id: e2\ndata: {"jsonrpc":"2.0","method":"notifications/message"}\n\n',
      result,
    ];
    expect(await ask()).toMatchObject({ kind: 'response', rawResult: '{}' });
    expect(told).toEqual(['primed', 'paused', 'notifications/message', 'paused']);
    expect(seen).toEqual([
      { method: 'POST', last: undefined },
      { method: 'GET', last: 'e1' },
      { method: 'GET', last: 'e2' },
    ]);
  });

  test('and never named an event is lost', async () => {
    answers = [() => 'data: {"jsonrpc":"2.0","method":"notifications/message"}\n\n'];
    expect(await failureOf(ask())).toBe('closed');
    expect(seen).toHaveLength(1);
  });

  test('comments cannot hide how large an event grows', async () => {
    const piece = `data: ${'x'.repeat(1_000)}\n:\n`;
    answers = [() => piece.repeat(3 * (maxResponseBytes / 1_000))];
    expect(await failureOf(ask())).toBe('too_large');
  });

  test('keep-alives do not add up', async () => {
    answers = [(id) => ': keep-alive, and one that is rather long\n\n'.repeat(100_000) + result(id)];
    expect(await ask()).toMatchObject({ rawResult: '{}' });
  });
});

describe('a server that does not know HTTP', () => {
  let server: Server;
  let answer = '';
  let url = '';
  beforeEach(async () => {
    server = createServer((socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => socket.end(answer));
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`;
  });
  afterEach(() => new Promise<void>((resolve) => server.close(() => resolve())));

  const body = '{"jsonrpc":"2.0","id":0,"result":{}}';
  test.each([
    ['rubbish', 'hello\r\n\r\n'],
    [
      'two kinds of content',
      `HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Type: application/json\r\n\r\n${body}`,
    ],
    ['headers without end', `HTTP/1.1 200 OK\r\nX: ${'x'.repeat(100_000)}\r\n\r\n`],
    [
      'less than it promised',
      `HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 999\r\n\r\n${body}`,
    ],
    ['nothing', ''],
  ])('and says %s fails the call and nothing else', async (_what, said) => {
    answer = said;
    const { upstream } = worldOf((sink) => connect(url, sink));
    await expect(upstream.ready()).rejects.toHaveProperty('kind');
  });
});

test('an answer that nobody reads to its end keeps no socket', async () => {
  const before = busy();
  const loopback = await listenOnLoopback((_request, response) => {
    response.writeHead(500, { 'content-type': 'text/plain' });
    response.write('and so on');
  });
  const connector = connect(loopback.origin, { onMessage: () => undefined, onClosed: () => undefined });
  const signal = AbortSignal.timeout(5_000);
  const ask = () =>
    connector.request({
      rawId: '1',
      text: '{"jsonrpc":"2.0","id":1,"method":"x"}',
      signal,
      onMessage: () => undefined,
    });
  for (let n = 0; n < 5; n++) expect(await failureOf(ask())).toBe('http_status');
  const sockets = () => busierThan(before).filter((name) => name.startsWith('TCPSocket'));
  await expect.poll(sockets).toEqual([]);
  await connector.close();
  await loopback.close();
});
