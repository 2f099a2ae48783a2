// An MCP server over HTTP whose tools are given as JSON text, so that a test can compare every byte. It answers a call
// with what it was sent, as text.
import type { IncomingMessage, ServerResponse } from 'node:http';
import { listenOnLoopback } from '../fakes/loopback.ts';

export interface ExactUpstream {
  readonly url: string;
  /** Bodies of `tools/call`, oldest first. */
  readonly calls: string[];
  /** What `tools/list` answers from now on. */
  setTools(tools: readonly string[]): void;
  close(): Promise<void>;
}

export async function startExactUpstream(
  era: 'modern' | 'legacy',
  tools: readonly string[],
  instructions?: string,
): Promise<ExactUpstream> {
  const calls: string[] = [];
  let listed = tools;
  const resultOf = (method: string, body: string): string | undefined => {
    const type = era === 'modern' ? '"resultType":"complete",' : '';
    const told = instructions === undefined ? '' : `,"instructions":${JSON.stringify(instructions)}`;
    const about = `"capabilities":{"tools":{"listChanged":true}},"serverInfo":{"name":"exact","version":"1"}${told}`;
    if (method === 'initialize' && era === 'legacy') return `{"protocolVersion":"2025-11-25",${about}}`;
    if (method === 'server/discover' && era === 'modern')
      return `{${type}"supportedVersions":["2026-07-28"],${about},"ttlMs":0,"cacheScope":"private"}`;
    if (method === 'tools/list')
      return `{${type}"tools":[${listed.join(',')}],"ttlMs":0,"cacheScope":"private"}`;
    if (method !== 'tools/call') return undefined;
    calls.push(body);
    return `{${type}"content":[{"type":"text","text":"called"}]}`;
  };
  const serve = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    if (request.method !== 'POST') return void response.writeHead(405).end();
    const chunks: Buffer[] = [];
    for await (const chunk of request) chunks.push(chunk as Buffer); // no encoding was set
    const body = Buffer.concat(chunks).toString('utf8');
    const { id, method } = JSON.parse(body) as { id?: unknown; method: string };
    if (id === undefined) return void response.writeHead(202).end();
    const result = resultOf(method, body);
    const rest =
      result === undefined ? '"error":{"code":-32601,"message":"Method not found"}' : `"result":${result}`;
    // What a modern server says to a method that it does not have (streamable-http.mdx).
    const status = result === undefined && era === 'modern' ? 404 : 200;
    response.writeHead(status, { 'Content-Type': 'application/json' });
    response.end(`{"jsonrpc":"2.0","id":${JSON.stringify(id)},${rest}}`);
  };
  const http = await listenOnLoopback((request, response) => void serve(request, response));
  return {
    url: `${http.origin}/mcp`,
    calls,
    setTools: (next) => void (listed = next),
    close: () => http.close(),
  };
}
