// An MCP server over streamable HTTP whose tools and results a test sets while it runs. Raw JSON-RPC, so that what
// goes over the wire is exactly what the test wrote.
import { json } from 'node:stream/consumers';
import { listenOnLoopback } from './loopback.ts';

export interface ChangingTools {
  readonly url: string;
  /** JSON text of each tool, as `tools/list` answers with it. */
  tools: string[];
  /** JSON text of the result of each tool by its name, but for what the modern era adds. */
  readonly results: Record<string, string>;
  /** Names of the tools that were called. */
  readonly called: string[];
  /** URIs that were asked for. */
  readonly asked: string[];
  close(): Promise<void>;
}

interface Message {
  readonly id?: string | number;
  readonly method?: string;
  readonly params?: { readonly name?: string; readonly uri?: string; readonly protocolVersion?: string };
}

export function plainTool(name: string, description = `The tool ${name}`, more: object = {}): string {
  return JSON.stringify({ name, description, inputSchema: { type: 'object' }, ...more });
}

export async function startChangingTools(era: 'modern' | 'legacy' = 'legacy'): Promise<ChangingTools> {
  const stamp = era === 'modern' ? '"resultType":"complete",' : '';
  const capabilities = { tools: {}, resources: {} };
  const answers: Readonly<Record<string, (message: Message) => string | undefined>> = {
    'server/discover': () =>
      era === 'modern'
        ? JSON.stringify({ resultType: 'complete', supportedVersions: ['2026-07-28'], capabilities })
        : undefined,
    initialize: ({ params }) => {
      const protocolVersion = params?.protocolVersion;
      const serverInfo = { name: 'changing', version: '1' };
      return era === 'legacy' ? JSON.stringify({ protocolVersion, capabilities, serverInfo }) : undefined;
    },
    'tools/list': () => `{${stamp}"tools":[${server.tools.join(',')}]}`,
    'resources/list': () => `{${stamp}"resources":[]}`,
    'resources/templates/list': () => `{${stamp}"resourceTemplates":[]}`,
    'tools/call': ({ params }) => {
      server.called.push(params?.name ?? '');
      const result = server.results[params?.name ?? ''] ?? '{"content":[]}';
      return `{${stamp}${result.slice(1)}`;
    },
    'resources/read': ({ params }) => {
      server.asked.push(params?.uri ?? '');
      return undefined;
    },
  };
  const loopback = await listenOnLoopback((request, response) => {
    void (async () => {
      if (request.method !== 'POST') return void response.writeHead(405).end();
      const message = (await json(request)) as Message;
      if (message.id === undefined) return void response.writeHead(202).end();
      const result = answers[message.method ?? '']?.(message);
      const error = '"error":{"code":-32601,"message":"Method not found"}';
      const status = result === undefined && era === 'modern' ? 404 : 200;
      response
        .writeHead(status, { 'content-type': 'application/json' })
        .end(
          `{"jsonrpc":"2.0","id":${JSON.stringify(message.id)},${result === undefined ? error : `"result":${result}`}}`,
        );
    })();
  });
  const server: ChangingTools = {
    url: `${loopback.origin}/mcp`,
    tools: [],
    results: {},
    called: [],
    asked: [],
    close: () => loopback.close(),
  };
  return server;
}
