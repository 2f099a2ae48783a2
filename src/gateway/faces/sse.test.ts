import { randomBytes } from 'node:crypto';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { ElicitRequestSchema, ToolListChangedNotificationSchema } from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { caller } from '../../../test/access-world.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';
import { memoryTransport } from '../../platform/bus/memory.ts';

let http: HostileHttp;
const open: { close(): Promise<void> }[] = [];
beforeAll(async () => {
  http = await startHostileHttp();
});
afterEach(async () => {
  for (const client of open.splice(0)) await client.close();
});
afterAll(() => http.close());

type World = Awaited<ReturnType<typeof gatewayWorld>>;

function picture(more: Partial<Picture> = {}): Picture {
  const server = (kind: 'ok' | 'progress' | 'asks') => ({
    type: 'http',
    url: http.url(kind),
    timeoutMs: 10_000,
  });
  return {
    servers: { ok: server('ok'), progress: server('progress'), asks: server('asks') },
    groups: {
      all: { servers: ['ok', 'progress', 'asks'] },
      some: { servers: { ok: ['echo', 'add'] } },
    },
    users: { 'alice@acme.com': { groups: ['all'] }, 'bob@acme.com': { groups: ['some'] } },
    ...more,
  };
}

/** A client of the 1.x SDK; what it posts goes to `postTo` when that is another process. */
async function connect(
  world: World,
  path: string,
  o: { who?: string; capabilities?: object; postTo?: World } = {},
): Promise<Client> {
  const { who = 'alice@acme.com', capabilities = {}, postTo = world } = o;
  const client = new Client({ name: 'old', version: '1' }, { capabilities });
  const transport = new SSEClientTransport(new URL(`${world.url}${path}`), {
    requestInit: { headers: as(who) },
    eventSourceInit: {
      fetch: (url, init) => fetch(url, { ...init, headers: { ...init?.headers, ...as(who) } }),
    },
    fetch: (url, init) =>
      fetch(init?.method === 'POST' ? String(url).replace(world.url, postTo.url) : url, init),
  });
  await client.connect(transport);
  open.push(client);
  return client;
}

const textOf = (result: unknown) => (result as { content: { text: string }[] }).content[0]!.text;

/** Calls that have reached the server `ok`. */
const callsAtServer = () => http.stats('ok').counts['tools/call'] ?? 0;
const underWay = (before: number) => vi.waitFor(() => expect(callsAtServer()).toBeGreaterThan(before));

async function toolNames(client: Client): Promise<string[]> {
  const { tools } = await client.listTools();
  return tools.map(({ name }) => name);
}

/** The stream as it comes, without a client. */
async function stream(world: World, path: string, headers: Record<string, string> = as('alice@acme.com')) {
  const abort = new AbortController();
  const response = await fetch(`${world.url}${path}`, { headers, signal: abort.signal });
  const events: string[] = [];
  let ended = false;
  const read = async () => {
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream()))
      events.push(...chunk.split('\n\n').filter((event) => event !== ''));
  };
  const reading = read()
    .catch(() => undefined)
    .finally(() => {
      ended = true;
    });
  open.push({
    close: () => {
      abort.abort();
      return reading;
    },
  });
  return { response, events, ended: () => ended };
}

async function endpoint({ events }: { events: string[] }): Promise<string> {
  await vi.waitFor(() => expect(events).not.toEqual([]));
  const [, url] = /^event: endpoint\ndata: (\S+)$/.exec(events[0]!) ?? [];
  return url!;
}

const list = { id: 1, method: 'tools/list' };

describe('a client of the older transport', () => {
  test('sees what its person may use, of one server and of all', async () => {
    const world = await gatewayWorld(picture());
    const bob = await connect(world, '/sse', { who: 'bob@acme.com' });
    expect(await toolNames(bob)).toEqual(['ok__add', 'ok__echo']);
    expect(textOf(await bob.callTool({ name: 'ok__echo', arguments: { text: 'hi' } }))).toBe('hi');
    const alice = await connect(world, '/sse/ok');
    expect(await toolNames(alice)).toEqual(expect.arrayContaining(['echo', 'slow']));
    const refused = { isError: true, content: [{ text: 'There is no tool "ok__slow" that you may use.' }] };
    expect(await bob.callTool({ name: 'ok__slow', arguments: { ms: 1 } })).toMatchObject(refused);
    expect(await connect(world, '/g/some/sse', { who: 'bob@acme.com' }).then(toolNames)).toHaveLength(2);
    expect(new Set(world.records.map(({ face, endpoint }) => `${face} ${endpoint}`))).toEqual(
      new Set(['sse /sse', 'sse /sse/{server}', 'sse /g/{group}/sse']),
    );
  });

  test('hears of progress before the result', async () => {
    const world = await gatewayWorld(picture());
    const client = await connect(world, '/sse/progress');
    // The SDK drops progress that comes in one piece with its result, so the messages themselves are looked at.
    const heard: unknown[] = [];
    const transport = client.transport!;
    const taken = transport.onmessage;
    transport.onmessage = (message, extra) => {
      if (!('method' in message)) heard.push('result');
      else if (message.method === 'notifications/progress') heard.push(message.params?.['progress']);
      taken?.(message, extra);
    };
    const result = await client.callTool({ name: 'work', arguments: { steps: 3 } }, undefined, {
      onprogress: () => undefined,
    });
    expect([heard, textOf(result)]).toEqual([[1, 2, 3, 'result'], '3 steps']);
  });

  test('is asked by a server, and its answer gets there', async () => {
    const world = await gatewayWorld(picture());
    const client = await connect(world, '/sse/asks', { capabilities: { elicitation: {} } });
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ann' } }));
    expect(textOf(await client.callTool({ name: 'ask_elicit', arguments: {} }))).toContain('Ann');
  });

  test('can cancel a call', async () => {
    const world = await gatewayWorld(picture());
    const client = await connect(world, '/sse/ok');
    const abort = new AbortController();
    const before = callsAtServer();
    const call = client.callTool({ name: 'slow', arguments: { ms: 60_000 } }, undefined, {
      signal: abort.signal,
    });
    await underWay(before);
    abort.abort();
    await expect(call).rejects.toThrow();
    await vi.waitFor(() =>
      expect(world.records.find(({ tool }) => tool === 'slow')).toMatchObject({ outcome: 'cancelled' }),
    );
  });

  test('is told when its rights change, and sent away when its credential ends', async () => {
    const world = await gatewayWorld(picture());
    const client = await connect(world, '/sse', { who: 'bob@acme.com' });
    const changed = vi.fn();
    client.setNotificationHandler(ToolListChangedNotificationSchema, changed);
    world.change(picture({ groups: { all: {}, some: { servers: { ok: ['echo'] } } } }));
    await vi.waitFor(() => expect(changed).toHaveBeenCalled());
    expect(await toolNames(client)).toEqual(['ok__echo']);
    const raw = await stream(world, '/sse', as('bob@acme.com'));
    await endpoint(raw);
    world.revoke('bob@acme.com');
    await vi.waitFor(() => expect(raw.ended()).toBe(true), 5_000);
    await expect(client.listTools()).rejects.toThrow();
  });

  test('loses its calls with its stream', async () => {
    const world = await gatewayWorld(picture());
    const client = await connect(world, '/sse/ok');
    const before = callsAtServer();
    const call = client.callTool({ name: 'slow', arguments: { ms: 60_000 } }).catch(() => undefined);
    await underWay(before);
    await client.close();
    await call;
    await vi.waitFor(() =>
      expect(world.records.find(({ tool }) => tool === 'slow')).toMatchObject({ outcome: 'cancelled' }),
    );
  });
});

describe('the URL to post to', () => {
  test('is a path under the one that was opened, and good for its owner and this path alone', async () => {
    const world = await gatewayWorld(picture());
    const url = await endpoint(await stream(world, '/sse/ok'));
    expect(url).toMatch(/^\/sse\/ok\?session=[\w-]+$/);
    expect((await world.post(url, list)).status).toBe(202);
    const query = url.slice(url.indexOf('?'));
    for (const [path, who] of [
      [url, 'bob@acme.com'],
      [`/sse${query}`, 'alice@acme.com'],
      [`/sse/asks${query}`, 'alice@acme.com'],
      [`${url}A`, 'alice@acme.com'],
      ['/sse/ok?session=', 'alice@acme.com'],
    ] as const)
      expect((await world.post(path, list, as(who))).status, path).toBe(404);
    expect((await world.post(url, list, { authorization: '' })).status).toBe(401);
  });

  test('takes messages only, and nothing when the stream is over', async () => {
    const world = await gatewayWorld(picture());
    const raw = await stream(world, '/sse/ok');
    const url = await endpoint(raw);
    expect((await world.post(url, '{')).status).toBe(400);
    expect((await world.post(url, '{"x":1}')).status).toBe(400);
    for (const one of open.splice(0)) await one.close();
    await vi.waitFor(async () => expect((await world.post(url, list)).status).toBe(404));
  });

  test('is not there for a client that tries the newer transport first, which falls back then', async () => {
    const world = await gatewayWorld(picture());
    const { status, headers } = await world.post('/sse', list);
    expect([status, headers.get('allow')]).toEqual([405, 'GET']);
    const removed = await fetch(`${world.url}/sse`, { method: 'DELETE', headers: as('alice@acme.com') });
    expect(removed.status).toBe(405);
  });
});

describe('a stream', () => {
  test('is not opened for a stranger, nor for a server that is not there', async () => {
    const world = await gatewayWorld(picture());
    expect((await fetch(`${world.url}/sse`)).status).toBe(401);
    const hidden = await fetch(`${world.url}/sse/asks`, { headers: as('bob@acme.com') });
    const absent = await fetch(`${world.url}/sse/nope`, { headers: as('bob@acme.com') });
    expect([hidden.status, absent.status]).toEqual([404, 404]);
    expect((await absent.text()).replace('nope', 'asks')).toBe(await hidden.text());
  });

  test('is refused to whoever has a hundred', async () => {
    const world = await gatewayWorld(picture());
    const all = await Promise.all(Array.from({ length: 100 }, () => stream(world, '/sse/ok')));
    await Promise.all(all.map(endpoint));
    expect((await fetch(`${world.url}/sse/ok`, { headers: as('alice@acme.com') })).status).toBe(429);
    expect((await stream(world, '/sse/ok', as('bob@acme.com'))).response.status).toBe(200);
  });
});

describe('two processes', () => {
  async function two() {
    const shared = { sealingKey: randomBytes(32), transport: memoryTransport() };
    return [await gatewayWorld(picture(), shared), await gatewayWorld(picture(), shared)] as const;
  }

  test('pass messages on to the one with the stream: calls, progress, questions and answers', async () => {
    const [a, b] = await two();
    const client = await connect(a, '/sse/asks', { capabilities: { elicitation: {} }, postTo: b });
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ann' } }));
    expect(textOf(await client.callTool({ name: 'echo', arguments: { text: 'over' } }))).toBe('over');
    expect(textOf(await client.callTool({ name: 'ask_elicit', arguments: {} }))).toContain('Ann');
    expect(a.records.length).toBeGreaterThan(2);
    expect(b.records).toEqual([]);
  });

  test('each check who posts', async () => {
    const [a, b] = await two();
    const url = await endpoint(await stream(a, '/sse/ok'));
    expect((await b.post(url, list)).status).toBe(202);
    expect((await b.post(url, list, as('bob@acme.com'))).status).toBe(404);
    b.revoke('alice@acme.com');
    expect((await b.post(url, list)).status).toBe(401);
  });

  test('take a message once, however often it arrives', async () => {
    const [a, b] = await two();
    const raw = await stream(a, '/sse/ok');
    const query = new URLSearchParams((await endpoint(raw)).split('?')[1]);
    const { bus, sealerFor } = b.gateway.gate;
    const place = JSON.parse(sealerFor('sse-session').open(query.get('session')!)!);
    const principal = caller('alice@acme.com');
    const message = {
      stream: place.stream,
      principal,
      text: '{"jsonrpc":"2.0","id":1,"method":"ping"}',
      bytes: 1,
    };
    const handed = { ...message, id: 'once', requestId: 'r', clientIp: '', userAgent: null };
    for (let at = 0; at < 3; at++)
      expect(await bus.ask(place.node, 'sse.message', handed, 5_000)).toMatchObject({ status: 202 });
    await bus.ask(place.node, 'sse.message', { ...handed, id: 'other' }, 5_000);
    await vi.waitFor(() => expect(raw.events.filter((event) => event.includes('"result"'))).toHaveLength(2));
    const foreign = { ...handed, id: 'foreign', principal: caller('bob@acme.com') };
    expect(await bus.ask(place.node, 'sse.message', foreign, 5_000)).toMatchObject({ status: 404 });
    await expect(bus.ask(place.node, 'sse.message', { ...handed, principal: {} }, 5_000)).rejects.toThrow();
  });

  test('of which one is gone: its streams are not there any more', async () => {
    const [a, b] = await two();
    const url = await endpoint(await stream(a, '/sse/ok'));
    await a.gateway.close();
    expect((await b.post(url, list)).status).toBe(404);
  });
});
