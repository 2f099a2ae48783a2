// Chats over MCP, by the official clients: each begins, lists, calls, and ends or is left.
import {
  Client as ClientV2,
  StreamableHTTPClientTransport as TransportV2,
} from '@modelcontextprotocol/client';
import { Client as ClientV1 } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { StreamableHTTPClientTransport as TransportV1 } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { bearer, textOf } from '../e2e/clients.ts';
import type { Line } from './pace.ts';
import { type ToolCall, toolCalls } from './servers.ts';
import { people, type World } from './world.ts';

interface Caller {
  listTools(): Promise<{ tools: readonly unknown[] }>;
  callTool(params: { name: string; arguments: Record<string, unknown> }): Promise<unknown>;
  close(): Promise<void>;
}

/** What a chat needs besides a client. */
interface Chatting {
  readonly kind: string;
  readonly calls: number;
  readonly perSecond: number;
  /** `at` counts the chats. */
  connect(at: number): Promise<Caller>;
}

export function mcpLines(world: World): Line[] {
  return [legacy(world), modern(world), older(world)].map((chatting) => lineOf(world, chatting));
}

export function personOf(world: World, at: number): { readonly email: string; readonly token: string } {
  const email = people[at % people.length] ?? '';
  return { email, token: world.tokens.get(email) ?? '' };
}

/** The address of the first replica; where a request goes is decided for each. */
export function urlOf(world: World, where: string): URL {
  return new URL(where, world.gates[0].url);
}

/** Undefined for a good result, else its text. Of a call that must fail a good result is the mistake. */
export async function outcomeOf(call: ToolCall, made: Promise<unknown>): Promise<string | undefined> {
  const { text, isError } = textOf(await made);
  if (call.fails !== undefined && !isError) throw new Error(`a good result of a server that fails: ${text}`);
  return isError ? text : undefined;
}

/** Under which name the time of a call is counted. */
export function kindOf(call: ToolCall, kind: string): string {
  return call.fails === undefined ? kind : `failing server: ${call.fails}`;
}

/** Sessions end properly; every third is left without a word. */
function legacy(world: World): Chatting {
  const ask = world.fetch('legacy');
  return {
    ...{ kind: 'legacy', calls: 10, perSecond: 2.5 },
    async connect(at) {
      const requestInit = { headers: bearer(personOf(world, at).token) };
      const transport = new TransportV1(urlOf(world, '/mcp'), { requestInit, fetch: ask });
      const client = new ClientV1({ name: 'load', version: '1' });
      await client.connect(transport);
      const close = async () => {
        if (at % 3 > 0) await transport.terminateSession();
        await client.close();
      };
      return { ...caller(client), close };
    },
  };
}

function modern(world: World): Chatting {
  const ask = world.fetch('modern');
  return {
    ...{ kind: 'modern', calls: 10, perSecond: 2.5 },
    async connect(at) {
      const requestInit = { headers: bearer(personOf(world, at).token) };
      const transport = new TransportV2(urlOf(world, '/mcp'), { requestInit, fetch: ask });
      const options = { versionNegotiation: { mode: { pin: '2026-07-28' } } } as const;
      const client = new ClientV2({ name: 'load', version: '1' }, options);
      await client.connect(transport);
      return caller(client);
    },
  };
}

function older(world: World): Chatting {
  const ask = world.fetch('sse');
  return {
    ...{ kind: 'sse', calls: 8, perSecond: 1 },
    async connect(at) {
      const requestInit = { headers: bearer(personOf(world, at).token) };
      const transport = new SSEClientTransport(urlOf(world, '/sse'), { requestInit, fetch: ask });
      const client = new ClientV1({ name: 'load', version: '1' });
      await client.connect(transport);
      return caller(client);
    },
  };
}

function caller(client: Caller): Caller {
  return {
    listTools: () => client.listTools(),
    callTool: (params) => client.callTool(params),
    close: () => client.close(),
  };
}

function lineOf({ ledger }: World, { kind, calls, perSecond, connect }: Chatting): Line {
  const next = toolCalls();
  let chats = 0;
  return {
    ...{ name: kind, perSecond },
    async once() {
      let client: Caller | undefined;
      await ledger.timed(`${kind}: begin`, async () => void (client = await connect(chats++)));
      if (client === undefined) return;
      const { callTool, listTools, close } = client;
      await ledger.timed(`${kind}: list`, async () =>
        (await listTools()).tools.length > 0 ? undefined : 'an empty list',
      );
      for (let made = 0; made < calls; made++) {
        const call = next();
        const { name, arguments: args } = call;
        await ledger.timed(kindOf(call, `${kind}: call`), () =>
          outcomeOf(call, callTool({ name, arguments: args })),
        );
      }
      await ledger.timed(`${kind}: end`, async () => {
        await close();
        return undefined;
      });
    },
  };
}
