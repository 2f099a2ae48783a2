// Who Open WebUI is, and how it is refused: request by request, as its MCP client sends them.
import { describe, expect, test } from 'vitest';
import { caller } from '../../../test/access-world.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';
import { audienceOf } from './client-ways.ts';

function picture(): Picture {
  // Nothing listens there: whatever is refused here is refused before a server is asked.
  const url = 'http://127.0.0.1:9/mcp';
  return {
    servers: { one: { type: 'http', url }, two: { type: 'http', url } },
    groups: {
      all: { servers: ['one', 'two'] },
      some: { servers: { one: ['plain'] } },
      'Tenant-a': { tenant: 'a', servers: ['one'] },
      'Tenant-b': { tenant: 'b', servers: ['one'] },
    },
    tenants: { a: {}, b: {} },
    users: {
      'alice@acme.com': { groups: ['all'] },
      'bob@acme.com': { groups: ['some'] },
      'both@acme.com': { groups: ['Tenant-a', 'Tenant-b'] },
      'gone@acme.com': { groups: ['all'], disabled: true },
    },
  };
}

/** Headers of Open WebUI for this person. */
const owui = (email = 'alice@acme.com') => ({ ...as(email), 'x-openwebui-chat-id': 'c1' });
const initialize = {
  id: 0,
  method: 'initialize',
  params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name: 'mcp', version: '0.1.0' } },
};
const initialized = { method: 'notifications/initialized' };
const list = { id: 1, method: 'tools/list' };
const callOf = (name: string, args: object = {}) => ({
  id: 2,
  method: 'tools/call',
  params: { name, arguments: args },
});

interface Answer {
  id: number;
  result?: { isError?: boolean; content?: { text?: string }[] };
  error?: { code: number; message: string };
}

describe('Open WebUI is recognised', () => {
  const none = () => undefined;
  const sends = (name: string) => (asked: string) => (asked === name ? 'x' : undefined);
  test.each([
    ['a connection key', caller('service:webui', { authSource: 'connection-key' }), none],
    [
      'a connection key and a signed user',
      caller('a@acme.com', { authSource: 'connection-key+signed' }),
      none,
    ],
    ['a connection key and a plain user', caller('a@acme.com', { authSource: 'connection-key+plain' }), none],
    ['its own session', caller('a@acme.com', { authSource: 'open-webui' }), none],
    ['a chat', caller('a@acme.com', { authSource: 'oidc:corp' }), sends('x-openwebui-chat-id')],
    ['a user header beside another token', caller('a@acme.com'), sends('x-openwebui-user-jwt')],
  ])('by %s', (_, principal, header) => {
    expect(audienceOf(principal, header)).toBe('open-webui');
  });

  test.each([
    ['an API token', caller('a@acme.com'), none],
    ['an access token', caller('a@acme.com', { authSource: 'oidc:open-webui' }), none],
    ['headers of the gate itself', caller('a@acme.com'), sends('x-user-email')],
  ])('and nobody else: %s', (_, principal, header) => {
    expect(audienceOf(principal, header)).toBe('any');
  });
});

type World = Awaited<ReturnType<typeof gatewayWorld>>;

/** Worlds in which each request of a known caller is refused, and how it is asked there. */
const refusals: Record<
  string,
  { world: () => Promise<World>; path?: string; headers?: () => Record<string, string> }
> = {
  'too many requests': {
    world: async () => {
      const world = await gatewayWorld(picture(), { rateLimits: { perUser: 1 } });
      await world.post('/mcp', list, owui());
      return world;
    },
  },
  'records that cannot be kept': {
    world: async () => {
      const world = await gatewayWorld(picture());
      world.fillRecords();
      return world;
    },
  },
  'a person of several tenants': {
    world: () => gatewayWorld(picture()),
    headers: () => owui('both@acme.com'),
  },
  'a tenant that is not theirs': { world: () => gatewayWorld(picture()), path: '/t/a/mcp' },
  'a server that is not there': { world: () => gatewayWorld(picture()), path: '/mcp/nothing' },
  'a server that is not theirs': {
    world: () => gatewayWorld(picture()),
    path: '/mcp/two',
    headers: () => owui('bob@acme.com'),
  },
  'a person who is disabled': { world: () => gatewayWorld(picture()), headers: () => owui('gone@acme.com') },
  'a session that is over': {
    world: () => gatewayWorld(picture()),
    headers: () => ({ ...owui(), 'mcp-session-id': 'gone' }),
  },
  'a version that nobody knows': {
    world: () => gatewayWorld(picture()),
    headers: () => ({ ...owui(), 'mcp-protocol-version': '2024-01-01' }),
  },
};

describe('a known caller gets every refusal in band, for the Python SDK 1.x hangs on an HTTP error', () => {
  const requests = { initialize, 'tools/list': list, 'tools/call': callOf('one__plain') };
  const cases = Object.keys(refusals).flatMap((why) =>
    Object.keys(requests).map((what) => [why, what] as const),
  );
  // `initialize` begins a session and has no need of an old one.
  const refused = cases.filter(([why, what]) => !(why === 'a session that is over' && what === 'initialize'));

  test.each(refused)('%s: %s', async (why, what) => {
    const { world: make, path = '/mcp', headers = owui } = refusals[why]!;
    const world = await make();
    const request = requests[what as keyof typeof requests];
    const response = await world.post(path, request, headers());
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toBe('application/json');
    const { id, result, error } = (await response.json()) as Answer;
    expect(id).toBe(request.id);
    const said = error?.message ?? (result?.isError === true ? result.content?.[0]?.text : undefined);
    expect(said).toMatch(/\w{3,} \w+/);

    const { 'x-openwebui-chat-id': _chat, ...plain } = headers() as Record<string, string>;
    const others = await world.post(path, request, plain);
    if (what !== 'tools/call') expect(others.status).toBeGreaterThanOrEqual(400);
    await others.text();
  });

  test.each(Object.keys(refusals))('%s: a notification is taken and dropped', async (why) => {
    const { world: make, path = '/mcp', headers = owui } = refusals[why]!;
    const world = await make();
    const response = await world.post(path, initialized, headers());
    expect([response.status, await response.text()]).toEqual([202, '']);
  });

  test('a failure inside the gate shows nothing of itself', async () => {
    const world = await gatewayWorld(picture());
    world.gateway.gate.views.page = () => {
      throw new Error('secret detail');
    };
    const response = await world.post('/mcp', list, owui());
    const body = await response.text();
    expect([response.status, body.includes('secret')]).toEqual([200, false]);
    expect(JSON.parse(body)).toMatchObject({ id: 1, error: { code: -32603 } });
  });

  test.each(['tools/list', 'tools/call', 'server/discover'])('in the modern era too: %s', async (method) => {
    const world = await gatewayWorld(picture(), { rateLimits: { perUser: 1 } });
    await world.post('/mcp', list, owui());
    const prefix = 'io.modelcontextprotocol/';
    const _meta = { [`${prefix}protocolVersion`]: '2026-07-28', [`${prefix}clientCapabilities`]: {} };
    const params = method === 'tools/call' ? { name: 'one__plain', arguments: {}, _meta } : { _meta };
    const headers = { ...owui(), 'mcp-protocol-version': '2026-07-28', 'mcp-method': method };
    const named = method === 'tools/call' ? { ...headers, 'mcp-name': 'one__plain' } : headers;
    expect((await world.post('/mcp', { id: 1, method, params }, named)).status).toBe(200);
    // What contradicts itself keeps the status that the specification gives it.
    const other = await gatewayWorld(picture());
    expect(
      (await other.post('/mcp', { id: 1, method, params }, { ...named, 'mcp-method': 'ping' })).status,
    ).toBe(400);
  });

  test('an unknown caller gets 401, with whatever headers', async () => {
    const world = await gatewayWorld(picture());
    world.revoke('alice@acme.com');
    for (const message of [initialize, initialized, list, callOf('one__plain')])
      expect((await world.post('/mcp', message, owui())).status).toBe(401);
  });
});
