import { setTimeout as wait } from 'node:timers/promises';
import { type Host, type RpcMessage, type RpcRequest, send, type Wire } from './wire.ts';

/** One `tools/call` in progress. */
export interface Call {
  readonly args: Readonly<Record<string, unknown>>;
  readonly request: RpcRequest;
  readonly wire: Wire;
  readonly host: Host;
}

export interface FakeTool {
  /** JSON Schema types of the arguments; all are required. */
  readonly args?: Readonly<Record<string, 'string' | 'number' | 'integer'>>;
  /** The text of the answer. */
  readonly call: (call: Call) => string | Promise<string>;
}

export type FakeTools = Readonly<Record<string, FakeTool>>;

/** What every kind offers and, unless lying is its point, does properly. */
export const usualTools: FakeTools = {
  echo: { args: { text: 'string' }, call: ({ args }) => String(args['text']) },
  add: {
    args: { a: 'number', b: 'number' },
    call: ({ args }) => String(Number(args['a']) + Number(args['b'])),
  },
  slow: {
    args: { ms: 'integer' },
    call: async ({ args, wire }) => {
      await wait(Number(args['ms']), undefined, { signal: wire.signal });
      return 'done';
    },
  },
  big: { args: { bytes: 'integer' }, call: ({ args }) => 'x'.repeat(Number(args['bytes'])) },
  whoami: {
    call: ({ wire, host }) => JSON.stringify({ pid: process.pid, seen: wire.seen, counts: host.counts }),
  },
  crash: {
    call: ({ wire }) => {
      wire.crash();
      return 'never read';
    },
  },
};

/** Tools that ask the client, mid-call; the answer's text is the client's whole JSON-RPC answer. */
export const askingTools: FakeTools = {
  ask_elicit: asks('elicitation/create', {
    message: 'What is your name?',
    requestedSchema: { type: 'object', properties: { name: { type: 'string' } }, required: ['name'] },
  }),
  ask_sample: asks('sampling/createMessage', {
    messages: [{ role: 'user', content: { type: 'text', text: 'Say hello' } }],
    maxTokens: 10,
  }),
  ask_roots: asks('roots/list', {}),
};

/** Reports progress (if it was given a token) and logs a line at each step. */
export const reportingTools: FakeTools = {
  work: {
    args: { steps: 'integer' },
    call: async ({ args, request, wire }) => {
      const steps = Number(args['steps']);
      const progressToken = progressTokenOf(request);
      for (let progress = 1; progress <= steps; progress++) {
        if (progressToken !== undefined) {
          notify(wire, 'notifications/progress', { progressToken, progress, total: steps });
        }
        notify(wire, 'notifications/message', { level: 'info', data: `step ${progress}` });
        await wait(5);
      }
      return `${steps} steps`;
    },
  },
};

/** A tool as `tools/list` shows it. */
export function describeTool(name: string, { args = {} }: Pick<FakeTool, 'args'> = {}): RpcMessage {
  const properties = Object.fromEntries(Object.entries(args).map(([arg, type]) => [arg, { type }]));
  const inputSchema = { type: 'object', properties, required: Object.keys(args) };
  return { name, description: `The tool ${name}`, inputSchema };
}

function asks(method: string, params: RpcMessage): FakeTool {
  return { call: async ({ wire, host }) => JSON.stringify(await host.ask(wire, method, params)) };
}

function notify(wire: Wire, method: string, params: RpcMessage): void {
  send(wire, { jsonrpc: '2.0', method, params });
}

function progressTokenOf(request: RpcRequest): string | number | undefined {
  // Written by whoever calls a test fixture, so it is only passed back.
  const meta = request.params?.['_meta'] as { progressToken?: string | number } | undefined;
  return meta?.progressToken;
}
