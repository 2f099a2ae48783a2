// An MCP server of the legacy era over HTTP that behaves as a test tells it to, from one request to the next.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenOnLoopback } from './fakes/loopback.ts';

export type Mood =
  | 'well'
  /** Takes requests and never answers. */
  | 'hangs'
  /** Ends the connection instead of answering. */
  | 'breaks'
  | { readonly status: number; readonly headers?: Readonly<Record<string, string>> };

export interface MoodyServer {
  readonly url: string;
  /** JSON-RPC methods, oldest first. */
  readonly seen: string[];
  /** For all methods that have no mood of their own. */
  mood: Mood;
  /** For one method: `ping`, `tools/call`. */
  readonly moods: Map<string, Mood>;
  /** What `tools/call` answers with. */
  result: object;
  /** Answers what hangs, as if it had only been slow. */
  letGo(): void;
  close(): Promise<void>;
}

export async function startMoodyServer(): Promise<MoodyServer> {
  const held: (() => void)[] = [];
  const loopback = await listenOnLoopback((request, response) => void serve(request, response));
  const server: MoodyServer = {
    url: `${loopback.origin}/mcp`,
    seen: [],
    mood: 'well',
    moods: new Map(),
    result: { result: { content: [{ type: 'text', text: 'done' }] } },
    letGo: () => {
      for (const go of held.splice(0)) go();
    },
    close: () => loopback.close(),
  };

  async function serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const { method, id } = JSON.parse(text) as { method: string; id?: unknown };
    server.seen.push(method);
    const mood = server.moods.get(method) ?? server.mood;
    if (mood === 'breaks') return void request.socket.resetAndDestroy();
    if (typeof mood === 'object')
      return void response
        .writeHead(mood.status, { 'content-type': 'text/plain', ...mood.headers })
        .end('no');
    if (mood === 'hangs') await new Promise<void>((resolve) => held.push(resolve));
    if (id === undefined) return void response.writeHead(202).end();
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end(JSON.stringify({ jsonrpc: '2.0', id, ...answerTo(server, method) }));
  }
  return server;
}

function answerTo(server: MoodyServer, method: string): object {
  if (method === 'initialize') {
    const serverInfo = { name: 'moody', version: '1' };
    return { result: { protocolVersion: '2025-11-25', capabilities: { tools: {} }, serverInfo } };
  }
  if (method === 'tools/list')
    return { result: { tools: [{ name: 'work', inputSchema: { type: 'object' } }] } };
  if (method === 'tools/call') return server.result;
  return method === 'ping' ? { result: {} } : { error: { code: -32601, message: 'Method not found' } };
}
