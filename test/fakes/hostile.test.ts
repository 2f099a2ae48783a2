import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import {
  Client as ModernClient,
  StreamableHTTPClientTransport as ModernHttp,
} from '@modelcontextprotocol/client';
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StdioClientTransport } from '@modelcontextprotocol/sdk/client/stdio.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import type { Transport } from '@modelcontextprotocol/sdk/shared/transport.js';
import {
  CreateMessageRequestSchema,
  ElicitRequestSchema,
  ListRootsRequestSchema,
  ToolListChangedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { exactResults, type KindName } from './hostile/kinds.ts';
import { type HostileHttp, startHostileHttp } from './hostile-http.ts';
import { type HostileSse, startHostileSse } from './hostile-sse.ts';

const program = fileURLToPath(new URL('hostile-stdio.ts', import.meta.url));
const cleanup: (() => Promise<unknown>)[] = [];
let http: HostileHttp;
let sse: HostileSse;

beforeAll(async () => {
  http = await startHostileHttp();
  sse = await startHostileSse();
});
afterEach(async () => {
  for (const close of cleanup.splice(0)) await close();
});
afterAll(async () => {
  await http.close();
  await sse.close();
});

const transports: Record<string, (kind: KindName) => Transport> = {
  stdio: (kind) => new StdioClientTransport({ command: process.execPath, args: [program, kind] }),
  http: (kind) => new StreamableHTTPClientTransport(new URL(http.url(kind))),
  sse: (kind) => new SSEClientTransport(new URL(sse.url(kind))),
};

async function connect(transport: Transport): Promise<Client> {
  const capabilities = { elicitation: {}, sampling: {}, roots: {} };
  const client = new Client({ name: 'test', version: '1' }, { capabilities });
  cleanup.push(() => client.close());
  await client.connect(transport);
  return client;
}

async function callText(client: Client, name: string, args: Record<string, unknown> = {}): Promise<string> {
  const result = await client.callTool({ name, arguments: args });
  return (result.content as { text: string }[])[0]!.text;
}

describe.each(Object.keys(transports))('over %s', (name) => {
  test('the honest server lists its tools and answers calls', async () => {
    const client = await connect(transports[name]!('ok'));
    const { tools } = await client.listTools();
    expect(tools.map((tool) => tool.name)).toEqual(['echo', 'add', 'slow', 'big', 'whoami', 'crash']);
    expect(await callText(client, 'echo', { text: 'héllo' })).toBe('héllo');
    expect(await callText(client, 'add', { a: 1, b: 2 })).toBe('3');
  });

  test('the asking server waits for what the client answers', async () => {
    const client = await connect(transports[name]!('asks'));
    client.setRequestHandler(ElicitRequestSchema, () => ({ action: 'accept', content: { name: 'Ann' } }));
    client.setRequestHandler(CreateMessageRequestSchema, () => ({
      role: 'assistant',
      model: 'm',
      content: { type: 'text', text: 'hello' },
    }));
    client.setRequestHandler(ListRootsRequestSchema, () => ({ roots: [{ uri: 'file:///here' }] }));
    expect(await callText(client, 'ask_elicit')).toContain('"Ann"');
    expect(await callText(client, 'ask_sample')).toContain('"hello"');
    expect(await callText(client, 'ask_roots')).toContain('file:///here');
  });

  test('the reporting server sends progress before its answer', async () => {
    const client = await connect(transports[name]!('progress'));
    const seen: number[] = [];
    const call = { name: 'work', arguments: { steps: 3 } };
    await client.callTool(call, undefined, { onprogress: ({ progress }) => seen.push(progress) });
    // The last one may arrive in one piece with the answer, after which the SDK no longer listens.
    expect(seen.slice(0, 2)).toEqual([1, 2]);
  });
});

test('the server that closes mid-answer fails the call, or over SSE ends the stream', async () => {
  for (const name of ['stdio', 'http']) {
    const client = await connect(transports[name]!('closes'));
    await expect(client.callTool({ name: 'echo', arguments: { text: 'x' } })).rejects.toThrow();
  }
  const stream = (await fetch(sse.url('closes'))).body!.pipeThrough(new TextDecoderStream()).getReader();
  const [, endpoint] = /data: (.+)/.exec((await stream.read()).value!)!;
  await post(new URL(endpoint!, sse.url('closes')).href, 'tools/call', { name: 'echo' });
  expect((await stream.read()).value).toMatch(/^data: \{"jsonrpc".*[^\n]$/);
  await expect(stream.read()).rejects.toThrow();
});

test('the modern server answers a client of the modern era and refuses initialize', async () => {
  const client = new ModernClient({ name: 'test', version: '1' }, { versionNegotiation: { mode: 'auto' } });
  cleanup.push(() => client.close());
  await client.connect(new ModernHttp(new URL(http.url('modern'))));
  expect(client.getProtocolEra()).toBe('modern');
  expect((await client.listTools()).tools).toHaveLength(6);
  const answer = await client.callTool({ name: 'echo', arguments: { text: 'hi' } });
  expect(answer.content).toEqual([{ type: 'text', text: 'hi' }]);
  await expect(connect(transports['http']!('modern'))).rejects.toThrow('-32022');
});

test('a changing list is announced, over HTTP on the GET stream', async () => {
  for (const name of ['http', 'stdio']) {
    const client = await connect(transports[name]!('list-changes'));
    await new Promise<void>((resolve) => {
      client.setNotificationHandler(ToolListChangedNotificationSchema, () => resolve());
    });
    const { tools } = await client.listTools();
    expect(tools[0]!.name).toMatch(/^change_[1-9]/);
  }
});

test('pages end after ten, and the looping cursor never does', async () => {
  const client = await connect(transports['http']!('paginated'));
  const names: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await client.listTools({ cursor });
    names.push(...page.tools.map((tool) => tool.name));
    cursor = page.nextCursor;
  } while (cursor !== undefined);
  expect(names).toHaveLength(30);
  const looping = await connect(transports['http']!('cursor-loop'));
  expect((await looping.listTools({ cursor: '1000' })).nextCursor).toBe('1001');
});

test('sessions are counted, deleted and expired', async () => {
  const transport = new StreamableHTTPClientTransport(new URL(http.url('counts-sessions')));
  const client = await connect(transport);
  expect(http.stats('counts-sessions')).toMatchObject({ openSessions: 1, counts: { initialize: 1 } });
  await transport.terminateSession();
  expect(http.stats('counts-sessions')).toMatchObject({ openSessions: 0, deletedSessions: 1 });
  const other = await connect(transports['http']!('counts-sessions'));
  http.expireSessions('counts-sessions');
  await expect(other.listTools()).rejects.toThrow('Session not found');
  await client.close();
});

async function post(url: string, method: string, params: unknown = {}): Promise<string> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 7, method, params });
  return (await fetch(url, { method: 'POST', body })).text();
}

test('liars over HTTP lie as they are named', async () => {
  const call = { name: 'echo', arguments: { text: 'x' } };
  for (const [method, result] of Object.entries(exactResults)) {
    const text = await post(http.url('unicode-numbers'), method, call);
    expect(text).toBe(`{"jsonrpc":"2.0","id":7,"result":${result}}`);
  }
  const wrong = await post(http.url('wrong-id'), 'tools/call', call);
  expect([...wrong.matchAll(/"id":([^,}]+)/g)].map(([, id]) => id)).toEqual([
    '"7-other"',
    '1007',
    '"7"',
    'null',
  ]);
  expect((await post(http.url('duplicate-response'), 'tools/call', call)).match(/"id":7/g)).toHaveLength(2);
  const huge = JSON.parse(await post(http.url('huge', { bytes: 1_000_000 }), 'tools/call', call));
  expect(huge.result.content[0].text).toHaveLength(1_000_000);
  await expect(post(http.url('exits'), 'initialize')).rejects.toThrow();
  await post(http.url('redirect'), 'initialize').catch(() => undefined);
  expect(http.stats('redirect-target').requests).toBe(1);
  const invalid = await post(http.url('invalid-json'), 'tools/call', call);
  expect(() => JSON.parse(invalid)).toThrow();
});

test('a client that gives up is noticed', async () => {
  const request = new AbortController();
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'echo' } });
  const endless = await fetch(http.url('endless'), { method: 'POST', body, signal: request.signal });
  const reader = endless.body!.getReader();
  expect((await reader.read()).value!.length).toBeGreaterThan(0);
  request.abort();
  await expect.poll(() => http.stats('endless').abandoned).toBe(1);
});

test('a process that exits at once says so with its code', async () => {
  const child = spawn(process.execPath, [program, 'exits'], { stdio: ['pipe', 'pipe', 'ignore'] });
  expect(await once(child, 'exit')).toEqual([3, null]);
});

test('a process that floods its standard error serves, and ends with its input', async () => {
  const child = spawn(process.execPath, [program, 'floods-stderr'], { stdio: ['pipe', 'pipe', 'ignore'] });
  child.stdin.write('{"jsonrpc":"2.0","id":1,"method":"ping"}\n');
  const [answer] = await once(child.stdout, 'data');
  expect(String(answer)).toContain('"id":1');
  const exited = once(child, 'exit');
  child.stdin.end();
  expect(await exited).toEqual([0, null]);
});

test('a process that ignores SIGTERM leaves a grandchild behind when it is killed', async () => {
  const child = spawn(process.execPath, [program, 'ignores-sigterm'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const whoami = { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'whoami' } };
  child.stdin.write(`${JSON.stringify(whoami)}\n`);
  const [line] = await once(child.stdout, 'data');
  const text = JSON.parse(String(line)).result.content[0].text as string;
  const grandchild = Number(JSON.parse(text).seen.GRANDCHILD_PID);
  child.kill('SIGTERM');
  child.stdin.end('{"jsonrpc":"2.0","id":2,"method":"ping"}\n');
  expect(String(await once(child.stdout, 'data'))).toContain('"id":2');
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(process.kill(grandchild, 'SIGKILL')).toBe(true);
});
