import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest';
import { type HostileHttp, type HttpKind, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { listenOnLoopback } from '../../../test/fakes/loopback.ts';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import { failureOf } from '../../../test/upstream-world.ts';
import { createLog } from '../../platform/log.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import type { FoundCredential } from '../../secrets/index.ts';
import type { Era } from '../rpc/protocol.ts';
import { type PoolOptions, UpstreamPool } from './pool.ts';
import { makeTarget, type Target } from './target.ts';

let http: HostileHttp;
const pools: UpstreamPool[] = [];
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

const idleMs = 300_000;

function world(options: Partial<PoolOptions> = {}) {
  let now = 1_000_000;
  const news: string[] = [];
  const pool = new UpstreamPool({
    log: createLog('silent'),
    clock: () => now,
    netGuard: createNetGuard({ allow: [] }),
    projectDir: process.cwd(),
    ...{ mayRun: () => true, runner: undefined, ownDirectories: process.cwd() },
    around: { env: {}, directory: process.cwd() },
    limits: () => ({ connections: 100, processes: 10, idleMs }),
    onUnsolicited: (_target, key) => void news.push(key),
    onGap: () => undefined,
    ...options,
  });
  pools.push(pool);
  return {
    pool,
    news,
    pass: (ms: number) => {
      now += ms;
    },
  };
}

interface How {
  readonly id?: string;
  readonly key?: FoundCredential;
  readonly definition?: Record<string, unknown>;
  readonly session?: string;
}

function targetAt(url: string, { id = 'it', key, definition = {}, session = 's' }: How = {}): Target {
  const entry = { type: 'http', url, timeoutMs: 2_000, ...definition };
  const server = pictureOf({ servers: { [id]: entry } }).servers.get(id)!;
  const credentials = new Map(key ? [['default', key]] : []);
  return makeTarget(server, { principal: 'x', tenant: null, session }, undefined, credentials);
}

const at = (kind: HttpKind, how?: How) => targetAt(http.url(kind), how);

describe('a connection', () => {
  test('is made once for all who may share it', async () => {
    const { pool } = world();
    const before = http.stats('counts-sessions').openSessions;
    const all = await Promise.all(
      Array.from({ length: 5 }, () => pool.connect(at('counts-sessions'), 'legacy', '{}')),
    );
    expect(new Set(all.map(({ upstream }) => upstream)).size).toBe(1);
    expect(http.stats('counts-sessions').openSessions).toBe(before + 1);
  });

  test('is never shared across two credentials, nor two kinds of client', async () => {
    const { pool } = world();
    const key = { definition: { headers: { 'x-key': '${credential}' } } };
    const one = await pool.connect(at('ok', { ...key, key: credential('a', 'tenant') }), 'legacy', '{}');
    const two = await pool.connect(at('ok', { ...key, key: credential('b', 'tenant') }), 'legacy', '{}');
    expect(http.stats('ok').lastHeaders['x-key']).toBe('secret of b');
    const three = await pool.connect(
      at('ok', { ...key, key: credential('b', 'tenant') }),
      'legacy',
      '{"roots":{}}',
    );
    expect(new Set([one, two, three].map(({ upstream }) => upstream)).size).toBe(3);
  });

  test('to an address that no operator wrote is checked', async () => {
    const { pool } = world();
    const target = at('ok');
    const connecting = pool.connect({ ...target, trusted: false }, 'legacy', '{}');
    expect(await failureOf(connecting)).toBe('unreachable');
  });
});

describe('eras', () => {
  test.each<[HttpKind, Era, Era]>([
    ['ok', 'legacy', 'legacy'],
    ['ok', 'modern', 'legacy'],
    ['modern', 'modern', 'modern'],
    ['modern', 'legacy', 'modern'],
  ])('the server %s, asked in the %s era, is spoken to in the %s one', async (kind, prefer, era) => {
    const { pool } = world();
    const { hello } = await pool.connect(at(kind), prefer, '{}');
    expect(hello.era).toBe(era);
    const before = http.stats(kind).requests;
    await pool.connect(at(kind), prefer, '{}');
    expect(http.stats(kind).requests).toBe(before);
    expect(pool.size).toBe(1);
  });

  test('what is known of a server’s era names the connection', async () => {
    const { pool } = world();
    expect(pool.keyFor(at('ok'), 'modern', '{}')).toMatch(/^modern/);
    await pool.connect(at('ok'), 'modern', '{}');
    expect(pool.keyFor(at('ok'), 'modern', '{}')).toBe(pool.keyFor(at('ok'), 'legacy', '{}'));
  });

  test.each<[HttpKind, string]>([
    ['http-500', 'http_status'],
    ['redirect', 'http_status'],
  ])('%s says nothing of eras for good', async (kind, failure) => {
    const { pool } = world();
    expect(await failureOf(pool.connect(at(kind), 'modern', '{}'))).toBe(failure);
    expect(pool.eraFor(at(kind), 'modern')).toBe('modern');
  });

  test('SSE and stdio begin with the legacy one', () => {
    const { pool } = world();
    expect(pool.eraFor(at('ok', { definition: { type: 'sse' } }), 'modern')).toBe('legacy');
  });
});

describe('room', () => {
  test('is made by the connection that was idle longest', async () => {
    const { pool, pass } = world();
    const targets = ['a', 'b', 'c'].map((id) =>
      at('ok', { key: credential(id, 'tenant'), definition: { maxConnections: 2 } }),
    );
    for (const target of targets.slice(0, 2)) {
      pass(1);
      await pool.connect(target, 'legacy', '{}');
    }
    const keys = targets.map((target) => pool.keyFor(target, 'legacy', '{}'));
    const { upstream } = await pool.connect(targets[0]!, 'legacy', '{}');
    pass(1);
    await upstream.request({
      method: 'ping',
      rawParams: undefined,
      controller: new AbortController(),
      timeoutMs: 1_000,
    });
    await pool.connect(targets[2]!, 'legacy', '{}');
    expect(keys.map((key) => pool.isConnected(key))).toEqual([true, false, true]);
  });

  test('is not made by a connection in use, nor by one that is just starting', async () => {
    const { pool } = world({ limits: () => ({ connections: 1, processes: 1, idleMs }) });
    const { upstream } = await pool.connect(at('ok'), 'legacy', '{}');
    const controller = new AbortController();
    const rawParams = '{"name":"slow","arguments":{"ms":60000}}';
    const busy = upstream.request({ method: 'tools/call', rawParams, controller, timeoutMs: 60_000 });
    expect(await failureOf(pool.connect(at('ok', { id: 'other' }), 'legacy', '{}'))).toBe('busy');
    controller.abort(new Error('enough'));
    await expect(busy).rejects.toThrow('enough');
    const starting = pool.connect(at('late', { id: 'other' }), 'legacy', '{}');
    expect(await failureOf(pool.connect(at('ok'), 'legacy', '{}'))).toBe('busy');
    expect((await starting).hello.era).toBe('legacy');
  });

  test('one server’s crowd costs the others nothing', async () => {
    const { pool } = world();
    const few = { definition: { maxConnections: 1 } };
    const other = await pool.connect(at('ok', { id: 'other' }), 'legacy', '{}');
    for (const id of ['a', 'b', 'c'])
      await pool.connect(at('ok', { key: credential(id, 'tenant'), ...few }), 'legacy', '{}');
    expect([pool.size, pool.isConnected(other.key)]).toEqual([2, true]);
  });
});

describe('ends', () => {
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  });
  afterEach(() => {
    vi.useRealTimers();
  });

  test('idle connections are ended, those that somebody follows resources through are not', async () => {
    const { pool, pass } = world();
    const before = http.stats('counts-sessions').deletedSessions;
    await pool.connect(at('counts-sessions'), 'legacy', '{}');
    const kept = await pool.connect(at('counts-sessions', { id: 'held' }), 'legacy', '{}');
    await kept.upstream.interests.follow({ kind: 'resources', id: 'file:///a' });
    vi.advanceTimersByTime(30_000);
    expect(pool.size).toBe(2);
    pass(idleMs + 1);
    vi.advanceTimersByTime(30_000);
    expect([pool.size, pool.isConnected(kept.key)]).toEqual([1, true]);
    await expect.poll(() => http.stats('counts-sessions').deletedSessions).toBe(before + 1);
  });

  test('servers that are gone, disabled or defined otherwise are left', async () => {
    const { pool } = world();
    const entry = { type: 'http', url: http.url('ok'), timeoutMs: 2_000 };
    for (const id of ['same', 'gone', 'off', 'other']) await pool.connect(at('ok', { id }), 'legacy', '{}');
    pool.apply(
      pictureOf({
        servers: { same: entry, off: { ...entry, enabled: false }, other: { ...entry, timeoutMs: 3_000 } },
      }),
    );
    expect(pool.size).toBe(1);
    expect(pool.isConnected(pool.keyFor(at('ok', { id: 'same' }), 'legacy', '{}'))).toBe(true);
  });

  test('a session takes its own connections along', async () => {
    const { pool } = world();
    const isolated = { definition: { isolation: 'session' } };
    const mine = await pool.connect(at('ok', { ...isolated, session: 'mine' }), 'legacy', '{}');
    const other = await pool.connect(at('ok', { ...isolated, session: 'other' }), 'legacy', '{}');
    pool.endSession('mine');
    expect([pool.isConnected(mine.key), pool.isConnected(other.key)]).toEqual([false, true]);
  });

  test('a closed pool starts nothing more, whatever was on its way', async () => {
    // Answers nothing until the pool is closed, which looks like the silence of another era.
    const asked: string[] = [];
    const loopback = await listenOnLoopback((request) => {
      request.on('data', (chunk: Buffer) =>
        asked.push((JSON.parse(String(chunk)) as { method: string }).method),
      );
    });
    const { pool } = world();
    const connecting = failureOf(pool.connect(targetAt(loopback.origin), 'modern', '{}'));
    await expect.poll(() => asked).toEqual(['server/discover']);
    await pool.close();
    expect(await connecting).toBe('closed');
    expect([pool.size, asked]).toEqual([0, ['server/discover']]);
    await loopback.close();
  });
});
