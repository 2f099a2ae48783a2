// The older transport of the real program, with the official 1.x client.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import {
  CreateMessageRequestSchema,
  ResourceUpdatedNotificationSchema,
} from '@modelcontextprotocol/sdk/types.js';
import { expect, test, vi } from 'vitest';
import { bearer, closeLater, textOf } from './clients.ts';
import { eventually, startGate } from './gate.ts';

const gate = await startGate({
  config: {
    mcpServers: { everything: { command: 'mcp-server-everything' } },
    groups: { All: { servers: ['everything'] }, Few: { servers: { everything: ['echo', 'get-sum'] } } },
    users: { 'alice@acme.com': { groups: ['All'] }, 'bob@acme.com': { groups: ['Few'] } },
  },
});
const alice = await gate.tokenFor('alice@acme.com');
const bob = await gate.tokenFor('bob@acme.com');

async function connect(path: string, token: string, capabilities: object = {}): Promise<Client> {
  const client = new Client({ name: 'e2e-sse', version: '1' }, { capabilities });
  await client.connect(
    new SSEClientTransport(new URL(gate.url + path), { requestInit: { headers: bearer(token) } }),
  );
  return closeLater(client);
}

async function names(client: Client): Promise<string[]> {
  const { tools } = await client.listTools();
  return tools.map(({ name }) => name).sort();
}

test('two people see and call different tools, on both URLs', async () => {
  const his = await connect('/sse', bob);
  const wanted = ['everything__echo', 'everything__get-sum'];
  await eventually('the list', async () => (await names(his)).length === wanted.length);
  expect(await names(his)).toEqual(wanted);
  expect(
    textOf(await his.callTool({ name: 'everything__get-sum', arguments: { a: 40, b: 2 } })).text,
  ).toContain('42');
  expect(textOf(await his.callTool({ name: 'everything__get-env', arguments: {} }))).toEqual({
    text: 'There is no tool "everything__get-env" that you may use.',
    isError: true,
  });
  const mine = await connect('/sse/everything', alice);
  await eventually('the list', async () => (await names(mine)).length > 5);
  expect(await names(mine)).toEqual(expect.arrayContaining(['echo', 'get-env']));
  expect(textOf(await mine.callTool({ name: 'echo', arguments: { message: 'hello' } })).text).toContain(
    'hello',
  );
  expect(await connect('/g/Few/sse/everything', bob).then(names)).toEqual(['echo', 'get-sum']);
});

test('a server asks its client, reports progress, and tells of resources', async () => {
  const client = await connect('/sse/everything', alice, { sampling: {} });
  client.setRequestHandler(CreateMessageRequestSchema, () => ({
    ...{ role: 'assistant', model: 'none', content: { type: 'text', text: 'sampled here' } },
  }));
  await eventually('the list', async () => (await names(client)).includes('trigger-sampling-request'));
  const sampled = await client.callTool({
    name: 'trigger-sampling-request',
    arguments: { prompt: 'x', maxTokens: 5 },
  });
  expect(textOf(sampled).text).toContain('sampled here');

  const onprogress = vi.fn();
  const long = { name: 'trigger-long-running-operation', arguments: { duration: 1, steps: 2 } };
  await client.callTool(long, undefined, { onprogress });
  // The client forgets the last report when it reads the result in the same moment.
  expect(onprogress).toHaveBeenCalled();

  const updated = vi.fn();
  client.setNotificationHandler(ResourceUpdatedNotificationSchema, updated);
  await client.subscribeResource({ uri: 'demo://resource/dynamic/text/1' });
  await client.callTool({ name: 'toggle-subscriber-updates', arguments: {} });
  await eventually('an update', () => updated.mock.calls.length > 0, 30);
});

test('a token that is taken back ends the stream within five seconds', async () => {
  const { body } = await gate.admin('POST', '/tokens', { user: 'bob@acme.com', name: 'short' });
  const client = await connect('/sse', body.token);
  await names(client);
  const lost = vi.fn();
  client.onerror = lost;
  expect((await gate.admin('DELETE', `/tokens/${body.id}`)).status).toBeLessThan(300);
  await eventually('the end of the stream', () => lost.mock.calls.length > 0, 5);
  await expect(client.listTools()).rejects.toThrow();
});
