import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

function picture(): Picture {
  return {
    servers: {
      ok: { type: 'http', url: http.url('ok') },
      progress: { type: 'http', url: http.url('progress') },
    },
    groups: { all: { servers: ['ok', 'progress'] } },
    users: { 'alice@acme.com': { groups: ['all'] } },
  };
}

type World = Awaited<ReturnType<typeof gatewayWorld>>;

async function open(world: World, version: string) {
  const params = { protocolVersion: version, capabilities: {}, clientInfo: { name: 't', version: '1' } };
  const response = await world.post('/mcp', { id: 0, method: 'initialize', params });
  return { 'mcp-session-id': response.headers.get('mcp-session-id') ?? '' };
}

const version = '2025-03-26';
const message = (more: object) => ({ jsonrpc: '2.0', ...more });
const call = (id: unknown, name: string, args: object = {}, token?: string) =>
  message({
    id,
    method: 'tools/call',
    params: { name, arguments: args, _meta: token === undefined ? undefined : { progressToken: token } },
  });

describe('a batch of 2025-03-26', () => {
  const batch = async (messages: unknown, headers: Record<string, string> = {}, world?: World) => {
    const used = world ?? (await gatewayWorld(picture()));
    const session = await open(used, version);
    return used.post('/mcp', JSON.stringify(messages), { ...session, ...headers });
  };

  test('is answered with one array: each request once, notifications and answers not at all', async () => {
    const response = await batch([
      call(1, 'ok__echo', { text: 'a' }),
      message({ method: 'notifications/initialized' }),
      call('two', 'ok__add', { a: 1, b: 2 }),
      message({ id: 'unknown', result: {} }),
      message({ id: 3, method: 'no/such' }),
      { no: 'message' },
    ]);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const answers = (await response.json()) as { id: unknown }[];
    const byId = (id: unknown) => answers.find((answer) => answer.id === id);
    expect(answers).toHaveLength(4);
    expect(byId(1)).toMatchObject({ result: { content: [{ text: 'a' }] } });
    expect(byId('two')).toMatchObject({ result: { content: [{ text: '3' }] } });
    expect(byId(3)).toMatchObject({ error: { code: -32601 } });
    expect(byId(null)).toMatchObject({ error: { code: -32600 } });
  });

  test('without a request is taken with 202', async () => {
    const response = await batch([message({ method: 'notifications/initialized' })]);
    expect(response.status).toBe(202);
    expect(await response.text()).toBe('');
  });

  test('becomes one stream when something has to be said before the end', async () => {
    const response = await batch([
      call(1, 'ok__echo', { text: 'a' }),
      call(2, 'progress__work', { steps: 3 }, 'mine'),
      call(3, 'progress__work', { steps: 3 }),
    ]);
    expect(response.headers.get('content-type')).toBe('text/event-stream');
    const text = await response.text();
    const said = [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data!));
    expect(said.filter(({ method }) => method === 'notifications/progress')).toHaveLength(3);
    expect(
      said
        .filter((one) => 'result' in one)
        .map(({ id }) => id)
        .toSorted((a, b) => a - b),
    ).toEqual([1, 2, 3]);
    expect(text).not.toMatch(/^id:/m);
  });

  test('is checked one by one: each message has its own rights and its own record', async () => {
    const world = await gatewayWorld(picture());
    const response = await batch([call(1, 'ok__echo', { text: 'a' }), call(2, 'secret__get')], {}, world);
    const answers = (await response.json()) as { id: number; result: { isError?: boolean } }[];
    expect(answers.find(({ id }) => id === 2)?.result.isError).toBe(true);
    const outcomes = world.records
      .filter(({ rpcMethod }) => rpcMethod === 'tools/call')
      .map((one) => one.outcome);
    expect(outcomes.sort()).toEqual(['denied', 'ok']);
  });

  test('is taken by its header where there is no session', async () => {
    const world = await gatewayWorld(picture());
    const body = JSON.stringify([call(1, 'ok__echo', { text: 'a' })]);
    const response = await world.post('/mcp', body, { 'mcp-protocol-version': version });
    expect(await response.json()).toMatchObject([{ id: 1, result: {} }]);
  });

  test('counts each message towards the rate limit', async () => {
    const world = await gatewayWorld(picture(), { rateLimits: { perUser: 5 } });
    const response = await batch(
      Array.from({ length: 10 }, (_, id) => call(id, 'ok__echo', { text: 'a' })),
      {},
      world,
    );
    const answers = (await response.json()) as { result: { isError?: boolean } }[];
    expect(answers.filter(({ result }) => result.isError !== true)).toHaveLength(4);
  });

  test('of a session holds no message of the modern era, which would take the answer for itself', async () => {
    const _meta = {
      'io.modelcontextprotocol/protocolVersion': '2026-07-28',
      'io.modelcontextprotocol/clientCapabilities': {},
    };
    const params = { notifications: { toolsListChanged: true }, _meta };
    const listen = (id: number) => message({ id, method: 'subscriptions/listen', params });
    const response = await batch([listen(1), listen(2)], {
      'mcp-protocol-version': '2026-07-28',
      'mcp-method': 'subscriptions/listen',
    });
    expect(response.headers.get('content-type')).toBe('application/json');
    const answers = (await response.json()) as { id: number; error: { code: number } }[];
    expect(answers.map(({ id, error }) => [id, error.code]).toSorted(([a = 0], [b = 0]) => a - b)).toEqual([
      [1, -32600],
      [2, -32600],
    ]);
  });

  test('that leaves cancels all of its calls', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, version);
    const before = http.stats('ok').abandoned;
    const calls = () => http.stats('ok').counts['tools/call'] ?? 0;
    const began = calls();
    const leaving = new AbortController();
    const body = JSON.stringify([1, 2].map((id) => call(id, 'ok__slow', { ms: 60_000 })));
    const headers = { ...session, ...as('alice@acme.com'), 'content-type': 'application/json' };
    const posted = fetch(`${world.url}/mcp`, { method: 'POST', headers, body, signal: leaving.signal });
    await expect.poll(calls).toBe(began + 2);
    leaving.abort();
    await posted.catch(() => undefined);
    await expect.poll(() => http.stats('ok').abandoned).toBe(before + 2);
  });

  test.each([
    ['is empty', [], version],
    ['is longer than 50', Array.from({ length: 51 }, (_, id) => message({ id, method: 'ping' })), version],
    ['belongs to another revision', [message({ id: 1, method: 'ping' })], '2025-06-18'],
    ['belongs to the newest legacy revision', [message({ id: 1, method: 'ping' })], '2025-11-25'],
  ])('that %s is refused', async (_what, messages, revision) => {
    const world = await gatewayWorld(picture());
    const response = await world.post('/mcp', JSON.stringify(messages), await open(world, revision));
    expect(response.status).toBe(400);
    expect(await response.json()).toMatchObject({ id: null, error: { code: -32600 } });
  });

  test('that is no JSON is refused, and so is the beginning of a session in it', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, version);
    const broken = await world.post('/mcp', '[{"jsonrpc":"2.0",', session);
    expect(await broken.json()).toMatchObject({ error: { code: -32700 } });
    const initialize = message({ id: 1, method: 'initialize', params: { protocolVersion: version } });
    const response = await world.post(
      '/mcp',
      JSON.stringify([initialize, call(2, 'ok__echo', { text: 'a' })]),
      session,
    );
    expect(response.headers.get('mcp-session-id')).toBeNull();
    expect(await response.json()).toContainEqual(
      expect.objectContaining({ id: 1, error: expect.objectContaining({ code: -32600 }) }),
    );
  });
});

test('Open WebUI is answered without a session', async () => {
  const world = await gatewayWorld(picture());
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'mcp', version: '1' },
  };
  const initialize = (headers: Record<string, string>) =>
    world.post('/mcp', { id: 0, method: 'initialize', params }, headers);
  expect((await initialize({})).headers.get('mcp-session-id')).not.toBeNull();
  expect((await initialize({ 'x-openwebui-chat-id': 'c' })).headers.get('mcp-session-id')).toBeNull();
});
