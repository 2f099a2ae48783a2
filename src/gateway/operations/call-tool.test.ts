// Lists and calls of Open WebUI: what it is shown, what its calls become, and what comes back.
import { afterAll, describe, expect, test } from 'vitest';
import { readMessage } from '../../../test/fakes/hostile/http-wire.ts';
import { listenOnLoopback } from '../../../test/fakes/loopback.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';

const text = (value: string) => ({ type: 'text', text: value });
const tools = [
  { name: 'plain', inputSchema: { type: 'object', properties: { a: { type: 'string' } } } },
  { name: 'either', inputSchema: { oneOf: [{ properties: { id: {} } }, { properties: { name: {} } }] } },
  { name: 'open', inputSchema: { type: 'object', additionalProperties: true } },
  {
    name: 'typed',
    inputSchema: { type: 'object' },
    outputSchema: { type: 'object', properties: { n: { type: 'number' } }, required: ['n'] },
  },
  { name: `long_${'x'.repeat(80)}`, inputSchema: { type: 'object' } },
];
const results: Record<string, object> = {
  typed: { content: [text('{"n": 1}')], structuredContent: { n: 1 } },
};

/** A legacy server that counts what it is asked, and repeats the arguments of a call. */
async function startUpstream() {
  const counts: Record<string, number> = {};
  const answers: Record<string, (params: Record<string, unknown>) => unknown> = {
    initialize: ({ protocolVersion }) => ({
      ...{ protocolVersion, capabilities: { tools: {} } },
      serverInfo: { name: 'counting', version: '1' },
    }),
    'tools/list': () => ({ tools }),
    'tools/call': ({ name, arguments: args }) =>
      results[String(name)] ?? { content: [text(JSON.stringify({ name, args }))] },
  };
  const server = await listenOnLoopback((incoming, response) => {
    if (incoming.method !== 'POST') return void response.writeHead(405).end();
    readMessage(incoming).then(
      ({ message, request }) => {
        const method = String(message['method']);
        counts[method] = (counts[method] ?? 0) + 1;
        if (!request) return response.writeHead(202).end();
        const answer = answers[method];
        const outcome = answer
          ? { result: answer(request.params ?? {}) }
          : { error: { code: -32601, message: 'Method not found' } };
        response.writeHead(200, { 'content-type': 'application/json' });
        return response.end(JSON.stringify({ jsonrpc: '2.0', id: request.id, ...outcome }));
      },
      () => response.destroy(),
    );
  });
  const total = () => Object.values(counts).reduce((sum, count) => sum + count, 0);
  return { url: `${server.origin}/mcp`, close: server.close, counts, total };
}

const upstream = await startUpstream();
afterAll(() => upstream.close());

function picture(): Picture {
  const people = Array.from({ length: 50 }, (_, i) => [`p${i}@acme.com`, { groups: ['all'] }] as const);
  return {
    servers: { one: { type: 'http', url: upstream.url }, two: { type: 'http', url: upstream.url } },
    groups: { all: { servers: ['one', 'two'] } },
    users: { 'alice@acme.com': { groups: ['all'] }, ...Object.fromEntries(people) },
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
  result?: {
    isError?: boolean;
    tools?: { name: string; inputSchema: Shown; outputSchema?: unknown }[];
  } & Result;
}
interface Shown {
  properties?: Record<string, unknown>;
}
interface Result {
  content?: { type: string; text?: string }[];
  structuredContent?: unknown;
}

describe('lists', () => {
  test('fifty reconnects of people with the same rights ask the servers nothing', async () => {
    const world = await gatewayWorld(picture());
    await world.names('/mcp', owui());
    const before = upstream.total();
    const lists = new Set<string>();
    for (let i = 0; i < 50; i++) {
      const headers = owui(`p${i}@acme.com`);
      expect((await world.post('/mcp', initialize, headers)).status).toBe(200);
      expect((await world.post('/mcp', initialized, headers)).status).toBe(202);
      lists.add(await (await world.post('/mcp', list, headers)).text());
    }
    expect(lists.size).toBe(1);
    expect([...lists][0]).toContain('one__plain');
    expect(upstream.total()).toBe(before);
  });

  test('come in one page, whatever the size of a page', async () => {
    const world = await gatewayWorld(picture(), { pageSize: 2 });
    const names = await world.names('/mcp', owui());
    expect(names).toHaveLength(2 * tools.length);
    expect(await world.names('/mcp')).toHaveLength(2);
  });

  test('have names that fit into 64 characters with a prefix of 16', async () => {
    const world = await gatewayWorld(picture());
    for (const name of await world.names('/mcp', owui()))
      expect(`${'c'.repeat(16)}_${name}`).toMatch(/^[A-Za-z0-9_-]{1,64}$/);
  });

  test('name every argument at the top, and leave a schema that does alone', async () => {
    const world = await gatewayWorld(picture());
    const shown = async (headers: Record<string, string>) => {
      const { result } = (await world.ask('/mcp/one', 'tools/list', undefined, headers)) as Answer;
      return new Map(result!.tools!.map((tool) => [tool.name, tool]));
    };
    const flat = await shown(owui());
    expect(Object.keys(flat.get('either')!.inputSchema.properties!)).toEqual(['id', 'name']);
    expect(Object.keys(flat.get('open')!.inputSchema.properties!)).toEqual(['arguments_json']);
    expect(flat.get('plain')).toEqual(tools[0]);
    expect(flat.get('typed')).not.toHaveProperty('outputSchema');
    expect([...(await shown(as('alice@acme.com'))).values()]).toEqual(tools);
  });
});

describe('a call', () => {
  const args = { arguments_json: '{"a":1,"b":[2]}' };

  test.each([
    ['/mcp', 'one__open'],
    ['/mcp/one', 'open'],
  ])('on %s gets the arguments back that the list made room for', async (path, name) => {
    const world = await gatewayWorld(picture());
    const { result } = (await (await world.post(path, callOf(name, args), owui())).json()) as Answer;
    expect(JSON.parse(result!.content![0]!.text!)).toEqual({ name: 'open', args: { a: 1, b: [2] } });
  });

  test('of anybody else goes on as it came', async () => {
    const world = await gatewayWorld(picture());
    const { result } = (await (await world.post('/mcp', callOf('one__open', args))).json()) as Answer;
    expect(JSON.parse(result!.content![0]!.text!).args).toEqual(args);
  });

  test('whose text is no object is told so, and reaches no server', async () => {
    const world = await gatewayWorld(picture());
    await world.names('/mcp', owui());
    const before = upstream.counts['tools/call'];
    const response = await world.post('/mcp', callOf('one__open', { arguments_json: 'oops' }), owui());
    const { result } = (await response.json()) as Answer;
    expect([response.status, result!.isError]).toEqual([200, true]);
    expect(result!.content![0]!.text).toContain('"arguments_json" must be the JSON text of an object');
    expect(upstream.counts['tools/call']).toBe(before);
  });

  test('does not say the same twice', async () => {
    const world = await gatewayWorld(picture());
    const resultFor = async (headers: Record<string, string>) =>
      ((await (await world.post('/mcp', callOf('one__typed'), headers)).json()) as Answer).result;
    expect(await resultFor(owui())).toEqual({ content: [text('{"n": 1}')] });
    expect(await resultFor(as('alice@acme.com'))).toEqual(results['typed']);
  });
});
