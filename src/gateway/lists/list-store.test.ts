import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { createLog } from '../../platform/log.ts';
import { UpstreamError } from '../connectors/contract.ts';
import type { RpcResponse } from '../rpc/message.ts';
import { parseMessage } from '../rpc/message.ts';
import type { Hello } from '../upstreams/handshake.ts';
import type { Outgoing } from '../upstreams/outgoing.ts';
import type { Connection } from '../upstreams/pool.ts';
import { makeTarget, type Target } from '../upstreams/target.ts';
import type { ListKind } from './kinds.ts';
import { type ListSource, ListStore } from './list-store.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  vi.useRealTimers();
});

const stores: ListStore[] = [];
const down = new UpstreamError('unreachable', 'The server cannot be reached.');

/** A server whose lists are what the test says they are. */
class FakeServer implements ListSource {
  hurry(): void {
    // It never pauses.
  }

  readonly target: Target;
  tools = ['a'];
  ttlMs: number | undefined;
  listChanged = false;
  connected = true;
  /** Methods that fail. */
  broken = new Set<string>();
  /** Never answers. */
  isSilent = false;
  looks = 0;

  constructor(type: 'http' | 'stdio' = 'http') {
    const definition = type === 'http' ? { type, url: 'http://127.0.0.1/' } : { command: 'none' };
    const server = pictureOf({ servers: { fake: definition } }).servers.get('fake')!;
    this.target = makeTarget(server, { principal: 'x', tenant: null, session: null }, undefined, new Map());
  }

  keyFor = () => 'key';
  isConnected = () => this.connected;

  async connect(): Promise<Connection> {
    this.looks++;
    if (this.isSilent) await new Promise(() => undefined);
    if (this.broken.has('connect')) throw down;
    this.connected = true;
    const capabilities = { tools: { listChanged: this.listChanged }, prompts: {} };
    const hello: Hello = {
      era: 'legacy',
      protocolVersion: '2025-11-25',
      capabilities,
      serverInfo: {},
      instructions: undefined,
    };
    const request = ({ method }: Outgoing): Promise<RpcResponse> => {
      if (this.broken.has(method)) return Promise.reject(down);
      const tools = this.tools.map((name) => ({ name }));
      const result = method === 'tools/list' ? { tools, ttlMs: this.ttlMs } : { prompts: [{ name: 'p' }] };
      const parsed = parseMessage(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
      if (!parsed.ok || parsed.message.kind !== 'response') throw new Error('no response');
      return Promise.resolve(parsed.message);
    };
    // What fetchList() uses of an upstream, and nothing more.
    const upstream = { options: { era: 'legacy', name: 'fake', clock: Date.now }, request };
    return { key: 'key', upstream: upstream as unknown as Connection['upstream'], hello };
  }
}

function world(server = new FakeServer()) {
  const store = new ListStore(server, createLog('silent'), Date.now);
  stores.push(store);
  const told: ListKind[][] = [];
  store.onChange((_target, kinds) => told.push([...kinds]));
  const peek = () => store.peek(server.target, 'legacy', '{}');
  const names = (kind: ListKind = 'tools') =>
    peek()
      .lists.get(kind)
      ?.map(({ key }) => key);
  const settle = () => store.settle([peek()], 3_000);
  return { server, store, told, peek, names, settle, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}

describe('the first look', () => {
  test('is waited for, and begun once for all who ask', async () => {
    const { settle, names, server } = world();
    await Promise.all([settle(), settle(), settle()]);
    expect(names()).toEqual(['a']);
    expect(server.looks).toBe(1);
  });

  test('is not waited for longer than the deadline, which is the same for all', async () => {
    const { settle, names, server, pass } = world();
    server.isSilent = true;
    let done = 0;
    const first = settle().then(() => done++);
    await pass(2_000);
    const second = settle().then(() => done++);
    await pass(999);
    expect(done).toBe(0);
    await pass(1);
    await Promise.all([first, second]);
    expect(names()).toBeUndefined();
    await settle();
  });

  test('that fails is not waited for again', async () => {
    const { settle, peek, server } = world();
    server.broken.add('connect');
    await settle();
    expect(peek().failure).toBe(down);
    server.isSilent = true;
    await settle();
  });

  test('finds a list even where another one is broken, and says that something is', async () => {
    const { settle, names, peek, server, pass } = world();
    server.broken.add('prompts/list');
    await settle();
    expect(names()).toEqual(['a']);
    expect(peek().failure).toBe(down);
    server.broken.clear();
    await pass(5_000);
    peek();
    await pass(0);
    expect([peek().failure, names('prompts')]).toEqual([undefined, ['p']]);
  });
});

describe('a known list', () => {
  test('is served while it is old and a look is under way', async () => {
    const { settle, names, server, pass } = world();
    await settle();
    server.tools = ['a', 'b'];
    await pass(60_000);
    expect(names()).toEqual(['a']);
    await pass(0);
    expect(names()).toEqual(['a', 'b']);
    expect(server.looks).toBe(2);
  });

  test('is good for a minute, ten where changes are announced, or as long as the server says', async () => {
    for (const [prepare, ms] of [
      [() => undefined, 60_000],
      [(server: FakeServer) => (server.listChanged = true), 600_000],
      [(server: FakeServer) => (server.ttlMs = 20_000), 20_000],
      [(server: FakeServer) => (server.ttlMs = 0), 1_000],
    ] as const) {
      const { settle, peek, server, pass } = world();
      prepare(server);
      await settle();
      await pass(ms - 1);
      peek();
      expect(server.looks).toBe(1);
      await pass(1);
      peek();
      expect(server.looks).toBe(2);
    }
  });

  test('outlives a failure, which is looked into every five seconds while somebody asks', async () => {
    const { settle, names, peek, server, pass } = world();
    await settle();
    server.broken.add('connect');
    await pass(60_000);
    peek();
    await pass(0);
    const since = peek().failedSince;
    expect([names(), peek().failure]).toEqual([['a'], down]);
    for (let n = 0; n < 5; n++) {
      peek();
      await pass(1_000);
    }
    peek();
    await pass(0);
    expect(server.looks).toBe(3);
    expect(peek().failedSince).toBe(since);
    server.broken.clear();
    await pass(5_000);
    peek();
    await pass(0);
    expect([names(), peek().failure, peek().failedSince]).toEqual([['a'], undefined, undefined]);
  });
});

describe('changes', () => {
  test('that a look finds are told; a list that is as it was is not', async () => {
    const { settle, peek, server, told, pass } = world();
    await settle();
    expect(told.splice(0)).toHaveLength(1);
    await pass(60_000);
    peek();
    await pass(0);
    expect(told).toEqual([]);
    server.tools = ['b'];
    await pass(60_000);
    peek();
    await pass(0);
    expect(told).toEqual([['tools']]);
  });

  test('that a server announces are fetched at once and told, whether they look different or not', async () => {
    const { settle, store, names, server, told, pass } = world();
    await settle();
    [server.tools, told.length] = [['b'], 0];
    store.changed('key', ['tools']);
    await pass(0);
    await pass(1_000);
    store.changed('key', ['tools']);
    await pass(0);
    expect([names(), told]).toEqual([['b'], [['tools'], ['tools']]]);
  });

  test('announced without end are not fetched without end, and the last one is not lost', async () => {
    const { settle, store, names, server, pass } = world();
    await settle();
    server.looks = 0;
    for (let n = 0; n < 200; n++) {
      server.tools = [`tool-${n}`];
      store.changed('key', ['tools']);
      await pass(10);
    }
    expect(server.looks).toBeLessThanOrEqual(3);
    await pass(1_000);
    expect(names()).toEqual(['tool-199']);
  });

  test('that may have changed unheard are fetched, and told of only when they have', async () => {
    const { settle, store, server, told, pass } = world();
    await settle();
    for (const tools of [server.tools, ['b']]) {
      server.tools = tools;
      store.outdated('key');
      await pass(1_000);
    }
    expect(told).toEqual([expect.anything(), ['tools']]);
  });

  test('of a server that nobody knows are nobody’s', () => {
    const { store, server } = world();
    store.changed('other', ['tools']);
    expect(server.looks).toBe(0);
  });
});

describe('a stdio server at rest', () => {
  test('is not started to see whether its list is the same, until an hour has passed', async () => {
    const { settle, peek, names, server, pass } = world(new FakeServer('stdio'));
    await settle();
    server.connected = false;
    for (let minute = 1; minute < 60; minute++) {
      await pass(60_000);
      expect(names()).toEqual(['a']);
    }
    expect(server.looks).toBe(1);
    await pass(120_000);
    peek();
    await pass(0);
    expect(server.looks).toBe(2);
  });

  test('is looked at like any other while it runs', async () => {
    const { settle, peek, server, pass } = world(new FakeServer('stdio'));
    await settle();
    await pass(60_000);
    peek();
    await pass(0);
    expect(server.looks).toBe(2);
  });

  test('is started by whoever wants to know for certain', async () => {
    const { settle, store, server } = world(new FakeServer('stdio'));
    await settle();
    server.connected = false;
    await store.reload(server.target, 'legacy', '{}');
    expect(server.looks).toBe(2);
    server.connected = false;
    server.broken.add('connect');
    await expect(store.reload(server.target, 'legacy', '{}')).rejects.toBe(down);
  });
});

test('a closed store has no timer left', async () => {
  const { settle, store } = world();
  await settle();
  store.changed('key', ['tools']);
  await vi.advanceTimersByTimeAsync(0);
  expect(vi.getTimerCount()).toBe(1);
  store.close();
  expect(vi.getTimerCount()).toBe(0);
});
