import { afterEach, expect, test } from 'vitest';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import { envelope, modern } from '../../../test/tool-flood/meta-world.ts';
import { startExactUpstream } from '../../../test/tool-flood/exact-upstream.ts';

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

/** As the server writes it, and as the merged endpoint shows it. */
const tools: readonly (readonly [string, string])[] = [
  [
    '{"name":"bare","inputSchema":{"properties":{"a":{"const":1.0}, "10":{}}}, "x":[1e2]}',
    '{"name":"it__bare","inputSchema":{"properties":{"a":{"const":1.0}, "10":{}},"type":"object"},"x":[1e2]}',
  ],
  ['{"name":"empty","inputSchema":{}}', '{"name":"it__empty","inputSchema":{"type":"object"}}'],
  ['{"name":"none"}', '{"name":"it__none","inputSchema":{"type":"object"}}'],
  [
    '{"name":"good","inputSchema":{"type":"object", "maximum":12345678901234567890}}',
    '{"name":"it__good","inputSchema":{"type":"object", "maximum":12345678901234567890}}',
  ],
];

test.each(['legacy', 'modern'] as const)(
  'a schema of a %s server gets the type that MCP requires on the merged endpoint, and on no other',
  async (era) => {
    const upstream = await startExactUpstream(
      era,
      tools.map(([own]) => own),
    );
    closing.push(() => upstream.close());
    const world = await gatewayWorld({
      servers: { it: { type: 'http', url: upstream.url } },
      groups: { all: { servers: ['it'] } },
      users: { 'alice@acme.com': { groups: ['all'] } },
    });
    const asked = { id: 1, method: 'tools/list' };
    const sent: readonly (readonly [object, Record<string, string>])[] = [
      [asked, {}],
      [
        { ...asked, params: { _meta: envelope } },
        { ...modern, 'mcp-method': 'tools/list' },
      ],
    ];
    for (const [message, headers] of sent) {
      const merged = await (await world.post('/mcp', message, headers)).text();
      for (const [, shown] of tools) expect(merged).toContain(shown);
      const own = await (await world.post('/mcp/it', message, headers)).text();
      for (const [raw] of tools) expect(own).toContain(raw);
    }
  },
);
