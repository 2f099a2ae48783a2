import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { eventOf, eventStreamHeaders, readMessage, seenHeaders } from '../fakes/hostile/http-wire.ts';
import type { RpcRequest } from '../fakes/hostile/wire.ts';
import { listenOnLoopback } from '../fakes/loopback.ts';
import { closeLater } from './clients.ts';

export interface Seen {
  readonly method: string;
  readonly params: Record<string, unknown> | undefined;
  readonly headers: Readonly<Record<string, string>>;
}

export interface UpstreamServer {
  readonly url: string;
  /** Every request and notification, oldest first. */
  readonly seen: Seen[];
  /** GET streams that are open. */
  readonly streams: ReadonlySet<ServerResponse>;
  /** Sends a notification to everyone who listens. */
  notify(method: string, params?: object): void;
}

/** What a method answers; throw `{ code, message }` for an error. */
export type Answers = Readonly<Record<string, (request: RpcRequest, headers: Seen['headers']) => unknown>>;

/** An honest legacy server over streamable HTTP whose answers a test writes down. Closed after the test file. */
export async function startUpstream(capabilities: object, answers: Answers): Promise<UpstreamServer> {
  const seen: Seen[] = [];
  const streams = new Set<ServerResponse>();
  const all: Answers = {
    initialize: ({ params }) => ({
      ...{ protocolVersion: params?.['protocolVersion'], capabilities },
      serverInfo: { name: 'written-down', version: '1.0.0' },
    }),
    ping: () => ({}),
    ...answers,
  };
  const serve = async (incoming: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (incoming.method === 'GET') {
      response.writeHead(200, eventStreamHeaders).flushHeaders();
      streams.add(response);
      response.once('close', () => streams.delete(response));
      return;
    }
    if (incoming.method !== 'POST') return void response.writeHead(200).end();
    const headers = seenHeaders(incoming);
    const { message, request } = await readMessage(incoming);
    seen.push({ method: String(message['method']), params: message['params'] as Seen['params'], headers });
    if (!request) return void response.writeHead(202).end();
    if (request.method === 'initialize') response.setHeader('Mcp-Session-Id', randomUUID());
    const answer = all[request.method];
    const error = { code: -32601, message: 'Method not found' };
    const outcome = answer
      ? await Promise.resolve(answer(request, headers)).then((result) => ({ result }))
      : { error };
    response.writeHead(200, { 'Content-Type': 'application/json' });
    response.end(JSON.stringify({ jsonrpc: '2.0', id: request.id, ...outcome }));
  };
  const http = await listenOnLoopback((incoming, response) => void serve(incoming, response));
  closeLater(http);
  return {
    url: `${http.origin}/mcp`,
    seen,
    streams,
    notify: (method, params) => {
      for (const stream of streams) stream.write(eventOf(JSON.stringify({ jsonrpc: '2.0', method, params })));
    },
  };
}

/** Answers to `tools/list` and `tools/call` for tools that echo their own name. */
export function toolsNamed(names: readonly string[]): Answers {
  return {
    'tools/list': () => ({ tools: names.map((name) => ({ name, inputSchema: { type: 'object' } })) }),
    'tools/call': ({ params }) => ({ content: [{ type: 'text', text: `I am ${String(params?.['name'])}` }] }),
  };
}
