import { parseArgs } from 'node:util';
import {
  localhostHostValidation,
  localhostOriginValidation,
  type NodeIncomingMessageLike,
  toNodeHandler,
} from '@modelcontextprotocol/node';
import { createMcpHandler, isLegacyRequest } from '@modelcontextprotocol/server';
import { LegacySessions } from './conformance/legacy-sessions.ts';
import { conformanceServer, follows } from './conformance/server.ts';
import type { ListChanges, Noted } from './conformance/tools.ts';
import { listenOnLoopback } from './loopback.ts';

/** Which protocol eras the server speaks. The other one is refused as a server that does not know it would. */
export type Era = 'both' | 'modern' | 'legacy';

/** An MCP server with everything the official conformance suite looks for, on a loopback port. 0 picks a free one. */
export async function startConformanceServer(
  options: { port?: number; era?: Era } = {},
): Promise<{ url: string; noted: Noted; close(): Promise<void> }> {
  const noted: Noted = { waiting: 0, cancelled: 0, subscriptions: [] };
  const mcp = dualEra(options.era ?? 'both', noted);
  const handle = toNodeHandler({ fetch: mcp.fetch });
  const guards = [localhostHostValidation(), localhostOriginValidation()];
  const http = await listenOnLoopback((request, response) => {
    if (!guards.every((guard) => guard(request, response))) return;
    // The adapter's type leaves out that Node says `undefined` for what is missing.
    if (request.url?.split('?')[0] === '/mcp') void handle(request as NodeIncomingMessageLike, response);
    else response.writeHead(404).end();
  }, options.port);
  return {
    url: `${http.origin}/mcp`,
    noted,
    close: async () => {
      await mcp.close();
      await http.close();
    },
  };
}

function dualEra(
  era: Era,
  noted: Noted,
): { fetch(request: Request): Promise<Response>; close(): Promise<void> } {
  const changes: ListChanges = {
    tools: () => {
      modern.notify.toolsChanged();
      for (const server of legacy.servers) server.sendToolListChanged();
    },
    prompts: () => {
      modern.notify.promptsChanged();
      for (const server of legacy.servers) server.sendPromptListChanged();
    },
    resources: () => {
      modern.notify.resourcesChanged();
      for (const server of legacy.servers) server.sendResourceListChanged();
    },
    updated: (uri) => {
      modern.notify.resourceUpdated(uri);
      for (const server of legacy.servers)
        if (follows(server, uri)) void server.server.sendResourceUpdated({ uri });
    },
  };
  const modern = createMcpHandler(() => conformanceServer(changes, noted), { legacy: 'reject' });
  const legacy = new LegacySessions(() => conformanceServer(changes, noted));
  const isLegacy = { both: isLegacyRequest, modern: async () => false, legacy: async () => true }[era];
  return {
    fetch: async (request) => ((await isLegacy(request)) ? legacy.fetch(request) : modern.fetch(request)),
    close: async () => void (await Promise.all([legacy.close(), modern.close()])),
  };
}

function parseEra(value: string): Era {
  if (value === 'both' || value === 'modern' || value === 'legacy') return value;
  throw new Error(`--era must be both, modern or legacy, not "${value}".`);
}

if (import.meta.main) {
  const options = {
    port: { type: 'string', default: '0' },
    era: { type: 'string', default: 'both' },
  } as const;
  const { values } = parseArgs({ options });
  const server = await startConformanceServer({ port: Number(values.port), era: parseEra(values.era) });
  process.stdout.write(`listening ${server.url}\n`);
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => void server.close());
}
