// Real MCP clients behind one small interface, and plain JSON-RPC over fetch for what they hide.
import { createMCPClient } from '@ai-sdk/mcp';
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { afterAll } from 'vitest';
import type { Json } from './program.ts';

/** What every client can do, in the words of the test. */
export interface ToolClient {
  toolNames(): Promise<string[]>;
  /** The text of the result and whether it is an error. Protocol errors reject. */
  call(name: string, args: Record<string, unknown>): Promise<{ text: string; isError: boolean }>;
  close(): Promise<void>;
}

export type Connect = (url: string, token: string) => Promise<ToolClient>;

const open: { close(): Promise<void> }[] = [];

afterAll(closeClients);

/** Closes every client so far; for files whose gate does not outlive a test. */
export async function closeClients(): Promise<void> {
  for (const client of open.splice(0)) await client.close();
}

/** Closes it after the test file. */
export function closeLater<T extends { close(): Promise<void> }>(client: T): T {
  open.push(client);
  return client;
}

/** The 1.x client of the official SDK. */
export async function clientV1(url: string, token: string, capabilities: object = {}): Promise<ClientV1> {
  const client = new ClientV1({ name: 'e2e-v1', version: '1.0.0' }, { capabilities });
  await client.connect(new TransportV1(new URL(url), { requestInit: { headers: bearer(token) } }));
  return closeLater(client);
}

export type Negotiation = 'legacy' | 'auto' | { pin: string };

/** The 2.x client, which speaks either era. */
export async function clientV2(
  url: string,
  token: string,
  mode: Negotiation,
  capabilities: object = {},
): Promise<ClientV2> {
  const client = new ClientV2(
    { name: 'e2e-v2', version: '1.0.0' },
    { capabilities, versionNegotiation: { mode } },
  );
  await client.connect(new TransportV2(new URL(url), { requestInit: { headers: bearer(token) } }));
  return closeLater(client);
}

const v2 =
  (mode: Negotiation): Connect =>
  async (url, token) =>
    official(await clientV2(url, token, mode));

/** Every client that must work, by name. */
export const toolClients: Readonly<Record<string, Connect>> = {
  'sdk 1.x': async (url, token) => official(await clientV1(url, token)),
  'client 2.x, legacy': v2('legacy'),
  'client 2.x, auto': v2('auto'),
  'client 2.x, pinned to 2026-07-28': v2({ pin: '2026-07-28' }),
  'AI SDK': aiSdk,
};

interface Official {
  listTools(params?: {
    cursor: string;
  }): Promise<{ tools: { name: string }[]; nextCursor?: string | undefined }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

function official(client: Official): ToolClient {
  return {
    toolNames: async () => (await client.listTools()).tools.map(({ name }) => name),
    call: async (name, args) => textOf(await client.callTool({ name, arguments: args })),
    close: () => client.close(),
  };
}

async function aiSdk(url: string, token: string): Promise<ToolClient> {
  const client = closeLater(
    await createMCPClient({ transport: { type: 'http', url, headers: bearer(token) } }),
  );
  return {
    toolNames: async () => Object.keys(await client.tools()),
    call: async (name, args) => {
      const tool = (await client.tools())[name];
      if (!tool) throw new Error(`The AI SDK sees no tool ${name}`);
      return textOf(await tool.execute(args, { toolCallId: '1', messages: [], context: undefined as never }));
    },
    close: () => client.close(),
  };
}

/** The text blocks of a tool result, joined. */
export function textOf(result: unknown): { text: string; isError: boolean } {
  const { content, isError } = result as { content: { type: string; text?: string }[]; isError?: boolean };
  return { text: content.map(({ text }) => text ?? '').join(''), isError: isError === true };
}

export function bearer(token: string): { Authorization: string } {
  return { Authorization: `Bearer ${token}` };
}

// ---- Without a client ---------------------------------------------------------------------------------

export interface RawAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** The JSON-RPC response, wherever it stood: body or last event. */
  readonly message: Json;
}

const accept = 'application/json, text/event-stream';
const modern = '2026-07-28';

export interface Raw {
  readonly url: string;
  readonly token: string;
  /** Of a legacy session. */
  readonly session?: string | undefined;
  readonly headers?: Readonly<Record<string, string>>;
}

/** One legacy message as it stands. */
export function post(raw: Raw, message: object | string, signal?: AbortSignal): Promise<Response> {
  return fetch(raw.url, { ...postInit(raw, message), signal: signal ?? AbortSignal.timeout(60_000) });
}

function postInit({ token, session, headers }: Omit<Raw, 'url'>, message: object | string) {
  return {
    method: 'POST',
    headers: {
      ...{ ...bearer(token), accept, 'content-type': 'application/json' },
      ...(session !== undefined && { 'mcp-session-id': session, 'mcp-protocol-version': '2025-11-25' }),
      ...headers,
    },
    body: typeof message === 'string' ? message : JSON.stringify(message),
  };
}

/** A request and its answer, read to the end. */
export async function ask(
  raw: Raw,
  method: string,
  params: object = {},
  id: string | number = 1,
): Promise<RawAnswer> {
  return answerOf(await post(raw, { jsonrpc: '2.0', id, method, params }));
}

/** The same in the modern era. */
export function askModern(
  raw: Raw,
  method: string,
  params: Record<string, unknown> = {},
  id: string | number = 1,
): Promise<RawAnswer> {
  return postModern(raw, method, params, { id }).then(answerOf);
}

export function postModern(
  raw: Raw,
  method: string,
  params: Record<string, unknown> = {},
  o: { id?: string | number; meta?: object; signal?: AbortSignal } = {},
): Promise<Response> {
  const init = modernInit(raw, method, params, o);
  return fetch(raw.url, { ...init, signal: o.signal ?? AbortSignal.timeout(60_000) });
}

/** What `fetch` needs to send a modern request. */
export function modernInit(
  raw: Omit<Raw, 'url'>,
  method: string,
  params: Record<string, unknown> = {},
  o: { id?: string | number; meta?: object } = {},
) {
  const prefix = 'io.modelcontextprotocol/';
  const _meta = { [`${prefix}protocolVersion`]: modern, [`${prefix}clientCapabilities`]: {}, ...o.meta };
  const name = params['name'] ?? params['uri'] ?? params['taskId'];
  const headers: Record<string, string> = { 'mcp-protocol-version': modern, 'mcp-method': method };
  if (typeof name === 'string') headers['mcp-name'] = name;
  return postInit(
    { ...raw, headers },
    { jsonrpc: '2.0', id: o.id ?? 1, method, params: { ...params, _meta } },
  );
}

export async function answerOf(response: Response): Promise<RawAnswer> {
  const text = await response.text();
  const { status, headers } = response;
  const isStream = headers.get('content-type')?.startsWith('text/event-stream');
  const last = isStream ? dataOf(text).at(-1) : text;
  return { status, headers, text, message: last === undefined || last === '' ? undefined : JSON.parse(last) };
}

function dataOf(text: string): string[] {
  return text.split('\n\n').flatMap((event) => /^data: (.+)$/m.exec(event)?.[1] ?? []);
}

/** Opens a legacy session. */
export async function openSession(
  url: string,
  token: string,
  capabilities: object = {},
): Promise<Raw & { session: string }> {
  const raw = { url, token };
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 'raw', version: '1' } };
  const answer = await ask(raw, 'initialize', params);
  const session = answer.headers.get('mcp-session-id');
  if (answer.status !== 200 || session === null)
    throw new Error(`No session: ${answer.status} ${answer.text}`);
  const opened = { ...raw, session };
  await (await post(opened, { jsonrpc: '2.0', method: 'notifications/initialized' })).text();
  return opened;
}

/** An event stream being read: every message so far, and whether it has ended. */
export interface Listening {
  readonly messages: Json[];
  readonly status: number;
  ended(): boolean;
  close(): void;
}

/** The standalone stream of a legacy session. */
export async function listenLegacy({ url, token, session }: Raw): Promise<Listening> {
  const abort = new AbortController();
  const headers = {
    ...bearer(token),
    accept: 'text/event-stream',
    'mcp-session-id': session ?? '',
    'mcp-protocol-version': '2025-11-25',
  };
  return follow(await fetch(url, { headers, signal: abort.signal }), abort);
}

/** `subscriptions/listen` of the modern era. */
export async function listenModern(
  raw: Raw,
  notifications: object,
  o: { id?: string | number; meta?: object } = {},
): Promise<Listening> {
  const abort = new AbortController();
  return follow(
    await postModern(
      raw,
      'subscriptions/listen',
      { notifications },
      { id: 'listen', ...o, signal: abort.signal },
    ),
    abort,
  );
}

/** Reads an event stream in the background. */
export function follow(response: Response, abort: AbortController): Listening {
  const messages: Json[] = [];
  let over = false;
  let rest = '';
  const read = async () => {
    const decoder = new TextDecoder();
    for await (const chunk of response.body ?? []) {
      rest += decoder.decode(chunk, { stream: true });
      const at = rest.lastIndexOf('\n\n');
      if (at < 0) continue;
      for (const data of dataOf(rest.slice(0, at))) messages.push(JSON.parse(data));
      rest = rest.slice(at + 2);
    }
  };
  read().then(
    () => (over = true),
    () => (over = true),
  );
  const listening = { messages, status: response.status, ended: () => over, close: () => abort.abort() };
  closeLater({ close: async () => abort.abort() });
  return listening;
}
