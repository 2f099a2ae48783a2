// Lists of servers that each session or person has alone, over connections that cost nothing. Each test moves its clock.
import { afterEach, beforeEach, vi } from 'vitest';
import type { FoundCredential } from '../src/secrets/index.ts';
import { UpstreamError } from '../src/gateway/connectors/contract.ts';
import type { ListKind } from '../src/gateway/lists/kinds.ts';
import { type ListSource, ListStore } from '../src/gateway/lists/list-store.ts';
import { parseMessage, type RpcResponse } from '../src/gateway/rpc/message.ts';
import type { Era } from '../src/gateway/rpc/protocol.ts';
import { keyOf } from '../src/gateway/upstreams/connection-key.ts';
import type { Hello } from '../src/gateway/upstreams/handshake.ts';
import type { Outgoing } from '../src/gateway/upstreams/outgoing.ts';
import type { Connection } from '../src/gateway/upstreams/pool.ts';
import { makeTarget, type Target } from '../src/gateway/upstreams/target.ts';
import { createLog } from '../src/platform/log.ts';
import { pictureOf } from './gateway-world.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  for (const store of stores.splice(0)) store.close();
  vi.useRealTimers();
});

const stores: ListStore[] = [];
export const { tenants } = pictureOf({ servers: {}, tenants: { acme: {}, globex: {} } });
export const acme = tenants.get('acme')!;

export interface Who {
  readonly principal?: string;
  readonly session?: string | null;
  readonly tenant?: typeof acme | null;
  readonly key?: FoundCredential;
}

export type Definition = Readonly<Record<string, unknown>>;
export const own: Definition = { command: 'tool', isolation: 'session' };
export const ofUser: Definition = { command: 'tool', isolation: 'user' };

function targetOf(definition: Definition, who: Who): Target {
  const server = pictureOf({ servers: { it: definition } }).servers.get('it')!;
  const { principal = 'alice@acme.com', session = null, tenant = null, key } = who;
  const credentials = new Map(key === undefined ? [] : [['default', key]]);
  return makeTarget(server, { principal, tenant, session }, undefined, credentials);
}

interface Link {
  servedAs: Hello | undefined;
  hello: Hello;
  readonly interests: { isEmpty: boolean };
}

/** Starts a process, or opens a session, for each key, and counts them. */
class FakePool implements ListSource {
  tools = ['a'];
  resources = ['file:///of-alice'];
  /** By key, each time that one was started. */
  readonly started: string[] = [];
  readonly open = new Map<string, Link>();
  failure: Error | undefined;
  broken: string | undefined;
  /** Runs when a list is asked for. */
  onList: () => void = () => undefined;
  /** While it is there, starts wait for it. */
  gate: Promise<void> | undefined;

  hurry(): void {
    // It never pauses.
  }

  keyFor = keyOf;
  isConnected = (key: string) => this.open.has(key);

  async connect(target: Target, era: Era, capabilities: string): Promise<Connection> {
    const key = keyOf(target, era, capabilities);
    const isNew = !this.open.has(key);
    if (isNew) this.started.push(key);
    await this.gate;
    if (this.failure) throw this.failure;
    const hello: Hello = {
      ...{ era, protocolVersion: '2025-11-25', capabilities: { tools: {}, resources: {} } },
      ...{ serverInfo: { name: 'it' }, instructions: 'You have two notes.' },
    };
    const link = this.open.get(key) ?? { servedAs: undefined, hello, interests: { isEmpty: true } };
    this.open.set(key, link);
    const more = { options: { era, name: 'it', clock: Date.now }, request: this.#answer };
    const upstream = Object.assign(link, more) as unknown as Connection['upstream'];
    return { key, upstream, hello: link.hello };
  }

  readonly #answer = ({ method }: Outgoing): Promise<RpcResponse> => {
    this.onList();
    if (method === this.broken) throw new UpstreamError('protocol', 'No list.');
    const result = {
      tools: this.tools.map((name) => ({ name })),
      resources: this.resources.map((uri) => ({ uri })),
      resourceTemplates: [],
    };
    const parsed = parseMessage(JSON.stringify({ jsonrpc: '2.0', id: 1, result }));
    if (!parsed.ok || parsed.message.kind !== 'response') throw new Error('no response');
    return Promise.resolve(parsed.message);
  };
}

export function lendingWorld(definition: Definition = own) {
  const pool = new FakePool();
  const store = new ListStore(pool, createLog('silent'), Date.now);
  stores.push(store);
  const told: [string, readonly ListKind[]][] = [];
  store.onChange(({ scope }, kinds) => told.push([scope, kinds]));
  const at = (who: Who, as: { definition?: Definition; era?: Era; capabilities?: string } = {}) => {
    const target = targetOf(as.definition ?? definition, who);
    const { era = 'legacy', capabilities = '{}' } = as;
    const peek = (kind?: ListKind) => store.peek(target, era, capabilities, kind);
    return {
      key: keyOf(target, era, capabilities),
      peek,
      /** What it is shown, once it is shown something. */
      names: async (kind: ListKind = 'tools') => {
        await store.settle([peek(kind)], 3_000, kind);
        return peek(kind)
          .lists.get(kind)
          ?.map(({ key }) => key);
      },
      reload: () => store.reload(target, era, capabilities),
      /** Its caller calls a tool: the server is started, if it does not run. */
      async call() {
        const { upstream, hello } = await pool.connect(target, era, capabilities);
        upstream.servedAs = hello;
        store.opened(keyOf(target, era, capabilities));
        await vi.advanceTimersByTimeAsync(0);
      },
      /** It is put to rest, or its process has ended. */
      rest: () => void pool.open.delete(keyOf(target, era, capabilities)),
    };
  };
  const inSession = (session: string) => at({ session });
  return { pool, store, told, at, inSession, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) };
}
