// What becomes of `structuredContent`, through the gate.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterEach, expect, test } from 'vitest';
import { type ChangingTools, plainTool, startChangingTools } from '../../../test/fakes/changing-tools.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';

type Era = 'modern' | 'legacy';
type World = Awaited<ReturnType<typeof gatewayWorld>>;

interface Result {
  readonly content: { type: string; text?: string; uri?: string }[];
  readonly structuredContent?: Record<string, unknown>;
}

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const limit = 2_000;
const file = Array.from({ length: 1_000 }, (_, line) => `line ${line} 😀\n`).join('');
const ofContent = (content: object) => ({
  type: 'object',
  properties: { content },
  required: ['content'],
  additionalProperties: false,
  $schema: 'http://json-schema.org/draft-07/schema#',
});

/** Like `read_text_file` of the reference server for files, which says everything twice. */
async function files(era: Era, outputSchema: object = ofContent({ type: 'string' })): Promise<ChangingTools> {
  const server = await startChangingTools(era);
  closing.push(() => server.close());
  server.tools = [plainTool('read_text_file', 'Reads a file', { outputSchema })];
  answer(server, { content: file });
  return server;
}

function answer(server: ChangingTools, structuredContent: unknown, text = file): void {
  const content = [{ type: 'text', text }];
  server.results['read_text_file'] = JSON.stringify({ content, structuredContent });
}

function worldOf(server: ChangingTools): Promise<World> {
  const picture: Picture = {
    servers: { files: { url: server.url, maxResultChars: limit } },
    groups: { G: { servers: ['files'] } },
    users: { 'alice@acme.com': { groups: ['G'] } },
  };
  return gatewayWorld(picture);
}

const meta = {
  _meta: {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
    'io.modelcontextprotocol/clientInfo': { name: 'test', version: '1' },
  },
};

async function send(world: World, era: Era, method: string, params: Record<string, unknown>) {
  if (era === 'legacy')
    return world.ask('/mcp/files', method, params, { 'mcp-protocol-version': '2025-11-25' });
  const name = String(params['name'] ?? params['uri']);
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': name };
  return world.ask('/mcp/files', method, { ...params, ...meta }, headers);
}

async function readFile(world: World, era: Era): Promise<Result> {
  const { result } = await send(world, era, 'tools/call', { name: 'read_text_file', arguments: {} });
  return result as unknown as Result; // expected of it by each test
}

/** The text of all pages from this one on. */
async function pagesFrom(world: World, era: Era, uri: string): Promise<string> {
  const { result } = await send(world, era, 'resources/read', { uri });
  const [page, next] = result!['contents'] as { text: string; uri: string }[];
  return `${page?.text}${next ? await pagesFrom(world, era, next.uri) : ''}`;
}

/** What a cut string shows, and where it says that the rest is. */
function readCut(value: unknown): { visible: string; uri: string } {
  const found = /^([\s\S]*)… \[cut: read on at (toolgate:\/\/results\/\S+)\]$/.exec(String(value));
  expect(found).not.toBeNull();
  return { visible: found?.[1] ?? '', uri: found?.[2] ?? '' };
}

const cells = [
  ['modern', 'modern'],
  ['modern', 'legacy'],
  ['legacy', 'modern'],
  ['legacy', 'legacy'],
] as const;

test.each(cells)(
  'a %s client of a %s server that reads the data alone gets no more than the limit, and reads on',
  async (north, south) => {
    const world = await worldOf(await files(south));
    const { content, structuredContent } = await readFile(world, north);
    expect(JSON.stringify(structuredContent).length).toBeLessThanOrEqual(limit);
    const { visible, uri } = readCut(structuredContent?.['content']);
    expect(visible.isWellFormed()).toBe(true);
    expect(content.map(({ type }) => type)).toEqual(['text', 'text', 'resource_link']);
    expect(content[0]?.text).toBe(visible);
    expect(content[2]?.uri).toBe(uri);
    expect(`${visible}${await pagesFrom(world, north, uri)}`).toBe(file);
  },
);

async function sdkClient(world: World): Promise<Client> {
  const client = new Client({ name: 'test', version: '1' });
  const requestInit = { headers: as('alice@acme.com') };
  await client.connect(new StreamableHTTPClientTransport(new URL(`${world.url}/mcp/files`), { requestInit }));
  closing.push(() => client.close());
  // From here on it checks results against the schemas that it saw.
  await client.listTools();
  return client;
}

test('the SDK 1.x, which checks data against its schema, takes what was cut', async () => {
  const entries = { type: 'array', uniqueItems: true, items: { type: 'object', required: ['id', 'body'] } };
  const server = await files('legacy', {
    type: 'object',
    properties: {
      entries,
      content: { type: 'string', minLength: 1 },
      summary: { type: 'string', maxLength: 1_000 },
      version: { type: 'string', pattern: '^v(1\\.)+$' },
    },
    required: ['entries', 'content', 'summary', 'version'],
    additionalProperties: false,
  });
  const kept = {
    entries: [1, 2].map((id) => ({ id, body: 'the same '.repeat(100) })),
    summary: 's'.repeat(1_000),
    version: `v${'1.'.repeat(500)}`,
  };
  answer(server, { ...kept, content: file });
  const client = await sdkClient(await worldOf(server));
  const result = await client.callTool({ name: 'read_text_file', arguments: {} });
  const { content, ...rest } = result.structuredContent as Record<string, unknown>;
  expect(rest).toEqual(kept);
  expect(readCut(content).visible.length).toBeLessThan(500);
  // The client does look.
  answer(server, { ...kept, content: 7 });
  await expect(client.callTool({ name: 'read_text_file', arguments: {} })).rejects.toThrow(/output schema/);
});

test('a string with a pattern, and one of which nobody knows what it must be, stay whole between all eras', async () => {
  for (const [north, south] of cells) {
    const world = await worldOf(await files(south, ofContent({ $ref: '#/$defs/x', $defs: { x: {} } })));
    const strict = await files(south, {
      ...ofContent({ $ref: '#/$defs/text' }),
      $defs: { text: { type: 'string', pattern: '\\n$' } },
    });
    expect((await readFile(await worldOf(strict), north)).structuredContent).toEqual({ content: file });
    // A reference to nowhere: nobody knows what it asks for.
    expect((await readFile(world, north)).structuredContent).toEqual({ content: file });
  }
});

test('a list that legacy clients get wrapped is held to the schema that they see', async () => {
  const items = (item: object) => ({ type: 'array', items: item });
  for (const [schema, isCut] of [
    [items({ type: 'string' }), true],
    [items({ type: 'string', format: 'uri' }), false],
  ] as const) {
    const server = await files('modern', schema);
    answer(server, ['short', file]);
    const { structuredContent } = await readFile(await worldOf(server), 'legacy');
    const [first, second] = structuredContent!['result'] as string[];
    expect(first).toBe('short');
    if (isCut) readCut(second);
    else expect(second).toBe(file);
  }
});

test('a result whose text and data are within the limit passes byte for byte', async () => {
  const server = await files('legacy');
  const exact = `{"content":[{"type":"text","text":"${'x'.repeat(1_900)}"}],"structuredContent": {"content":"${'x'.repeat(1_900)}\\u00e9","n":1.0}}`;
  server.results['read_text_file'] = exact;
  const world = await worldOf(server);
  const params = { name: 'read_text_file' };
  const response = await world.post('/mcp/files', { id: 1, method: 'tools/call', params });
  expect(await response.text()).toContain(exact);
});

/** An emoji stands on the limit. */
const fitting = file.slice(0, limit - 1);
const less = 'ask for less, for example with a filter or a limit';

test('an HTTP route answers with as much of the text as fits', async () => {
  const world = await worldOf(await files('legacy'));
  const response = await world.post('/tools/files/read_text_file', '{}');
  const [text, note] = (await response.json()) as string[];
  expect(text).toBe(fitting);
  expect(note).toMatch(
    new RegExp(`^… [0-9,]+ of ${file.length.toLocaleString('en-US')} characters.*${less}`),
  );
});

test('Open WebUI gets a long result once, and data that no text says cut with the advice it can follow', async () => {
  const server = await files('legacy');
  const world = await worldOf(server);
  const headers = { 'mcp-protocol-version': '2025-11-25', 'x-openwebui-auth-type': 'none' };
  const read = async () => {
    const params = { name: 'read_text_file', arguments: {} };
    return (await world.ask('/mcp/files', 'tools/call', params, headers)).result as unknown as Result;
  };
  // The way of FastMCP, which the gate leaves out for this client.
  answer(server, { result: file });
  const once = await read();
  expect(once.structuredContent).toBeUndefined();
  expect(once.content.map(({ text }) => text?.slice(-less.length - 1))).toEqual([
    fitting.slice(-less.length - 1),
    `${less}.`,
  ]);
  answer(server, { content: file }, 'see data');
  const { content, structuredContent } = await read();
  expect(content[0]?.text).toBe('see data');
  expect(JSON.stringify(structuredContent).length).toBeLessThanOrEqual(limit);
  expect(structuredContent?.['content']).toMatch(new RegExp(`… \\[cut: ${less}\\]$`));
});
