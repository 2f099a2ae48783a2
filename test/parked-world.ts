// Parked calls of one or more nodes, with servers that the test itself plays.
import { randomBytes } from 'node:crypto';
import { afterEach, expect } from 'vitest';
import type { BridgeLimits } from '../src/gateway/bridge/limits.ts';
import type { Settled } from '../src/gateway/bridge/parked-call.ts';
import { ParkedCalls } from '../src/gateway/bridge/parked-calls.ts';
import type { GivenAnswers } from '../src/gateway/bridge/questions.ts';
import { parseMessage, type RpcRequest, type RpcResponse } from '../src/gateway/rpc/message.ts';
import type { Outgoing } from '../src/gateway/upstreams/outgoing.ts';
import { createBus } from '../src/platform/bus/bus.ts';
import { memoryTransport } from '../src/platform/bus/memory.ts';
import { createLog } from '../src/platform/log.ts';
import { createSealer } from '../src/platform/sealer.ts';

const key = randomBytes(32);
const log = createLog('silent');
const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

export async function nodes(count: number, limits: Partial<BridgeLimits> = {}) {
  const open = memoryTransport();
  return Promise.all(
    Array.from({ length: count }, async () => {
      const bus = await createBus({ open, sealer: createSealer(key, 'bus'), log });
      const sealer = createSealer(key, 'request-state');
      const parked = new ParkedCalls({
        bus,
        sealer,
        log,
        clock: Date.now,
        limits: { gatherMs: 1, ...limits },
      });
      closing.push(
        () => bus.close(),
        () => parked.close(),
      );
      return { bus, parked };
    }),
  );
}

export async function node(limits: Partial<BridgeLimits> = {}) {
  const [one] = await nodes(1, limits);
  return one!;
}

/** A server at work on one request: the test plays the server. */
export function serverAtWork(
  parked: ParkedCalls,
  o: { principal?: string; given?: GivenAnswers; isAllowed?: () => boolean; rawParams?: string } = {},
) {
  const controller = new AbortController();
  const heard: string[] = [];
  let outgoing!: Outgoing;
  let answer!: (settled: Settled) => void;
  const response = parked.run({
    subject: () => ({
      principal: o.principal ?? 'alice',
      server: 's',
      digest: 'd',
      capabilities: '{"elicitation":{},"roots":{}}',
    }),
    isAllowed: () => o.isAllowed?.() ?? true,
    send: (sent) => {
      outgoing = sent;
      return new Promise((resolve, reject) => {
        answer = (settled) => ('response' in settled ? resolve(settled.response) : reject(settled.error));
        controller.signal.addEventListener('abort', () => reject(controller.signal.reason), { once: true });
      });
    },
    outgoing: {
      method: 'tools/call',
      rawParams: o.rawParams ?? '{}',
      controller,
      timeoutMs: 1_000,
      onNotification: ({ method }) => void heard.push(method),
    },
    given: o.given,
  });
  return {
    controller,
    response,
    heard,
    ask: (message: string) => outgoing.onServerRequest!(question(message)),
    asks: (request: RpcRequest) => outgoing.onServerRequest!(request),
    say: (method: string) =>
      outgoing.onNotification!({ kind: 'notification', method, params: undefined, rawParams: undefined }),
    answer: (text: string) => answer({ response: resultOf(text) }),
    fail: (error: Error) => answer({ error }),
  };
}

export function question(message: string, method = 'elicitation/create'): RpcRequest {
  const params = { message };
  return { kind: 'request', rawId: '1', method, params, rawParams: JSON.stringify(params) };
}

function resultOf(text: string): RpcResponse {
  const parsed = parseMessage(`{"jsonrpc":"2.0","id":1,"result":${JSON.stringify({ text })}}`);
  if (!parsed.ok || parsed.message.kind !== 'response') throw new Error('no response');
  return parsed.message;
}

interface Asked {
  readonly inputRequests: Record<string, { method: string; params: { message: string } }>;
  readonly requestState: string;
}

export function askedIn({ rawResult }: RpcResponse): Asked {
  const result = JSON.parse(rawResult!) as Asked & { resultType: string };
  expect(result.resultType).toBe('input_required');
  return result;
}

/** A retry on the same node. */
export function retry(
  parked: ParkedCalls,
  state: string,
  responses: object,
  heard: string[] = [],
): Promise<Settled> {
  const { id, principal, digest } = parked.readState(state)!;
  const call = parked.find(id, principal, digest);
  if (!call) throw new Error('there is no such call');
  return new Promise((settle) =>
    call.attach({ settle, notify: ({ method }) => void heard.push(method) }, JSON.stringify(responses)),
  );
}
