// A data plane in front of two servers that ask their client, and a modern client in plain JSON-RPC.
import { afterAll, expect } from 'vitest';
import { startLegacyAsking, startModernAsking } from './fakes/asking-servers.ts';
import type { gatewayWorld, Picture } from './gateway-world.ts';

export type World = Awaited<ReturnType<typeof gatewayWorld>>;
// What servers answer is looked at in many ways.
// biome-ignore lint/suspicious/noExplicitAny: see above
export type Json = any;

export const legacy = await startLegacyAsking();
export const modern = await startModernAsking();
afterAll(async () => {
  await legacy.close();
  await modern.close();
});

export function picture(): Picture {
  return {
    servers: {
      legacy: { type: 'http', url: legacy.url, timeoutMs: 10_000 },
      modern: { type: 'http', url: modern.url, timeoutMs: 10_000 },
    },
    groups: { all: { servers: ['legacy', 'modern'] } },
    users: { 'alice@acme.com': { groups: ['all'] }, 'bob@acme.com': { groups: ['all'] } },
  };
}

export const everything = { elicitation: { form: {}, url: {} }, sampling: {}, roots: {} };
export const ann = { action: 'accept', content: { name: 'Ann' } };
export const prefix = 'io.modelcontextprotocol/';

interface Asking {
  readonly path?: string;
  readonly capabilities?: object;
  readonly meta?: object;
  readonly headers?: Record<string, string>;
  readonly method?: string;
}

export function postModern(world: World, params: Record<string, unknown>, o: Asking = {}): Promise<Response> {
  const { path = '/mcp/legacy', capabilities = everything, method = 'tools/call' } = o;
  const _meta = {
    [`${prefix}protocolVersion`]: '2026-07-28',
    [`${prefix}clientCapabilities`]: capabilities,
    ...o.meta,
  };
  const headers: Record<string, string> = {
    'mcp-protocol-version': '2026-07-28',
    'mcp-method': method,
    'mcp-name': String(params['name'] ?? params['uri']),
    accept: 'application/json, text/event-stream',
    ...o.headers,
  };
  return world.post(path, { id: 7, method, params: { ...params, _meta } }, headers);
}

/** Every message of the answer; the last one is the response. */
export async function messagesOf(response: Response): Promise<Json[]> {
  const text = await response.text();
  if (text.startsWith('{')) return [JSON.parse(text)];
  return [...text.matchAll(/^data: (.+)$/gm)].map(([, data]) => JSON.parse(data!));
}

export async function askModern(
  world: World,
  params: Record<string, unknown>,
  o: Asking = {},
): Promise<Json> {
  return (await messagesOf(await postModern(world, params, o))).at(-1);
}

/** The question of a call, and how to come back with answers to it. */
export async function begun(world: World, params: Record<string, unknown>, o: Asking = {}) {
  const { result } = await askModern(world, params, o);
  expect(result.resultType).toBe('input_required');
  const keys = Object.keys(result.inputRequests);
  const { requestState } = result as { requestState: string };
  const retryParams = (answers: readonly object[] = [ann]) => ({
    ...params,
    requestState,
    inputResponses: Object.fromEntries(keys.map((key, at) => [key, answers[at] ?? answers[0]])),
  });
  return { result, keys, requestState, retryParams };
}

export function textIn(message: Json): string {
  return message.result.content[0].text;
}
