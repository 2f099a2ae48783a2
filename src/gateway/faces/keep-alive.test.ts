// Streams on which nothing happens: a comment now and then, so that no proxy on the way takes them for dead.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { as, gatewayWorld } from '../../../test/gateway-world.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

type World = Awaited<ReturnType<typeof gatewayWorld>>;

const stream = { accept: 'text/event-stream' };

async function world(): Promise<World> {
  const picture = {
    servers: { asks: { type: 'http', url: http.url('asks'), timeoutMs: 60_000 } },
    groups: { all: { servers: ['asks'] } },
    users: { 'alice@acme.com': { groups: ['all'] } },
  };
  return gatewayWorld(picture, { keepAliveMs: 20 });
}

async function session({ post }: World): Promise<Record<string, string>> {
  const capabilities = { elicitation: {} };
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 't', version: '1' } };
  const response = await post('/mcp/asks', { id: 0, method: 'initialize', params });
  await response.text();
  return { ...as('alice@acme.com'), 'mcp-session-id': response.headers.get('mcp-session-id')! };
}

const streams: Readonly<Record<string, (one: World) => Promise<Response>>> = {
  // The server has asked something, and waits for the answer.
  'of a call': async (one) => {
    const params = { name: 'ask_elicit', arguments: {} };
    return one.post('/mcp/asks', { id: 1, method: 'tools/call', params }, await session(one));
  },
  'of subscriptions/listen': (one) => {
    const prefix = 'io.modelcontextprotocol/';
    const _meta = { [`${prefix}protocolVersion`]: '2026-07-28', [`${prefix}clientCapabilities`]: {} };
    const params = { notifications: { toolsListChanged: true }, _meta };
    const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'subscriptions/listen' };
    return one.post('/mcp', { id: 1, method: 'subscriptions/listen', params }, headers);
  },
  'of a session': async (one) =>
    fetch(`${one.url}/mcp/asks`, { headers: { ...(await session(one)), ...stream } }),
  'of the older transport': (one) =>
    fetch(`${one.url}/sse`, { headers: { ...as('alice@acme.com'), ...stream } }),
};

test.each(Object.entries(streams))(
  'a stream %s gets comments while nothing is said',
  async (_which, open) => {
    const response = await open(await world());
    expect(response.headers.get('content-type')).toContain('text/event-stream');
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = '';
    // More than one: the first is no accident of opening.
    while (text.split(': keep-alive\n\n').length < 3) {
      const { value, done } = await reader.read();
      expect(done, text).toBe(false);
      text += value;
    }
    await reader.cancel();
  },
);
