// Servers that ask their client in the middle of a call, made with the official SDKs: one that speaks the legacy era
// alone (SDK 1.x), one that speaks the modern era alone (SDK 2.x). Both have the same tools under the same names.
import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { type NodeIncomingMessageLike, toNodeHandler } from '@modelcontextprotocol/node';
import { Server as LegacyServer } from '@modelcontextprotocol/sdk/server/index.js';
import { StreamableHTTPServerTransport } from '@modelcontextprotocol/sdk/server/streamableHttp.js';
import type { RequestHandlerExtra } from '@modelcontextprotocol/sdk/shared/protocol.js';
import {
  CallToolRequestSchema,
  CreateMessageResultSchema,
  ElicitResultSchema,
  GetPromptRequestSchema,
  ListPromptsRequestSchema,
  ListResourcesRequestSchema,
  ListRootsResultSchema,
  ListToolsRequestSchema,
  ReadResourceRequestSchema,
  type ServerNotification,
  type ServerRequest,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/sdk/types.js';
import {
  createMcpHandler,
  inputRequired,
  inputResponse,
  Server,
  type ServerContext,
} from '@modelcontextprotocol/server';
import { listenOnLoopback } from './loopback.ts';

export interface AskingServer {
  readonly url: string;
  /** Names of the tools that were called, once for each execution. */
  readonly calls: string[];
  /** Calls that the client gave up while the server was at work on them. */
  readonly cancelled: () => number;
  /** Headers of the last tools/call. */
  readonly lastHeaders: () => Readonly<Record<string, unknown>>;
  close(): Promise<void>;
}

interface Seen {
  cancelled: number;
  headers: Readonly<Record<string, unknown>>;
}

/** A question and what the tool says of the answer. */
interface Asking {
  readonly method: 'elicitation/create' | 'sampling/createMessage' | 'roots/list';
  readonly params?: Record<string, unknown>;
}

const form = (message: string): Asking => ({
  method: 'elicitation/create',
  params: {
    message,
    requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  },
});

/** Tools by name: their questions, one round after the other. Each says what it was answered, as JSON. */
const rounds: Readonly<Record<string, readonly (readonly Asking[])[]>> = {
  ask_form: [[form('Who are you?')]],
  ask_page: [
    [
      {
        method: 'elicitation/create',
        params: { mode: 'url', message: 'Sign in there', url: 'https://pages.example/sign-in' },
      },
    ],
  ],
  ask_model: [
    [
      {
        method: 'sampling/createMessage',
        params: { messages: [{ role: 'user', content: { type: 'text', text: 'Say hello' } }], maxTokens: 10 },
      },
    ],
  ],
  ask_roots: [[{ method: 'roots/list' }]],
  ask_both: [[form('First?'), form('Second?')]],
  ask_steps: [[form('Step one?')], [form('Step two?')]],
};

const tools = [...Object.keys(rounds), 'page_first', 'ask_and_hang', 'plain', 'a_list'].map((name) => ({
  name,
  inputSchema: {
    type: 'object' as const,
    properties: { region: { type: 'string', 'x-mcp-header': 'Region' } },
  },
}));

/** Speaks 2025-11-25 and earlier, with sessions. `page_first` wants a page opened until it was called twice. */
export async function startLegacyAsking(): Promise<AskingServer> {
  const sessions = new Map<string, StreamableHTTPServerTransport>();
  const calls: string[] = [];
  const seen: Seen = { cancelled: 0, headers: {} };
  const start = async (): Promise<StreamableHTTPServerTransport> => {
    const transport = new StreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      onsessioninitialized: (id) => void sessions.set(id, transport),
    });
    await legacyServer(calls, seen).connect(transport);
    return transport;
  };
  return listening(calls, seen, {
    handle: async (request, response) => {
      const id = request.headers['mcp-session-id'];
      const known = typeof id === 'string' ? sessions.get(id) : undefined;
      if (request.headers['mcp-protocol-version'] === '2026-07-28')
        return void response.writeHead(400).end('unsupported protocol version');
      await (known ?? (await start())).handleRequest(request, response);
    },
    close: async () => {
      for (const transport of sessions.values()) await transport.close();
    },
  });
}

type Extra = RequestHandlerExtra<ServerRequest, ServerNotification>;

function legacyServer(calls: string[], seen: Seen): LegacyServer {
  const server = new LegacyServer(
    { name: 'asking-legacy', version: '1.0.0' },
    { capabilities: { tools: {}, prompts: {}, resources: {}, logging: {} } },
  );
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(ListPromptsRequestSchema, () => ({ prompts: [{ name: 'asking' }] }));
  server.setRequestHandler(ListResourcesRequestSchema, () => ({
    resources: [{ uri: 'ask://form', name: 'asking' }],
  }));
  server.setRequestHandler(CallToolRequestSchema, ({ params: { name } }, extra) => {
    calls.push(name);
    seen.headers = extra.requestInfo?.headers ?? {};
    extra.signal.addEventListener('abort', () => seen.cancelled++, { once: true });
    if (name === 'plain') return said('plain');
    if (name === 'page_first') return pageFirst(calls);
    return answerLegacy(name, extra).catch(failed);
  });
  server.setRequestHandler(GetPromptRequestSchema, async (_request, extra) => {
    const answer = await askLegacy(form('For the prompt?'), extra);
    return { messages: [{ role: 'user', content: { type: 'text', text: JSON.stringify(answer) } }] };
  });
  server.setRequestHandler(ReadResourceRequestSchema, async ({ params: { uri } }, extra) => {
    const answer = await askLegacy(form('For the resource?'), extra);
    return { contents: [{ uri, text: JSON.stringify(answer) }] };
  });
  return server;
}

function pageFirst(calls: readonly string[]) {
  if (calls.filter((name) => name === 'page_first').length > 1) return said('the page was opened');
  throw new UrlElicitationRequiredError([
    { mode: 'url', elicitationId: 'e1', message: 'Sign in there', url: 'https://pages.example/first' },
  ]);
}

async function answerLegacy(name: string, extra: Extra) {
  const answers: unknown[] = [];
  await report(name, extra, 'before');
  for (const asked of rounds[name] ?? [[form('And now?')]])
    answers.push(...(await Promise.all(asked.map((one) => askLegacy(one, extra)))));
  await report(name, extra, 'after');
  if (name === 'ask_and_hang') await new Promise(() => undefined);
  return said(JSON.stringify(answers));
}

async function report(name: string, { _meta, sendNotification }: Extra, when: 'before' | 'after') {
  const progress = when === 'before' ? 1 : 2;
  if (_meta?.progressToken !== undefined)
    await sendNotification({
      method: 'notifications/progress',
      params: { progressToken: _meta.progressToken, progress, total: 2 },
    });
  const params = { level: 'info' as const, data: `${name} ${when}` };
  await sendNotification({ method: 'notifications/message', params });
}

function askLegacy({ method, params }: Asking, extra: Extra): Promise<unknown> {
  // A page has a name in this era.
  const named = params?.['mode'] === 'url' ? { ...params, elicitationId: 'e2' } : params;
  const request = { method, params: named } as unknown as ServerRequest;
  if (method === 'roots/list') return extra.sendRequest(request, ListRootsResultSchema);
  if (method === 'sampling/createMessage') return extra.sendRequest(request, CreateMessageResultSchema);
  return extra.sendRequest(request, ElicitResultSchema);
}

/** Speaks 2026-07-28 and nothing else. */
export async function startModernAsking(): Promise<AskingServer> {
  const calls: string[] = [];
  const seen: Seen = { cancelled: 0, headers: {} };
  const mcp = createMcpHandler(() => modernServer(calls, seen), { legacy: 'reject' });
  const handle = toNodeHandler({ fetch: mcp.fetch });
  return listening(calls, seen, {
    handle: (request, response) => handle(request as NodeIncomingMessageLike, response),
    close: () => mcp.close(),
  });
}

function modernServer(calls: string[], seen: Seen): Server {
  const server = new Server(
    { name: 'asking-modern', version: '1.0.0' },
    { capabilities: { tools: {}, prompts: {}, resources: {}, logging: {} } },
  );
  server.setRequestHandler('tools/list', () => ({
    tools: tools.map((tool) =>
      tool.name === 'a_list' ? { ...tool, outputSchema: { type: 'array', items: { type: 'number' } } } : tool,
    ),
  }));
  server.setRequestHandler('tools/call', async ({ params: { name } }, ctx) => {
    calls.push(name);
    seen.headers = Object.fromEntries(ctx.http?.req?.headers ?? []);
    ctx.mcpReq.signal.addEventListener('abort', () => seen.cancelled++, { once: true });
    if (name === 'a_list') return { content: [], structuredContent: [1, 2] };
    if (name === 'plain') return said('plain');
    return answerModern(name, ctx);
  });
  server.setRequestHandler('prompts/list', () => ({ prompts: [{ name: 'asking' }] }));
  server.setRequestHandler('resources/list', () => ({ resources: [{ uri: 'ask://form', name: 'asking' }] }));
  server.setRequestHandler('prompts/get', (_request, ctx) => {
    const { question, answers } = modernRound([[form('For the prompt?')]], ctx);
    const text = JSON.stringify(answers[0]);
    return question ?? { messages: [{ role: 'user', content: { type: 'text', text } }] };
  });
  server.setRequestHandler('resources/read', ({ params: { uri } }, ctx) => {
    const { question, answers } = modernRound([[form('For the resource?')]], ctx);
    const text = JSON.stringify(answers[0]);
    return question ?? { contents: [{ uri, text }], ttlMs: 0, cacheScope: 'private' };
  });
  return server;
}

async function answerModern(name: string, ctx: ServerContext) {
  const { question, answers } = modernRound(rounds[name] ?? [[form('And now?')]], ctx);
  const token = ctx.mcpReq._meta?.progressToken;
  if (token !== undefined) {
    const params = { progressToken: token, progress: question ? 1 : 2, total: 2 };
    await ctx.mcpReq.notify({ method: 'notifications/progress', params });
  }
  await ctx.mcpReq.log('info', `${name} ${question ? 'before' : 'after'}`);
  return question ?? said(JSON.stringify(answers));
}

/** The next question, or every answer. The state says how many rounds are done and what they brought. */
function modernRound(asked: readonly (readonly Asking[])[], ctx: ServerContext) {
  const state = ctx.mcpReq.requestState<string>();
  const before = state === undefined ? [] : (JSON.parse(state) as unknown[][]);
  const awaited = asked[before.length] ?? [];
  const responses = ctx.mcpReq.inputResponses ?? {};
  const isAnswered =
    state !== undefined && awaited.every((_one, at) => inputResponse(responses, `k${at}`).kind !== 'missing');
  const done = isAnswered ? [...before, awaited.map((_one, at) => responses[`k${at}`])] : before;
  const next = asked[done.length];
  if (!next) return { question: undefined, answers: done.flat() };
  const inputRequests = Object.fromEntries(next.map((one, at) => [`k${at}`, one as never]));
  return { question: inputRequired({ inputRequests, requestState: JSON.stringify(done) }), answers: [] };
}

/** As the SDK's own McpServer does it. */
function failed(error: unknown) {
  return { ...said(error instanceof Error ? error.message : String(error)), isError: true };
}

function said(text: string) {
  return { content: [{ type: 'text' as const, text }] };
}

async function listening(
  calls: string[],
  seen: Seen,
  o: { handle(request: IncomingMessage, response: ServerResponse): Promise<void>; close(): Promise<void> },
): Promise<AskingServer> {
  const http = await listenOnLoopback((request, response) => {
    void o.handle(request, response);
  });
  return {
    url: `${http.origin}/mcp`,
    calls,
    cancelled: () => seen.cancelled,
    lastHeaders: () => seen.headers,
    close: async () => {
      await o.close();
      await http.close();
    },
  };
}
