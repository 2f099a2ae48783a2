// What the processes of an installation do not tell each other: a call that concerns one of them is nobody else's business.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { open, pictureWith, tool } from '../../../test/installation.ts';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import { randomBytes } from 'node:crypto';
import { memoryTransport } from '../../platform/bus/memory.ts';
import type { OpenTransport } from '../../platform/bus/contract.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

const calls = 200;
const modern = {
  'mcp-protocol-version': '2026-07-28',
  'mcp-method': 'tools/call',
  'mcp-name': 'echo',
};
const _meta = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': { elicitation: {} },
};

test.each(['legacy', 'modern'] as const)('plain calls of a %s client send no message', async (era) => {
  let messages = 0;
  const transport = memoryTransport();
  const counting: OpenTransport = async (node, receive) => {
    const inner = await transport(node, receive);
    return {
      ...inner,
      publish: (to, text) => {
        messages++;
        inner.publish(to, text);
      },
    };
  };
  const shared = { sealingKey: randomBytes(32), transport: counting };
  const picture = pictureWith({ ok: { type: 'http', url: http.url('ok') } });
  const worlds = [await gatewayWorld(picture, shared), await gatewayWorld(picture, shared)] as const;
  const session = await open(worlds[0], '/mcp/ok');
  const headers = era === 'legacy' ? session : modern;
  const message = tool('echo', { text: 'a' });
  const params = era === 'legacy' ? message.params : { ...message.params, _meta };
  // One of each first: what is done once, such as looking at lists, may be told.
  for (const world of worlds) await world.ask('/mcp/ok', 'tools/call', params, headers);
  messages = 0;
  for (let at = 0; at < calls; at += 20) {
    const some = Array.from({ length: 20 }, (_, n) =>
      worlds[n % 2]!.ask('/mcp/ok', 'tools/call', params, headers),
    );
    for (const { result } of await Promise.all(some)) expect(result).not.toHaveProperty('isError', true);
  }
  expect(messages).toBe(0);
});
