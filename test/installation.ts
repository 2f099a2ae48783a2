// Several processes of one installation in one: data planes that share a master key and a network, which can be cut.
import { randomBytes } from 'node:crypto';
import { expect } from 'vitest';
import type { OpenTransport } from '../src/platform/bus/contract.ts';
import { memoryTransport } from '../src/platform/bus/memory.ts';
import { as, gatewayWorld, type Picture } from './gateway-world.ts';

export type World = Awaited<ReturnType<typeof gatewayWorld>>;

/** Processes of one installation, and the network between them, which can be cut. */
export function installation(picture: Picture) {
  const transport = memoryTransport();
  const sealingKey = randomBytes(32);
  let isCut = false;
  const open: OpenTransport = async (node, receive) => {
    const inner = await transport(node, receive);
    return { ...inner, publish: (to, text) => void (isCut || inner.publish(to, text)) };
  };
  return {
    node: () => gatewayWorld(picture, { sealingKey, transport: open }),
    cut: () => {
      isCut = true;
    },
  };
}

/** Two of them, everything granted to alice and bob. */
export async function two(servers: Picture['servers']): Promise<{ a: World; b: World; cut: () => void }> {
  const { node, cut } = installation(pictureWith(servers));
  return { a: await node(), b: await node(), cut };
}

/** Servers that alice and bob may use, whole. */
export function pictureWith(servers: Picture['servers']): Picture {
  const users = { 'alice@acme.com': { groups: ['all'] }, 'bob@acme.com': { groups: ['all'] } };
  return { servers, groups: { all: { servers: Object.keys(servers) } }, users };
}

/** Opens a legacy session; returns the headers of its requests. */
export async function open(world: World, path = '/mcp', email = 'alice@acme.com', capabilities: object = {}) {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 't', version: '1' } };
  const response = await world.post(path, { id: 0, method: 'initialize', params }, as(email));
  expect(response.status).toBe(200);
  return { ...as(email), 'mcp-session-id': response.headers.get('mcp-session-id')! };
}

// biome-ignore lint/suspicious/noExplicitAny: what a test expects of a message is its own check of the shape
type Json = any;

/** A stream as it is read: its messages so far and the id of the last event. */
export function reading(response: Response) {
  const state = { messages: [] as Json[], lastId: '', over: false, done: Promise.resolve() };
  const read = async () => {
    let text = '';
    for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
        const event = text.slice(0, at);
        text = text.slice(at + 2);
        state.lastId = /^id: (.*)$/m.exec(event)?.[1] ?? state.lastId;
        const data = /^data: (.+)$/m.exec(event)?.[1];
        if (data !== undefined) state.messages.push(JSON.parse(data));
      }
    }
  };
  state.done = read()
    .catch(() => undefined) // Cut: what was read is there.
    .finally(() => {
      state.over = true;
    });
  return state;
}

/** A `tools/call`. */
export function tool(name: string, args: object = {}, id: number | string = 1, token?: string) {
  const _meta = token === undefined ? undefined : { progressToken: token };
  return { id, method: 'tools/call', params: { name, arguments: args, _meta } };
}

export const methodsOf = (messages: Json[]) => messages.map(({ method }) => method).filter(Boolean);
/** Opens an event stream. */
export const get = (world: World, path: string, headers: Record<string, string>) =>
  fetch(`${world.url}${path}`, { headers: { accept: 'text/event-stream', ...headers } });
