import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { eventOf, eventStreamHeaders, readMessage } from '../../../test/fakes/hostile/http-wire.ts';
import { listenOnLoopback } from '../../../test/fakes/loopback.ts';
import { createLog } from '../../platform/log.ts';
import type { Connector, Sink } from '../connectors/contract.ts';
import { HttpConnector } from '../connectors/http.ts';
import { parseMessage, type RpcNotification, type RpcResponse } from '../rpc/message.ts';
import type { Era } from '../rpc/protocol.ts';
import { Upstream } from './upstream.ts';

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

const log = createLog('silent');
const uri = 'file:///a';
const resource = { kind: 'resources', id: uri } as const;
const subscriptionId = 'io.modelcontextprotocol/subscriptionId';

function upstreamOver(era: Era, open: (sink: Sink) => Connector) {
  const heard: RpcNotification[] = [];
  let gaps = 0;
  const upstream = new Upstream({
    ...{ name: 'it', era, capabilities: '{}', startTimeoutMs: 5_000, log, clock: Date.now, open },
    onUnsolicited: (message) => void heard.push(message),
    onGap: () => void gaps++,
  });
  closing.push(upstream);
  return { upstream, heard, gaps: () => gaps };
}

const overHttp = (url: string) => (sink: Sink) =>
  new HttpConnector(
    { type: 'http', url, headers: {} },
    { name: 'it', maxResponseBytes: 1_000_000, sink, log },
  );

/** A legacy server that can forget its sessions, with `subscribe` and `unsubscribe` as they came. */
async function legacyServer() {
  const sessions = new Set<string>();
  const streams = new Set<ServerResponse>();
  const asked: string[] = [];
  const isKnown = (incoming: IncomingMessage) => sessions.has(String(incoming.headers['mcp-session-id']));
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    if (incoming.method === 'GET' && isKnown(incoming)) {
      response.writeHead(200, eventStreamHeaders).write('retry: 100\n\n');
      streams.add(response);
      return void response.once('close', () => streams.delete(response));
    }
    if (incoming.method !== 'POST')
      return void response.writeHead(incoming.method === 'GET' ? 404 : 200).end();
    const { request } = await readMessage(incoming);
    if (!request) return void response.writeHead(202).end();
    const headers: Record<string, string> = { 'Content-Type': 'application/json' };
    const answer = (status: number, body: object) =>
      response.writeHead(status, headers).end(JSON.stringify({ jsonrpc: '2.0', id: request.id, ...body }));
    if (request.method === 'initialize') {
      headers['Mcp-Session-Id'] = randomUUID();
      sessions.add(headers['Mcp-Session-Id']);
      const capabilities = { resources: { subscribe: true, listChanged: true } };
      return void answer(200, { result: { protocolVersion: '2025-11-25', capabilities } });
    }
    if (!isKnown(incoming))
      return void answer(404, { error: { code: -32001, message: 'Session not found' } });
    asked.push(`${request.method} ${String(request.params?.['uri'])}`);
    const refused = String(request.params?.['uri']).endsWith('refused');
    return void answer(200, refused ? { error: { code: -32002, message: 'no such thing' } } : { result: {} });
  };
  const http = await listenOnLoopback((incoming, response) => void serve(incoming, response));
  closing.push(http);
  return {
    url: `${http.origin}/mcp`,
    asked,
    streams,
    endStreams: () => {
      for (const stream of streams) stream.end();
    },
    forgetSessions: () => sessions.clear(),
  };
}

describe('a legacy server', () => {
  test('is asked to tell, and not to, in that order, and says no in its own words', async () => {
    const server = await legacyServer();
    const { upstream } = upstreamOver('legacy', overHttp(server.url));
    await upstream.ready();
    const { interests } = upstream;
    const [yes, no] = [interests.follow(resource), interests.follow({ kind: 'resources', id: 'x:refused' })];
    const left = interests.unfollow(resource);
    const again = interests.follow(resource);
    expect([await yes, (await no)?.error?.code, await again]).toEqual([undefined, -32002, undefined]);
    await left;
    expect(server.asked.filter((line) => line.endsWith(uri)).at(-1)).toBe(`resources/subscribe ${uri}`);
    await interests.unfollow(resource);
    expect(server.asked.at(-1)).toBe(`resources/unsubscribe ${uri}`);
    expect(interests.isEmpty).toBe(true);
  });

  test('that has forgotten the session is told again, though nobody calls it', async () => {
    const server = await legacyServer();
    const { upstream, gaps } = upstreamOver('legacy', overHttp(server.url));
    await upstream.ready();
    await upstream.interests.follow(resource);
    await expect.poll(() => server.streams.size).toBe(1);
    server.forgetSessions();
    server.endStreams();
    await expect
      .poll(() => server.asked, { timeout: 5_000 })
      .toEqual([`resources/subscribe ${uri}`, `resources/subscribe ${uri}`]);
    expect(gaps()).toBe(1);
  });

  test('whose stream was away is one that nobody heard for a while', async () => {
    const server = await legacyServer();
    const { upstream, gaps } = upstreamOver('legacy', overHttp(server.url));
    await upstream.ready();
    await expect.poll(() => server.streams.size).toBe(1);
    server.endStreams();
    await expect.poll(() => server.streams.size, { timeout: 5_000 }).toBe(1);
    await expect.poll(gaps).toBe(1);
  });
});

interface Listening {
  readonly id: string;
  readonly filter: { resourceSubscriptions?: string[]; taskIds?: string[]; resourcesListChanged?: boolean };
  readonly response: ServerResponse;
}

/** A modern server that honours subscriptions to everything but what ends in "refused". */
async function modernServer() {
  const listening = new Set<Listening>();
  const history: Listening['filter'][] = [];
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    const { request } = await readMessage(incoming);
    if (!request) return void response.writeHead(202).end();
    if (request.method === 'server/discover') {
      const capabilities = { resources: { subscribe: true, listChanged: true } };
      const result = { resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities };
      response.writeHead(200, { 'Content-Type': 'application/json' });
      return void response.end(JSON.stringify({ jsonrpc: '2.0', id: request.id, result }));
    }
    const filter = request.params?.['notifications'] as Listening['filter'];
    history.push(filter);
    const open = { id: String(request.id), filter, response };
    listening.add(open);
    response.once('close', () => listening.delete(open));
    const kept = filter.resourceSubscriptions?.filter((one) => !one.endsWith('refused'));
    response.writeHead(200, eventStreamHeaders);
    say(open, 'notifications/subscriptions/acknowledged', {
      notifications: { ...filter, ...(kept && { resourceSubscriptions: kept }) },
    });
  };
  const say = ({ id, response }: Listening, method: string, params: object) =>
    response.write(
      eventOf(
        JSON.stringify({ jsonrpc: '2.0', method, params: { ...params, _meta: { [subscriptionId]: id } } }),
      ),
    );
  const http = await listenOnLoopback((incoming, response) => void serve(incoming, response));
  closing.push(http);
  return { url: `${http.origin}/mcp`, listening, history, say };
}

describe('a modern server', () => {
  test('is listened to on one stream, which is replaced when something else is followed', async () => {
    const server = await modernServer();
    const { upstream, heard, gaps } = upstreamOver('modern', overHttp(server.url));
    await upstream.ready();
    const { interests } = upstream;
    const follow = (id: string) => interests.follow({ kind: 'resources', id });
    expect(await Promise.all([follow('x:1'), follow('x:2')])).toEqual([undefined, undefined]);
    expect((await follow('x:refused'))?.error?.code).toBe(-32602);
    await interests.follow({ kind: 'tasks', id: 'task-1' });
    await interests.unfollow({ kind: 'resources', id: 'x:2' });
    await expect.poll(() => server.listening.size).toBe(1);
    const [last] = server.listening;
    expect(last!.filter).toEqual({
      resourcesListChanged: true,
      resourceSubscriptions: ['x:1'],
      taskIds: ['task-1'],
    });
    server.say(last!, 'notifications/resources/updated', { uri: 'x:1' });
    await expect.poll(() => heard.length).toBe(1);
    expect([heard[0]!.method, gaps()]).toEqual(['notifications/resources/updated', 0]);
  });

  test('that ends the stream is listened to again, and what was missed is known to be missed', async () => {
    const server = await modernServer();
    const { upstream, gaps } = upstreamOver('modern', overHttp(server.url));
    await upstream.ready();
    await upstream.interests.follow(resource);
    await expect.poll(() => server.listening.size).toBe(1);
    for (const { response } of server.listening) response.end();
    await expect.poll(gaps, { timeout: 5_000 }).toBe(1);
    expect(server.history.at(-1)).toEqual({ resourcesListChanged: true, resourceSubscriptions: [uri] });
  });

  test('whose connection has no streams to close is told of every end', async () => {
    const sent: string[] = [];
    const connector = pipe((text) => sent.push(text));
    const { upstream } = upstreamOver('modern', () => connector);
    await upstream.ready();
    await expect.poll(() => sent.some((text) => text.includes('subscriptions/listen'))).toBe(true);
    await upstream.interests.follow(resource);
    const controller = new AbortController();
    const call = upstream.request({ method: 'tools/call', rawParams: '{}', controller, timeoutMs: 5_000 });
    controller.abort(new Error('enough'));
    await expect(call).rejects.toThrow('enough');
    await upstream.interests.unfollow(resource);
    const cancelled = () =>
      sent.filter((text) => text.includes('notifications/cancelled')).map((text) => JSON.parse(text));
    // The call, the stream that listened to lists alone, and the one that listened to the resource too.
    await expect
      .poll(() => cancelled().map(({ params }) => params.requestId))
      .toEqual([1, 'changes-1', 'changes-2']);
  });
});

/** A connection like stdio: it answers what has an answer, acknowledges subscriptions, and never ends them. */
function pipe(onSent: (text: string) => void): Connector {
  return {
    cancelsByClosing: false,
    request: ({ text, rawId, signal, onMessage }) =>
      new Promise((resolve, reject) => {
        onSent(text);
        signal.addEventListener('abort', () => reject(signal.reason));
        if (text.includes('server/discover'))
          resolve(
            answer(rawId, {
              supportedVersions: ['2026-07-28'],
              capabilities: { tools: { listChanged: true } },
            }),
          );
        if (!text.includes('subscriptions/listen')) return;
        const { notifications } = (JSON.parse(text) as { params: { notifications: object } }).params;
        onMessage({
          ...{ kind: 'notification', method: 'notifications/subscriptions/acknowledged', rawParams: '{}' },
          params: { notifications },
        });
      }),
    send: async (text) => onSent(text),
    established: () => undefined,
    diagnostics: () => '',
    retire: async () => undefined,
    close: async () => undefined,
  };
}

function answer(rawId: string, result: object): RpcResponse {
  const parsed = parseMessage(JSON.stringify({ jsonrpc: '2.0', id: JSON.parse(rawId), result }));
  if (!parsed.ok || parsed.message.kind !== 'response') throw new Error('no response');
  return parsed.message;
}
