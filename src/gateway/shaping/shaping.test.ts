import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { type ChangingTools, plainTool, startChangingTools } from '../../../test/fakes/changing-tools.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';
import { memoryTransport } from '../../platform/bus/memory.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Item {
  type: string;
  text?: string;
  uri?: string;
}

const modern = { 'mcp-protocol-version': '2026-07-28' };
const legacy = { 'mcp-protocol-version': '2025-11-25' };
const meta = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  },
};
const long = Array.from({ length: 2_500 }, (_, index) => String(index % 10)).join('');

type World = Awaited<ReturnType<typeof gatewayWorld>>;
type Era = 'modern' | 'legacy';

async function upstream(era: Era): Promise<ChangingTools> {
  const server = await startChangingTools(era);
  closing.push(() => server.close());
  server.tools = [plainTool('get_log'), plainTool('other')];
  server.results['get_log'] = JSON.stringify({ content: [{ type: 'text', text: long }] });
  return server;
}

function picture(server: ChangingTools, tools: string[] = ['get_*']): Picture {
  return {
    servers: { files: { url: server.url, maxResultChars: 1_000 } },
    // Not the whole server: whoever may call the tool reads on, and needs no other right to resources.
    groups: { G: { servers: { files: tools } } },
    users: { 'alice@acme.com': { groups: ['G'] }, 'bob@acme.com': { groups: ['G'] } },
  };
}

interface Sent {
  readonly era?: Era;
  readonly who?: string;
}

/** One request as a client of that era sends it. */
function send(
  world: World,
  path: string,
  request: { method: string; params: object },
  { era = 'legacy', who = 'alice@acme.com' }: Sent = {},
) {
  const { method, params } = request;
  if (era === 'legacy') return world.ask(path, method, params, { ...legacy, ...as(who) });
  const { name, uri } = params as { name?: string; uri?: string };
  const headers = { ...modern, ...as(who), 'mcp-method': method, 'mcp-name': name ?? uri ?? '' };
  return world.ask(path, method, { ...params, ...meta }, headers);
}

function callTool(name: string, args: object = {}) {
  return { method: 'tools/call', params: { name, arguments: args } };
}

function readPage(uri: string) {
  return { method: 'resources/read', params: { uri } };
}

function itemsOf(result: Record<string, unknown> | undefined, member = 'content'): Item[] {
  return (result?.[member] ?? []) as Item[];
}

async function longResult(world: World, era: Era, path = '/mcp/files') {
  const name = path.endsWith('/files') ? 'get_log' : 'files__get_log';
  const { result } = await send(world, path, callTool(name), { era });
  const content = itemsOf(result);
  return { content, uri: content.find(({ type }) => type === 'resource_link')?.uri ?? '' };
}

async function pagesFrom(world: World, era: Era, path: string, first: string): Promise<string> {
  const { result, error } = await send(world, path, readPage(first), { era });
  expect(error).toBeUndefined();
  const [page, next] = itemsOf(result, 'contents');
  if (era === 'modern') expect(result?.['resultType']).toBe('complete');
  return next?.uri === undefined
    ? (page?.text ?? '')
    : `${page?.text}${await pagesFrom(world, era, path, next.uri)}`;
}

const cells = [
  ['modern', 'modern'],
  ['modern', 'legacy'],
  ['legacy', 'modern'],
  ['legacy', 'legacy'],
] as const;

test.each(cells)(
  'a %s client of a %s server reads a long result to its end, on both URLs',
  async (north, south) => {
    const server = await upstream(south);
    const world = await gatewayWorld(picture(server));
    for (const path of ['/mcp', '/mcp/files']) {
      const { content, uri } = await longResult(world, north, path);
      expect(content.map(({ type }) => type)).toEqual(['text', 'text', 'resource_link']);
      expect(content[1]?.text).toMatch(
        /^… 1,500 of 2,500 characters left out; read on: resource toolgate:\/\/results\//,
      );
      expect(`${content[0]?.text}${await pagesFrom(world, north, path, uri)}`).toBe(long);
    }
    expect(server.asked).toEqual([]);
  },
);

test('a result that fits passes byte for byte', async () => {
  const server = await upstream('legacy');
  const exact = `{"content":[{"type":"text","text":"caf\\u00e9"}],"unknown":{"big":12345678901234567890,"n":1.0},"pad":"${'x'.repeat(3_000)}"}`;
  server.results['get_log'] = exact;
  const world = await gatewayWorld(picture(server));
  const response = await world.post('/mcp/files', {
    id: 1,
    method: 'tools/call',
    params: { name: 'get_log' },
  });
  expect(await response.text()).toContain(exact);
});

test('nobody else reads it, and the caller not after losing the tool', async () => {
  const server = await upstream('legacy');
  const world = await gatewayWorld(picture(server));
  const { uri } = await longResult(world, 'legacy');
  const read = async (who: string, wanted = uri) =>
    (await send(world, '/mcp', readPage(wanted), { who })).error?.message;
  const gone = 'This part of a result is not kept any more, or is not yours; call the tool again.';
  expect(await read('alice@acme.com')).toBeUndefined();
  expect(await read('bob@acme.com')).toBe(gone);
  expect(await read('alice@acme.com', 'toolgate://results/made-up?page=2')).toBe(gone);
  expect(world.records.at(-1)).toMatchObject({ outcome: 'denied', reason: 'result_page_gone' });
  world.change(picture(server, ['other']));
  expect(await read('alice@acme.com')).toBe(gone);
  expect(server.asked).toEqual([]);
});

test('another process of the installation serves it, until the first one ends', async () => {
  const server = await upstream('legacy');
  const shared = { transport: memoryTransport(), sealingKey: randomBytes(32) };
  const first = await gatewayWorld(picture(server), shared);
  const second = await gatewayWorld(picture(server), shared);
  const { content, uri } = await longResult(first, 'modern');
  expect(`${content[0]?.text}${await pagesFrom(second, 'modern', '/mcp/files', uri)}`).toBe(long);
  const { error } = await send(second, '/mcp', readPage(uri), { who: 'bob@acme.com' });
  expect(error?.message).toMatch(/not kept any more/);
  first.gateway.gate.resultPages.close();
  expect((await send(second, '/mcp', readPage(uri))).error?.message).toMatch(/not kept any more/);
});

test('a client of an old revision gets the address in words', async () => {
  const server = await upstream('legacy');
  const world = await gatewayWorld(picture(server));
  const { result } = await world.ask('/mcp/files', 'tools/call', { name: 'get_log', arguments: {} });
  const content = itemsOf(result);
  expect(content.map(({ type }) => type)).toEqual(['text', 'text']);
  expect(content[1]?.text).toContain('toolgate://results/');
});

test('through an HTTP route, and for Open WebUI, the note says to ask for less, and nothing is kept', async () => {
  const server = await upstream('legacy');
  const world = await gatewayWorld(picture(server));
  const response = await world.post('/tools/files/get_log', '{}');
  expect(response.status).toBe(200);
  const less = '… 1,500 of 2,500 characters left out; ask for less, for example with a filter or a limit.';
  expect(await response.json()).toEqual([long.slice(0, 1_000), less]);
  const headers = { ...legacy, 'x-openwebui-auth-type': 'none' };
  const { result } = await world.ask('/mcp/files', 'tools/call', { name: 'get_log', arguments: {} }, headers);
  expect(itemsOf(result).map(({ text }) => text)).toEqual([long.slice(0, 1_000), less]);
});

test('what call_tool answers is cut as well, and read on in the same way', async () => {
  const server = await upstream('legacy');
  const world = await gatewayWorld(picture(server));
  const call = callTool('call_tool', { name: 'files__get_log', arguments: {} });
  const [shown, , link] = itemsOf((await send(world, '/mcp?mode=meta', call)).result);
  expect(`${shown?.text}${await pagesFrom(world, 'legacy', '/mcp?mode=meta', link?.uri ?? '')}`).toBe(long);
});

test('data is dropped only where no output schema promises it', async () => {
  const server = await upstream('legacy');
  const structuredContent = { rows: Array.from({ length: 400 }, (_, row) => ({ row })) };
  const result = JSON.stringify({ content: [{ type: 'text', text: 'see data' }], structuredContent });
  server.tools.push(plainTool('get_rows', 'Rows', { outputSchema: { type: 'object' } }));
  Object.assign(server.results, { get_log: result, get_rows: result });
  const world = await gatewayWorld(picture(server));
  await world.names('/mcp/files');
  const of = async (name: string) =>
    (await world.ask('/mcp/files', 'tools/call', { name, arguments: {} })).result;
  expect((await of('get_rows'))?.['structuredContent']).toEqual(structuredContent);
  expect((await of('get_log'))?.['structuredContent']).toBeUndefined();
});

test('0 lifts the limit', async () => {
  const server = await upstream('legacy');
  const one = picture(server);
  const world = await gatewayWorld({ ...one, servers: { files: { url: server.url, maxResultChars: 0 } } });
  expect((await longResult(world, 'legacy')).content).toEqual([{ type: 'text', text: long }]);
});
