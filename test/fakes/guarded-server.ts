// An MCP server that knows who is calling by the bearer token alone, in either era. `whoami` says whose it is.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenOnLoopback } from './loopback.ts';

export interface GuardedServer {
  readonly url: string;
  /** Token -> whose it is. Any other is answered with 401. */
  readonly tokens: Map<string, string>;
  /** Method and token of every message, oldest first. */
  readonly seen: { method: string; token: string }[];
  /** Every `tools/call`, as it came. */
  readonly calls: Json[];
  /** Scopes that calls of tools need, by token: whoever lacks some is refused with 403 before anything is done. */
  readonly lacking: Map<string, string>;
  /** What it says then besides. */
  refusalBody: string;
  /** Names of its tools; each says whose token it was called with. */
  tools: string[];
  close(): Promise<void>;
}

interface Json {
  readonly id?: unknown;
  readonly method: string;
  readonly params?: {
    readonly name?: string;
    readonly requestState?: unknown;
    readonly inputResponses?: unknown;
  };
}

export async function startGuardedServer(era: 'modern' | 'legacy'): Promise<GuardedServer> {
  const type = era === 'modern' ? { resultType: 'complete' } : {};
  const about = {
    capabilities: { tools: { listChanged: true }, prompts: {}, resources: {}, completions: {} },
    serverInfo: { name: 'guarded', version: '1' },
  };

  function resultOf({ method, params }: Json, whose: string): object | undefined {
    if (method === 'initialize' && era === 'legacy') return { protocolVersion: '2025-11-25', ...about };
    if (method === 'server/discover' && era === 'modern')
      return { ...type, supportedVersions: ['2026-07-28'], ...about, ttlMs: 0, cacheScope: 'private' };
    const fresh = { ...type, ttlMs: 0, cacheScope: 'private' };
    if (method === 'tools/list')
      return { ...fresh, tools: server.tools.map((name) => ({ name, inputSchema: { type: 'object' } })) };
    if (method === 'prompts/list') return { ...fresh, prompts: [{ name: 'hello' }] };
    if (method === 'resources/list') return { ...fresh, resources: [] };
    if (method === 'resources/templates/list') return { ...fresh, resourceTemplates: [] };
    const text = `${params?.name} as ${whose}`;
    if (method === 'prompts/get')
      return { ...type, messages: [{ role: 'user', content: { type: 'text', text } }] };
    return method === 'tools/call' ? { ...type, content: [{ type: 'text', text }] } : undefined;
  }

  async function serve(req: IncomingMessage, res: ServerResponse): Promise<void> {
    const token = /^Bearer (.+)$/.exec(req.headers.authorization ?? '')?.[1] ?? '';
    const whose = server.tokens.get(token);
    const message = req.method === 'POST' ? await jsonOf(req) : undefined;
    server.seen.push({ method: message?.method ?? req.method ?? '', token });
    if (whose === undefined) return void res.writeHead(401, { 'www-authenticate': 'Bearer' }).end();
    if (!message) return void res.writeHead(405).end();
    if (message.id === undefined) return void res.writeHead(202).end();
    const lacking = message.method === 'tools/call' ? server.lacking.get(token) : undefined;
    if (lacking !== undefined) {
      const challenge = `Bearer error="insufficient_scope", scope="${lacking}", error_description="more"`;
      const headers = { 'www-authenticate': challenge, 'content-type': 'application/json' };
      return void res.writeHead(403, headers).end(server.refusalBody);
    }
    if (message.method === 'tools/call') server.calls.push(message);
    const result = resultOf(message, whose);
    const rest = result ? { result } : { error: { code: -32601, message: 'Method not found' } };
    res.writeHead(result === undefined && era === 'modern' ? 404 : 200, {
      'content-type': 'application/json',
    });
    res.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...rest }));
  }

  const http = await listenOnLoopback((req, res) => void serve(req, res));
  const server: GuardedServer = {
    url: `${http.origin}/mcp`,
    tokens: new Map(),
    lacking: new Map(),
    refusalBody: '{"error":"insufficient_scope"}',
    seen: [],
    calls: [],
    tools: ['whoami'],
    close: () => http.close(),
  };
  return server;
}

async function jsonOf(req: IncomingMessage): Promise<Json> {
  const parts: Buffer[] = [];
  for await (const part of req) parts.push(part as Buffer); // no encoding was set
  return JSON.parse(Buffer.concat(parts).toString('utf8'));
}
