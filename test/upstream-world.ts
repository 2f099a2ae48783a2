// An upstream over one connector, as a caller of the gate would use it.
import { createLog } from '../src/platform/log.ts';
import { type Connector, type Sink, UpstreamError } from '../src/gateway/connectors/contract.ts';
import type { RpcNotification, RpcRequest, RpcResponse } from '../src/gateway/rpc/message.ts';
import type { Era } from '../src/gateway/rpc/protocol.ts';
import type { ClientAnswer, Outgoing } from '../src/gateway/upstreams/outgoing.ts';
import { Upstream } from '../src/gateway/upstreams/upstream.ts';

export const log = createLog('silent');
export const maxResponseBytes = 1_000_000;

export interface World {
  readonly upstream: Upstream;
  /** What came that answers no request. */
  readonly unsolicited: RpcNotification[];
  /** How often a connector was opened. */
  readonly opened: () => number;
  /** Moves the clock on. */
  pass(ms: number): void;
  call(
    tool: string,
    args?: Record<string, unknown>,
    more?: Partial<Outgoing> & { token?: string },
  ): Promise<string>;
  list(): Promise<string[]>;
  /** How often the server received a method. */
  received(method: string): Promise<number>;
}

const cleanup: (() => Promise<void>)[] = [];

/** An upstream over a connector, closed after the test. */
export function worldOf(open: (sink: Sink) => Connector, era: Era = 'legacy'): World {
  let now = 1_000_000;
  let opened = 0;
  const unsolicited: RpcNotification[] = [];
  const upstream = new Upstream({
    name: 'fake',
    era,
    capabilities: '{"elicitation":{}}',
    startTimeoutMs: 10_000,
    open: (sink) => {
      opened++;
      return open(sink);
    },
    onUnsolicited: (message) => void unsolicited.push(message),
    log,
    clock: () => now,
  });
  cleanup.push(() => upstream.close());
  const send = (method: string, params: unknown, more: Partial<Outgoing> = {}): Promise<RpcResponse> =>
    upstream.request({
      method,
      rawParams: params === undefined ? undefined : JSON.stringify(params),
      controller: new AbortController(),
      timeoutMs: 10_000,
      ...more,
    });
  const modern = {
    'io.modelcontextprotocol/protocolVersion': '2026-07-28',
    'io.modelcontextprotocol/clientCapabilities': {},
  };
  const envelope = era === 'modern' ? { _meta: modern } : undefined;
  const world: World = {
    upstream,
    unsolicited,
    opened: () => opened,
    pass: (ms) => {
      now += ms;
    },
    async call(name, args = {}, { token, ...more } = {}) {
      const meta = token === undefined ? envelope : { _meta: { ...envelope?._meta, progressToken: token } };
      const { result, error } = await send(
        'tools/call',
        { name, arguments: args, ...meta },
        { name, ...more },
      );
      if (error) throw new Error(`error ${error.code}`);
      const content = result?.['content'] as { text: string }[];
      return content[0]!.text;
    },
    async list() {
      const { result } = await send('tools/list', envelope);
      const tools = result?.['tools'] as { name: string }[];
      return tools.map((tool) => tool.name);
    },
    async received(method) {
      const { counts } = JSON.parse(await world.call('whoami')) as { counts: Record<string, number> };
      return counts[method] ?? 0;
    },
  };
  return world;
}

export async function closeWorlds(): Promise<void> {
  for (const close of cleanup.splice(0)) await close();
}

/** The kind of failure that a promise is rejected with. */
export async function failureOf(promise: Promise<unknown>): Promise<string> {
  const error = await promise.then(
    () => new Error('was not rejected'),
    (reason: unknown) => reason,
  );
  if (error instanceof UpstreamError) return error.kind;
  throw error;
}

/** What keeps the process busy: sockets, pipes, children and timers. */
export function busy(): string[] {
  return process.getActiveResourcesInfo().filter((name) => /TCPSocket|Pipe|Process|Timeout/.test(name));
}

/** What keeps the process busy now and did not before; sockets of earlier tests may go meanwhile. */
export function busierThan(before: readonly string[]): string[] {
  const known = [...before];
  return busy().filter((name) => {
    const at = known.indexOf(name);
    if (at >= 0) known.splice(at, 1);
    return at < 0;
  });
}

/** Answers every question of a server, and notes it. */
export function answering(asked: RpcRequest[]): (message: RpcRequest) => Promise<ClientAnswer> {
  return (message) => {
    asked.push(message);
    return Promise.resolve({ rawResult: '{"action":"accept","content":{"name":"Ann"}}' });
  };
}
