import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import { envelope } from '../../../test/tool-flood/meta-world.ts';
import { type ExactUpstream, startExactUpstream } from '../../../test/tool-flood/exact-upstream.ts';

const eras = ['legacy', 'modern'] as const;
/** They know of tools and nothing else, and answer -32601. */
let upstreams: Readonly<Record<(typeof eras)[number], ExactUpstream>>;
beforeAll(async () => {
  upstreams = {
    legacy: await startExactUpstream('legacy', []),
    modern: await startExactUpstream('modern', []),
  };
});
afterAll(() => Promise.all(Object.values(upstreams).map((one) => one.close())));

async function statusOf(server: string, method: string, name: string): Promise<number[]> {
  const picture = {
    servers: Object.fromEntries(eras.map((era) => [era, { type: 'http', url: upstreams[era].url }])),
    groups: { all: { servers: [...eras] } },
    users: { 'alice@acme.com': { groups: ['all'] } },
  };
  const world = await gatewayWorld(picture);
  const headers = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': method, 'mcp-name': name };
  const params = { name, uri: name, _meta: envelope };
  const response = await world.post(`/mcp/${server}`, { id: 1, method, params }, headers);
  const { error } = (await response.json()) as { error?: { code: number } };
  return [response.status, error?.code ?? 0];
}

describe.each(eras)('a modern caller of a %s server', (server) => {
  test.each(['prompts/get', 'resources/read'])(
    'reads an error about %s in band, whatever its code',
    async (method) => expect(await statusOf(server, method, 'x')).toEqual([200, -32601]),
  );

  test('gets 404 for a method that nobody knows', async () =>
    expect(await statusOf(server, 'x/y', 'x')).toEqual([404, -32601]));
});
