import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ExactUpstream, startExactUpstream } from '../../../test/tool-flood/exact-upstream.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';

const long = 'a_tool_whose_own_name_is_much_too_long_for_the_merged_endpoint';
const raw = (name: string) => `{"name":"${name}", "n":1.0,"inputSchema":{"type":"object"}}`;

let shop: ExactUpstream;
beforeAll(async () => {
  shop = await startExactUpstream('legacy', [
    raw('list_orders'),
    raw('drop_order'),
    raw('refund'),
    raw(long),
  ]);
});
afterAll(() => shop.close());

interface Overrides {
  readonly server?: Record<string, object>;
  readonly groups?: Record<string, Record<string, object>>;
}

function picture({ server, groups = {} }: Overrides): Picture {
  const definition = { type: 'http', url: shop.url };
  return {
    servers: { shop: { ...definition, ...(server && { toolOverrides: server }) }, plain: definition },
    groups: {
      all: { servers: ['shop', 'plain'] },
      sellers: { servers: { shop: ['list_*', 'refund'] } },
      ...Object.fromEntries(
        Object.entries(groups).map(([name, overrides]) => [name, { toolOverrides: { shop: overrides } }]),
      ),
    },
    users: {
      'alice@acme.com': { groups: ['all', ...Object.keys(groups)] },
      'sam@acme.com': { groups: ['sellers'] },
    },
  };
}

type World = Awaited<ReturnType<typeof gatewayWorld>>;

/** The name under which the server was called; null: the call was refused. */
async function called(
  world: World,
  path: string,
  name: string,
  who = 'alice@acme.com',
): Promise<string | null> {
  const before = shop.calls.length;
  await world.ask(path, 'tools/call', { name, arguments: {} }, as(who));
  const [body] = shop.calls.slice(before);
  return body === undefined ? null : JSON.parse(body).params.name;
}

const renamed = { list_orders: { name: 'orders', title: 'Orders', description: 'All "open" orders.' } };

describe('a tool with another name', () => {
  test('is listed so on both endpoints, with its new texts and every other byte as it was', async () => {
    const world = await gatewayWorld(picture({ server: renamed }));
    const own = await (await world.post('/mcp/shop', { id: 1, method: 'tools/list' })).text();
    expect(own).toContain(
      '{"name":"orders","n":1.0,"inputSchema":{"type":"object"},"title":"Orders","description":"All \\"open\\" orders."}',
    );
    expect(own).toContain(raw('refund'));
    expect(await world.names('/mcp')).toContain('shop__orders');
    expect(await world.names('/mcp')).not.toContain('shop__list_orders');
  });

  test('is called by the new name and by its own, and recorded by its own', async () => {
    const world = await gatewayWorld(picture({ server: renamed }));
    for (const [path, name] of [
      ['/mcp/shop', 'orders'],
      ['/mcp/shop', 'list_orders'],
      ['/mcp', 'shop__orders'],
      ['/mcp', 'shop__list_orders'],
    ] as const) {
      expect(await called(world, path, name)).toBe('list_orders');
      expect(world.records.at(-1)).toMatchObject({ server: 'shop', tool: 'list_orders', outcome: 'ok' });
    }
    expect(await called(world, '/mcp', 'plain__orders')).toBe('orders');
  });

  test('is found, described and called through the gate’s own tools', async () => {
    const world = await gatewayWorld(picture({ server: renamed }));
    const meta = async (name: string, args: object) =>
      JSON.stringify(await world.ask('/mcp?mode=meta', 'tools/call', { name, arguments: args }));
    expect(await meta('search_tools', { query: 'open orders', limit: 1 })).toContain('shop__orders');
    expect(await meta('describe_tools', { names: ['shop__orders'] })).toContain('Orders');
    for (const name of ['shop__orders', 'shop__list_orders']) {
      const before = shop.calls.length;
      await meta('call_tool', { name, arguments: {} });
      expect(JSON.parse(shop.calls[before]!).params.name).toBe('list_orders');
    }
  });

  test('gets its rights by its own name: a new one gives none and takes none', async () => {
    const world = await gatewayWorld(
      picture({ server: { list_orders: { name: 'zz' }, drop_order: { name: 'list_all' } } }),
    );
    expect(await world.names('/mcp/shop', as('sam@acme.com'))).toEqual(['zz', 'refund']);
    expect(await called(world, '/mcp/shop', 'zz', 'sam@acme.com')).toBe('list_orders');
    for (const name of ['list_all', 'drop_order'])
      expect(await called(world, '/mcp/shop', name, 'sam@acme.com')).not.toBe('drop_order');
  });

  test('may have a name that is too long on the merged endpoint made short', async () => {
    const world = await gatewayWorld(picture({ server: { [long]: { name: 'short' } } }));
    const before = await gatewayWorld(picture({}));
    const hashed = (await before.names('/mcp')).find((name) => name.startsWith('shop__a_tool'))!;
    expect(await world.names('/mcp')).toContain('shop__short');
    for (const name of ['shop__short', hashed]) expect(await called(world, '/mcp', name)).toBe(long);
  });

  test('changes at once when the texts change, with the same connection', async () => {
    const world = await gatewayWorld(picture({}));
    expect(await world.names('/mcp/shop')).toContain('list_orders');
    const { connections } = world.gateway.counts();
    world.change(picture({ server: renamed }));
    expect(await world.names('/mcp/shop')).toContain('orders');
    expect(world.gateway.counts().connections).toBe(connections);
  });
});

describe('a name that another tool has', () => {
  test('stays with the tool that has it, even where that one goes by another name now', async () => {
    const swapped = { list_orders: { name: 'drop_order' }, drop_order: { name: 'list_orders' } };
    const world = await gatewayWorld(picture({ server: swapped }));
    expect((await world.names('/mcp/shop')).slice(0, 2)).toEqual(['list_orders', 'drop_order']);
    expect(await called(world, '/mcp/shop', 'drop_order')).toBe('drop_order');
    const moved = await gatewayWorld(
      picture({ server: { list_orders: { name: 'refund' }, refund: { name: 'payback' } } }),
    );
    expect(await moved.names('/mcp/shop')).toEqual(['list_orders', 'drop_order', 'payback', long]);
    expect(await called(moved, '/mcp/shop', 'refund')).toBe('refund');
  });

  test('goes to the first by its own name when server and group give it to two', async () => {
    const world = await gatewayWorld(
      picture({ server: { refund: { name: 'x' } }, groups: { a: { list_orders: { name: 'x' } } } }),
    );
    expect(await world.names('/mcp/shop')).toEqual(['x', 'drop_order', 'refund', long]);
    expect(await called(world, '/mcp/shop', 'x')).toBe('list_orders');
  });
});

describe('texts of groups', () => {
  test('come before the server’s, text by text, and of two groups the first by name', async () => {
    const world = await gatewayWorld(
      picture({
        server: renamed,
        groups: {
          b: { list_orders: { name: 'from_b', title: 'B' } },
          a: { list_orders: { name: 'from_a' } },
        },
      }),
    );
    const { result } = await world.ask('/mcp/shop', 'tools/list');
    expect((result!['tools'] as object[])[0]).toMatchObject({
      name: 'from_a',
      title: 'B',
      description: 'All "open" orders.',
    });
    expect(await called(world, '/mcp', 'shop__from_a')).toBe('list_orders');
  });

  test('are for its members alone', async () => {
    const world = await gatewayWorld(picture({ groups: { a: { list_orders: { name: 'from_a' } } } }));
    expect(await world.names('/mcp/shop', as('sam@acme.com'))).toEqual(['list_orders', 'refund']);
    expect((await world.names('/mcp/shop'))[0]).toBe('from_a');
    expect(await called(world, '/mcp/shop', 'from_a', 'sam@acme.com')).toBe(null);
  });
});
