// What opens the circuit of a server, what closes it, and what the checks in the background do about both.
import { afterEach, describe, expect, test } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { type Mood, type MoodyServer, startMoodyServer } from '../../../test/moody-server.ts';
import { poolWorld } from '../../../test/pool-world.ts';
import { failureOf } from '../../../test/upstream-world.ts';
import type { RpcResponse } from '../rpc/message.ts';
import type { PoolOptions, UpstreamPool } from './pool.ts';
import { makeTarget, type Target } from './target.ts';

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

async function world(definition: object = {}, options: Partial<PoolOptions> = {}) {
  const server = await startMoodyServer();
  closing.push(server);
  const { pool, pass } = poolWorld(options);
  closing.push(pool);
  const entry = { type: 'http', url: server.url, timeoutMs: 5_000, ...definition };
  const it = pictureOf({ servers: { it: entry } }).servers.get('it')!;
  const target = makeTarget(it, { principal: 'x', tenant: null, session: null }, undefined, new Map());
  const call = callTo(pool, target);
  const circuit = () => pool.states().known[0]!.standing.circuit;
  const standing = () => pool.states().known[0]!.standing;
  return { server, pool, target, call, circuit, standing, pass };
}

function callTo(pool: UpstreamPool, target: Target) {
  return async (
    o: { timeoutMs?: number; controller?: AbortController; capabilities?: string } = {},
  ): Promise<RpcResponse> => {
    const { timeoutMs = 5_000, controller = new AbortController(), capabilities = '{}' } = o;
    const { response } = await pool.use(target, { prefer: 'legacy', capabilities }, ({ upstream }) =>
      upstream.request({ method: 'tools/call', rawParams: '{"name":"work"}', controller, timeoutMs }),
    );
    return response;
  };
}

function calls({ seen }: MoodyServer): number {
  return seen.filter((method) => method === 'tools/call').length;
}

const unavailable: Mood = { status: 503 };

describe('calls that a server fails', () => {
  test.each<[string, Mood, string]>([
    ['HTTP 502', { status: 502 }, 'http_status'],
    ['HTTP 503', unavailable, 'http_status'],
    ['HTTP 429', { status: 429 }, 'http_status'],
  ])(
    'with %s five times in a row open its circuit: the sixth is refused, and nothing is sent',
    async (_what, mood, kind) => {
      const { server, call, circuit, standing } = await world();
      await call();
      server.moods.set('tools/call', mood);
      for (let n = 0; n < 5; n++) expect(await failureOf(call())).toBe(kind);
      const before = calls(server);
      expect(await failureOf(call())).toBe('paused');
      expect([calls(server), circuit().state, standing().calls, standing().failures]).toEqual([
        before,
        'open',
        6,
        5,
      ]);
    },
  );

  test('are counted in a row only', async () => {
    const { server, call, circuit } = await world();
    for (let round = 0; round < 3; round++) {
      server.moods.set('tools/call', unavailable);
      for (let n = 0; n < 4; n++) await failureOf(call());
      server.moods.clear();
      await call();
    }
    expect(circuit().state).toBe('closed');
  });

  test('are tried again by one of many callers, and by all when that went well', async () => {
    const { server, call, circuit, pass } = await world();
    await call();
    server.moods.set('tools/call', unavailable);
    for (let n = 0; n < 5; n++) await failureOf(call());
    pass(500);
    server.moods.set('tools/call', 'hangs');
    const before = calls(server);
    const probe = call();
    await expect.poll(() => calls(server)).toBe(before + 1);
    const others = await Promise.all(Array.from({ length: 10 }, () => failureOf(call())));
    expect([new Set(others), calls(server)]).toEqual([new Set(['paused']), before + 1]);
    server.moods.clear();
    server.letGo();
    await probe;
    expect(circuit().state).toBe('closed');
    await Promise.all(Array.from({ length: 10 }, () => call()));
  });

  test('once more leave it alone for longer', async () => {
    const { server, call, circuit, pass } = await world();
    await call();
    server.moods.set('tools/call', unavailable);
    for (let n = 0; n < 5; n++) await failureOf(call());
    pass(500);
    expect(await failureOf(call())).toBe('http_status');
    pass(999);
    expect(await failureOf(call())).toBe('paused');
    pass(1);
    expect(circuit().state).toBe('half-open');
  });

  test('with a time to come back are not asked before it', async () => {
    const { server, call, pass } = await world();
    await call();
    server.moods.set('tools/call', { status: 503, headers: { 'retry-after': '120' } });
    for (let n = 0; n < 5; n++) await failureOf(call());
    pass(119_999);
    expect(await failureOf(call())).toBe('paused');
    pass(1);
    server.moods.clear();
    await call();
  });
});

describe('the circuit stays closed', () => {
  test.each<[string, Partial<MoodyServer>, Mood]>([
    ['tool errors', { result: { result: { content: [], isError: true } } }, 'well'],
    ['JSON-RPC errors', { result: { error: { code: -32603, message: 'no' } } }, 'well'],
    ['HTTP 404', {}, { status: 404 }],
    ['HTTP 401', {}, { status: 401 }],
    ['redirects', {}, { status: 302, headers: { location: 'http://169.254.169.254/' } }],
  ])('after many %s', async (_what, change, mood) => {
    const { server, call, circuit } = await world();
    await call();
    Object.assign(server, change);
    server.moods.set('tools/call', mood);
    for (let n = 0; n < 12; n++) await call().catch(() => undefined);
    expect(circuit().state).toBe('closed');
  });

  test('after callers who gave up', async () => {
    const { server, call, circuit } = await world();
    await call();
    server.moods.set('tools/call', 'hangs');
    for (let n = 0; n < 8; n++) {
      const controller = new AbortController();
      const before = calls(server);
      const given = call({ controller });
      await expect.poll(() => calls(server)).toBe(before + 1);
      controller.abort(new Error('enough'));
      await expect(given).rejects.toThrow('enough');
    }
    expect(circuit().state).toBe('closed');
  });

  test.each<[string, Mood, string]>([
    ['is slow', 'hangs', 'timeout'],
    ['brings HTTP 500 about', { status: 500 }, 'http_status'],
    ['breaks its connection', 'breaks', 'closed'],
  ])('after calls to a tool that %s, where the server answers otherwise', async (_what, mood, kind) => {
    const { server, call, circuit } = await world();
    await call();
    server.moods.set('tools/call', mood);
    for (let n = 0; n < 12; n++) expect(await failureOf(call({ timeoutMs: 50 }))).toBe(kind);
    await expect.poll(() => server.seen).toContain('ping');
    expect(circuit().state).toBe('closed');
  });
});

test.each<[string, Mood]>([
  ['is silent', 'hangs'],
  ['fails', { status: 500 }],
  ['breaks every connection', 'breaks'],
])('a server that %s altogether is left alone after five calls', async (_what, mood) => {
  const { server, call, circuit } = await world({}, { signOfLifeMs: 100 });
  await call();
  server.mood = mood;
  for (let n = 0; n < 5; n++) await failureOf(call({ timeoutMs: 20 }));
  await expect.poll(() => circuit().state).toBe('open');
  expect(await failureOf(call())).toBe('paused');
});

describe('what one client brings about is not the others’ trouble', () => {
  test.each([400, 500, 503])('capabilities that a server answers with HTTP %i', async (status) => {
    const { server, call, circuit } = await world();
    await call();
    server.moods.set('initialize', { status });
    for (let n = 0; n < 8; n++) await failureOf(call({ capabilities: '{"roots":{}}' }));
    expect(circuit().state).toBe('closed');
    await call();
    server.moods.clear();
    expect(await failureOf(call({ capabilities: '{"roots":{}}' }))).toBe('paused');
    await call({ capabilities: '{"sampling":{}}' });
  });

  test('but a server that is away is away for all, without an attempt for each', async () => {
    const { server, call } = await world();
    await call();
    await server.close();
    expect(await failureOf(call({ capabilities: '{"roots":{}}' }))).toBe('unreachable');
    for (const name of ['sampling', 'elicitation'])
      expect(await failureOf(call({ capabilities: `{"${name}":{}}` }))).toBe('paused');
    expect(await failureOf(call())).toBe('paused');
  });
});

describe('the check in the background', () => {
  test('asks what nobody uses, once in a while, and is no use of it', async () => {
    const { server, pool, call, pass, standing } = await world();
    await call();
    await pool.look();
    expect(server.seen).not.toContain('ping');
    for (let n = 0; n < 4; n++) {
      pass(40_000);
      await pool.look();
    }
    const pings = server.seen.filter((method) => method === 'ping').length;
    expect(pings).toBeGreaterThanOrEqual(3);
    expect(standing().lastCheckAt).toBeGreaterThan(standing().lastUsedAt);
    expect(pool.size).toBe(1);
    pass(300_000 - 160_000 + 1);
    await pool.look();
    expect(pool.size).toBe(0);
  });

  test('finds a server that is away, so that the first caller does not wait; and finds it again', async () => {
    const { server, pool, call, pass, circuit } = await world();
    await call();
    await pool.look();
    server.mood = 'breaks';
    pass(40_000);
    await pool.look();
    expect(circuit().state).toBe('open');
    const before = server.seen.length;
    expect(await failureOf(call())).toBe('paused');
    expect(server.seen).toHaveLength(before);
    server.mood = 'well';
    pass(60_000);
    await pool.look();
    expect(circuit().state).toBe('closed');
    await call();
  });

  test('is not needed by a connection in use', async () => {
    const { server, pool, call, pass } = await world();
    await call();
    await pool.look();
    server.moods.set('tools/call', 'hangs');
    const slow = call();
    await expect.poll(() => calls(server)).toBe(2);
    pass(40_000);
    await pool.look();
    expect(server.seen).not.toContain('ping');
    server.letGo();
    await slow;
  });

  test('takes any answer for a sign of life', async () => {
    const { server, pool, call, pass, circuit } = await world();
    await call();
    await pool.look();
    server.moods.set('ping', { status: 404 });
    pass(40_000);
    await pool.look();
    expect(circuit().state).toBe('closed');
  });
});

test('a server that answers no pings is believed by its lists, and asked for them from then on', async () => {
  const { server, pool, call, pass, circuit } = await world({}, { signOfLifeMs: 2_000 });
  const asked = () => server.seen.filter((method) => !method.startsWith('notifications/')).slice(-2);
  await call();
  await pool.look();
  server.moods.set('ping', 'hangs');
  pass(40_000);
  await pool.look();
  expect([circuit().state, asked()]).toEqual(['closed', ['ping', 'tools/list']]);
  pass(40_000);
  await pool.look();
  pass(40_000);
  await pool.look();
  expect(asked()).toEqual(['tools/list', 'tools/list']);
});
