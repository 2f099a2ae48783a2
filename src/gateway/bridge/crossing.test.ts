// What changes on the way between the eras, through the whole data plane.
import { describe, expect, test } from 'vitest';
import {
  askModern,
  type Json,
  legacy,
  messagesOf,
  modern,
  picture,
  postModern,
  textIn,
  type World,
} from '../../../test/asking-world.ts';
import { gatewayWorld } from '../../../test/gateway-world.ts';

describe('a legacy client and a modern server that asks', () => {
  async function open(world: World, capabilities: object, path = '/mcp/modern') {
    const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 't', version: '1' } };
    const response = await world.post(path, { id: 0, method: 'initialize', params });
    return { 'mcp-session-id': response.headers.get('mcp-session-id')! };
  }

  test('a client that cannot be asked hears what is missing', async () => {
    const world = await gatewayWorld(picture());
    for (const [capabilities, tool, missing] of [
      [{}, 'ask_form', 'elicitation'],
      [{ elicitation: {} }, 'ask_page', 'elicitation'],
      [{ elicitation: {} }, 'ask_model', 'sampling'],
      [{ elicitation: {} }, 'ask_roots', 'roots'],
    ] as const) {
      const session = await open(world, capabilities);
      const { result } = await world.ask('/mcp/modern', 'tools/call', { name: tool }, session);
      expect(result!['isError'], tool).toBe(true);
      expect(JSON.stringify(result)).toContain(missing);
    }
  });

  test('a client without a session is told the same', async () => {
    const world = await gatewayWorld(picture());
    const { result } = await world.ask('/mcp/modern', 'tools/call', { name: 'ask_form' });
    expect([result!['isError'], JSON.stringify(result)]).toEqual([
      true,
      expect.stringContaining('elicitation'),
    ]);
  });

  test('results that are no objects are wrapped, in the list as in the call', async () => {
    const world = await gatewayWorld(picture());
    const { result: list } = await world.ask('/mcp/modern', 'tools/list');
    const tool = (list!['tools'] as Json[]).find(({ name }) => name === 'a_list');
    expect(tool.outputSchema).toEqual({
      type: 'object',
      properties: { result: { type: 'array', items: { type: 'number' } } },
      required: ['result'],
    });
    const { result } = await world.ask('/mcp/modern', 'tools/call', { name: 'a_list' });
    expect(result).toEqual({
      content: [{ type: 'text', text: '[1,2]' }],
      structuredContent: { result: [1, 2] },
    });
    const own = await askModern(world, { name: 'a_list' }, { path: '/mcp/modern' });
    expect(own.result.structuredContent).toEqual([1, 2]);
  });

  test('arguments that a tool wants mirrored in headers are', async () => {
    const world = await gatewayWorld(picture());
    const args = { name: 'plain', arguments: { region: 'eu ü' } };
    expect((await world.ask('/mcp/modern', 'tools/call', args)).result).toHaveProperty('content');
    expect(modern.lastHeaders()['mcp-param-region']).toBe('=?base64?ZXUgw7w=?=');
  });
});

describe('headers', () => {
  test('a modern call whose Mcp-Param header contradicts its body is refused, even if the server is legacy', async () => {
    const world = await gatewayWorld(picture());
    const call = (headers: Record<string, string>, path = '/mcp/legacy') =>
      postModern(world, { name: 'plain', arguments: { region: 'eu' } }, { path, headers });
    const wrong = await call({ 'mcp-param-region': 'us' });
    expect([wrong.status, (await messagesOf(wrong))[0].error.code]).toEqual([400, -32020]);
    expect((await call({ 'mcp-param-region': 'eu' })).status).toBe(200);
    expect((await call({})).status).toBe(400);
    // A modern server checks for itself.
    await call({ 'mcp-param-region': 'eu' }, '/mcp/modern');
    expect(modern.lastHeaders()['mcp-param-region']).toBe('eu');
  });

  test('a call through call_tool has none, so the gate makes them and misses none', async () => {
    const world = await gatewayWorld(picture());
    for (const [server, seen] of [
      ['legacy', undefined],
      ['modern', 'eu'],
    ] as const) {
      const path = `/mcp/${server}?mode=meta`;
      // The gate has to have seen the tools.
      await world.ask(path, 'tools/list');
      const params = { name: 'call_tool', arguments: { name: 'plain', arguments: { region: 'eu' } } };
      await expect.poll(async () => textIn(await askModern(world, params, { path }))).toBe('plain');
      const from = { legacy, modern }[server];
      await expect
        .poll(async () => {
          await askModern(world, params, { path });
          return from.lastHeaders()['mcp-param-region'];
        })
        .toBe(seen);
    }
  });

  test('the trace of the client’s request goes on to the server', async () => {
    const world = await gatewayWorld(picture());
    const trace = {
      traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
      tracestate: 'a=b',
    };
    const o = { headers: trace, path: '/mcp/modern' };
    await askModern(world, { name: 'plain' }, o);
    expect(modern.lastHeaders()).toMatchObject(trace);
    await askModern(world, { name: 'plain' }, { ...o, path: '/mcp/legacy' });
    expect(legacy.lastHeaders()).toMatchObject(trace);
  });
});
