import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type HostileSse, startHostileSse } from '../../../test/fakes/hostile-sse.ts';
import { listenOnLoopback } from '../../../test/fakes/loopback.ts';
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
import { SseConnector } from './sse.ts';

let sse: HostileSse;
const cleanup: (() => Promise<void>)[] = [];
beforeAll(async () => {
  sse = await startHostileSse();
});
afterAll(() => sse.close());
afterEach(async () => {
  await closeWorlds();
  for (const close of cleanup.splice(0)) await close();
});

function connect(url: string, sink: Sink, netGuard?: NetGuard): SseConnector {
  const headers = { authorization: 'Bearer canary' };
  return new SseConnector(
    { type: 'sse', url, headers },
    { name: 'fake', maxResponseBytes, sink, log, netGuard },
  );
}

connectorContract('sse', {
  sharesOneStream: true,
  open: (kind, options, sink) => connect(sse.url(kind, options), sink),
  openBroken: (sink) => connect(sse.url('ok').replace('/ok/', '/none/'), sink),
});

/** A server that names this address for messages; resolves with what was posted to it. */
async function naming(endpoint: string) {
  const posts: (string | undefined)[] = [];
  const loopback = await listenOnLoopback((request, response) => {
    if (request.method === 'POST') {
      posts.push(request.headers.authorization);
      // An answer that never ends.
      response.writeHead(202).write('Accepted');
      return;
    }
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    response.write(`event: endpoint\ndata: ${endpoint}\n\n`);
  });
  cleanup.push(() => loopback.close());
  return { url: `${loopback.origin}/sse`, posts };
}

test('headers of one request go with its message, such as those of its trace', async () => {
  const posted: (readonly unknown[])[] = [];
  const loopback = await listenOnLoopback((request, response) => {
    if (request.method !== 'POST') {
      response.writeHead(200, { 'content-type': 'text/event-stream' });
      return void response.write('event: endpoint\ndata: /messages\n\n');
    }
    const { traceparent, authorization } = request.headers;
    posted.push([traceparent, authorization]);
    response.writeHead(400).end();
  });
  cleanup.push(() => loopback.close());
  const connector = connect(`${loopback.origin}/sse`, {
    onMessage: () => undefined,
    onClosed: () => undefined,
  });
  cleanup.push(() => connector.close());
  const { signal } = new AbortController();
  const text = '{"jsonrpc":"2.0","id":1,"method":"ping"}';
  const exchange = {
    rawId: '1',
    text,
    signal,
    headers: { traceparent: '00-a-b-01' },
    onMessage: () => undefined,
  };
  expect(await failureOf(connector.request(exchange))).toBe('http_status');
  expect(posted).toEqual([['00-a-b-01', 'Bearer canary']]);
});

describe('the address for messages', () => {
  test('may be relative to that of the stream', async () => {
    const { url, posts } = await naming('messages?session=1');
    const { upstream } = worldOf((sink) => connect(url, sink));
    const ready = failureOf(upstream.ready());
    await expect.poll(() => posts).toEqual(['Bearer canary']);
    await upstream.close();
    expect(await ready).toBe('closed');
  });

  test.each([
    'http://localhost:1/messages',
    '//evil.example/messages',
    'https://127.0.0.1/x',
    'file:///etc/passwd',
  ])('at %s, another origin, is refused', async (endpoint) => {
    const { url } = await naming(endpoint);
    const { upstream } = worldOf((sink) => connect(url, sink));
    await expect(upstream.ready()).rejects.toMatchObject({
      kind: 'protocol',
      message: expect.stringContaining('another host'),
    });
  });

  test('that is none is refused', async () => {
    const { url } = await naming('http://[');
    const { upstream } = worldOf((sink) => connect(url, sink));
    await expect(upstream.ready()).rejects.toHaveProperty('kind');
  });
});

test('a message whose answer never ends keeps no socket after close()', async () => {
  const before = busy();
  const { url, posts } = await naming('/messages');
  const { upstream } = worldOf((sink) => connect(url, sink));
  const ready = failureOf(upstream.ready());
  await expect.poll(() => posts.length).toBe(1);
  await upstream.close();
  await ready;
  for (const close of cleanup.splice(0)) await close();
  await expect.poll(() => busierThan(before)).toEqual([]);
});

test('a private network is out of reach', async () => {
  const { upstream } = worldOf((sink) => connect(sse.url('ok'), sink, createNetGuard({ allow: [] })));
  await expect(upstream.ready()).rejects.toThrow('an address that the gate may not reach');
});

test('a stream that breaks leaves no socket behind', async () => {
  const { call, list } = worldOf((sink) => connect(sse.url('ok'), sink));
  await list();
  expect(await failureOf(call('crash'))).toBe('closed');
  await expect.poll(() => sse.openStreams()).toBe(0);
});
