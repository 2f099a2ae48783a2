import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenOnLoopback } from '../fakes/loopback.ts';
import { closeLater } from './clients.ts';

/** What one call brought along. */
export interface Mark {
  readonly marker: string;
  readonly authorization: string | undefined;
  readonly tenant: string | undefined;
}

export interface MarkingUpstream {
  readonly name: string;
  /** `127.0.0.1:PORT` */
  readonly host: string;
  readonly url: string;
  /** Every call, oldest first. */
  readonly marks: Mark[];
  /** Keys that came with any request at all. */
  readonly keys: Set<string | undefined>;
}

const modern = '2026-07-28';
const prefix = 'io.modelcontextprotocol/';

/** A server that speaks both eras, notes who called with what, and says its own name and the key that it was shown. */
export async function startMarkingUpstream(name: string): Promise<MarkingUpstream> {
  const marks: Mark[] = [];
  const keys = new Set<string | undefined>();
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    keys.add(request.headers.authorization);
    if (request.method !== 'POST') return void response.writeHead(405).end();
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const message = JSON.parse(text) as { id?: number; method: string; params?: Record<string, unknown> };
    if (message.id === undefined) return void response.writeHead(202).end();
    const isModern = request.headers['mcp-protocol-version'] === modern;
    const result = resultOf(message.method, message.params ?? {}, request, isModern);
    response.writeHead(200, { 'content-type': 'application/json' });
    return void response.end(JSON.stringify({ jsonrpc: '2.0', id: message.id, ...result }));
  };
  const resultOf = (
    method: string,
    params: Record<string, unknown>,
    { headers }: IncomingMessage,
    isModern: boolean,
  ): object => {
    const stamps = isModern
      ? { resultType: 'complete', _meta: { [`${prefix}serverInfo`]: { name, version: '1' } } }
      : {};
    const caching = isModern ? { ttlMs: 600_000, cacheScope: 'private' } : {};
    if (method === 'initialize')
      return {
        result: {
          protocolVersion: '2025-11-25',
          capabilities: { tools: {} },
          serverInfo: { name, version: '1' },
        },
      };
    if (method === 'server/discover')
      return { result: { supportedVersions: [modern], capabilities: { tools: {} }, ...stamps, ...caching } };
    if (method === 'tools/list') return { result: { tools: [markTool], ...stamps, ...caching } };
    if (method !== 'tools/call') return { error: { code: -32601, message: 'Method not found' } };
    const { marker } = params['arguments'] as { marker: string };
    const { authorization } = headers;
    marks.push({ marker, authorization, tenant: headers['x-tenant'] as string | undefined });
    return { result: { content: [{ type: 'text', text: `${name} ${marker} ${authorization}` }], ...stamps } };
  };
  const loopback = await listenOnLoopback((request, response) => void serve(request, response));
  closeLater(loopback);
  return { name, host: new URL(loopback.origin).host, url: `${loopback.origin}/mcp`, marks, keys };
}

const markTool = {
  name: 'mark',
  description: 'Says who you are.',
  inputSchema: { type: 'object', properties: { marker: { type: 'string' } }, required: ['marker'] },
};
