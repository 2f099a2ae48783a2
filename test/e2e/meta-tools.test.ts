import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { expect, test } from 'vitest';
import { startExactUpstream } from '../tool-flood/exact-upstream.ts';
import {
  answerOf,
  askModern,
  bearer,
  clientV1,
  clientV2,
  closeLater,
  postModern,
  textOf,
} from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';

const schema = '{"type":"object","properties":{"title":{"type":"string"}},"required":["title"]}';
const issue = `{"name":"create_issue","description":"Opens an issue.","inputSchema":${schema}}`;
const purge = `{"name":"purge","description":"Deletes every issue.","inputSchema":{"type":"object"}}`;
const old = closeLater(await startExactUpstream('legacy', [issue, purge]));
const young = closeLater(await startExactUpstream('modern', [issue, purge]));

const servers = {
  tracker: { type: 'http', url: old.url, displayName: 'Tracker', tools: ['*', '!purge'] },
  board: { type: 'http', url: young.url, toolOverrides: { create_issue: { name: 'new_card' } } },
};
const gate = await startGate({
  config: configOf(servers, { metaTools: { above: 2, exceptClients: ['loud'] } }),
});
const token = await gate.tokenFor('alice@acme.com');

/** What this test uses of both clients. */
interface Client {
  listTools(): Promise<{ tools: { name: string }[] }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
}

const clients: Readonly<Record<string, (url: string) => Promise<Client>>> = {
  'sdk 1.x': (url) => clientV1(url, token),
  'client 2.x': (url) => clientV2(url, token, 'auto'),
};

test.each(Object.entries(clients))(
  '%s finds, reads and calls a tool through the three',
  async (_name, connect) => {
    const client = await connect(`${gate.url}/mcp?mode=meta`);
    const names = (await client.listTools()).tools.map(({ name }) => name);
    expect(names).toEqual(['search_tools', 'describe_tools', 'call_tool']);
    const search = async (query: string): Promise<string[]> => {
      const found = JSON.parse(
        textOf(await client.callTool({ name: 'search_tools', arguments: { query } })).text,
      );
      return found.tools.map(({ name }: { name: string }) => name);
    };
    await eventually('both servers have been met', async () => (await search('')).length === 3);
    expect((await search('open a tracker issue'))[0]).toBe('tracker__create_issue');
    expect(await search('new card')).toContain('board__new_card');
    expect(await search('purge')).not.toContain('tracker__purge');
    const wanted = { names: ['tracker__create_issue'] };
    const described = textOf(await client.callTool({ name: 'describe_tools', arguments: wanted })).text;
    expect(described).toBe(`{"tools":[${issue.replace('create_issue', 'tracker__create_issue')}]}`);
    for (const [tool, upstream] of [
      ['tracker__create_issue', old],
      ['board__new_card', young],
    ] as const) {
      const args = { name: tool, arguments: { title: 'It broke' } };
      expect(textOf(await client.callTool({ name: 'call_tool', arguments: args }))).toEqual({
        text: 'called',
        isError: false,
      });
      const { params } = JSON.parse(upstream.calls.at(-1)!);
      expect(params).toMatchObject({ name: 'create_issue', arguments: { title: 'It broke' } });
    }
    const refused = { name: 'tracker__purge', arguments: {} };
    const { text, isError } = textOf(await client.callTool({ name: 'call_tool', arguments: refused }));
    expect(isError).toBe(true);
    expect(text).toContain('There is no tool "tracker__purge" that you may use.');
  },
);

test('the config file’s bound makes it three tools, unless the URL wants all', async () => {
  const client = await clientV1(`${gate.url}/mcp`, token);
  expect((await client.listTools()).tools).toHaveLength(3);
  expect((await client.listTools()).tools[0]!.name).toBe('search_tools');
  const whole = await clientV1(`${gate.url}/mcp?mode=all`, token);
  expect((await whole.listTools()).tools.map(({ name }) => name)).toContain('board__new_card');
});

test('the older transport shows three tools where its stream was opened so', async () => {
  const client = closeLater(new ClientV1({ name: 'old', version: '1' }));
  const url = new URL(`${gate.url}/sse?mode=meta`);
  await client.connect(new SSEClientTransport(url, { requestInit: { headers: bearer(token) } }));
  expect((await client.listTools()).tools.map(({ name }) => name)).toContain('call_tool');
  const args = { name: 'tracker__create_issue', arguments: { title: 'x' } };
  expect(textOf(await client.callTool({ name: 'call_tool', arguments: args })).text).toBe('called');
});

test('tools as HTTP routes have their new names and are never three', async () => {
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const spec = (await (await fetch(`${gate.url}/tools/board/openapi.json`, { headers })).json()) as {
    paths: object;
  }; // a test that gets another shape fails below
  expect(Object.keys(spec.paths)).toEqual(['/new_card', '/purge']);
  const body = JSON.stringify({ title: 'by HTTP' });
  const answer = await fetch(`${gate.url}/tools/board/new_card`, { method: 'POST', headers, body });
  expect(await answer.json()).toBe('called');
  expect(JSON.parse(young.calls.at(-1)!).params).toMatchObject({
    name: 'create_issue',
    arguments: { title: 'by HTTP' },
  });
});

test('administrators see both names of a tool, and why one could not be used', async () => {
  const { body } = await gate.admin('GET', '/servers/board/tools');
  expect(body.items[0]).toMatchObject({
    name: 'create_issue',
    shownName: 'new_card',
    groupNames: {},
    warnings: [],
  });
  const explained = await gate.admin('GET', '/explain?user=alice@acme.com&server=board&tool=new_card');
  expect(explained.body.reasons.join(' ')).toContain('sees the tool create_issue as new_card');
  const clash = { purge: { name: 'create_issue' } };
  await gate.admin('PATCH', '/servers/board', { toolOverrides: clash });
  const { body: clashing } = await gate.admin('GET', '/servers/board/tools');
  expect(clashing.items[1]).toMatchObject({
    shownName: 'purge',
    warnings: [
      'the server’s definition calls it create_issue, but another tool has that name, so it keeps purge.',
    ],
  });
});

test('other settings in the config file count from the next request on', async () => {
  const own = await startGate({ config: configOf(servers) });
  const raw = { url: `${own.url}/mcp`, token: await own.tokenFor('alice@acme.com') };
  const count = async () => (await askModern(raw, 'tools/list')).message?.result.tools.length;
  await eventually('every tool', async () => (await count()) === 3);
  const file = path.join(own.folder, 'mcp-servers.json');
  const write = (metaTools?: object) => writeFile(file, JSON.stringify(configOf(servers, { metaTools })));
  await write({ above: 2, exceptClients: ['raw-client'] });
  const search = { name: 'search_tools', arguments: { query: '' } };
  const isKnown = async () => (await askModern(raw, 'tools/call', search)).message?.result.isError !== true;
  await eventually('three tools instead', isKnown);
  const meta = { 'io.modelcontextprotocol/clientInfo': { name: 'raw-client', version: '1' } };
  const excepted = await answerOf(await postModern(raw, 'tools/list', {}, { meta }));
  expect(excepted.message.result.tools[0].name).toContain('__');
  await write();
  await eventually('every tool again', async () => !(await isKnown()));
});
