// A table: what each kind of upstream does wrong, whatever the transport.
import { setTimeout as wait } from 'node:timers/promises';
import { askingTools, describeTool, type FakeTools, reportingTools, usualTools } from './tools.ts';
import {
  goneOf,
  type Host,
  numberOption,
  type RpcMessage,
  type RpcRequest,
  send,
  type Wire,
} from './wire.ts';

/** One request that a kind mistreats. */
export interface Turn {
  readonly request: RpcRequest;
  readonly wire: Wire;
  readonly host: Host;
  /** The answer that an honest server would give. */
  readonly honest: () => Promise<RpcMessage>;
}

export interface Kind {
  /** Speaks 2026-07-28 only. All others speak the legacy revisions only. */
  readonly modern?: true;
  /** HTTP: answers with an event stream, not with a JSON body. The option `stream` does it to any kind. */
  readonly streams?: true;
  /** HTTP: hands out session ids, insists on them and offers the GET stream. */
  readonly sessions?: true;
  readonly tools?: FakeTools;
  readonly page?: (cursor: string | undefined, host: Host) => { tools: RpcMessage[]; nextCursor?: string };
  /** The methods it misbehaves on, `*` for all; `tools/call` when left out. The option `on` names others. */
  readonly on?: readonly string[];
  readonly instead?: (turn: Turn) => void | Promise<void>;
  /** Announces a changed list every `ms` (option, default 50) milliseconds. */
  readonly changes?: true;
}

/** The server of `unicode-numbers` sends exactly these results; parsing and printing them again changes them. */
export const exactResults: Readonly<Record<string, string>> = {
  'tools/list':
    '{"tools":[{"name":"exact","description":"caf\\u00e9 \\ud83d\\ude00 \\/","inputSchema":{"type":"object","properties":' +
    '{"10":{"type":"integer","maximum":12345678901234567890},"2":{"type":"number","multipleOf":1.0}},' +
    '"x-unknown":{"10":"ten","2":"two","b":1e2,"a":-0}},"unknownField":[12345678901234567890,1.0]}],"unknownTop":0.10}',
  'tools/call':
    '{"content":[{"type":"text","text":"exact"},{"type":"unknown-block","n":1.0}],"structuredContent":' +
    '{"big":12345678901234567890,"float":1.0,"keys":{"10":1,"2":2,"b":3,"a":4}},"unknownTop":{"e":1E400}}',
};

export const kinds = {
  ok: {},
  modern: { modern: true },
  never: { on: ['*'], instead: ({ wire }) => goneOf(wire.signal) },
  'never-call': { instead: ({ wire }) => goneOf(wire.signal) },
  late: {
    on: ['*'],
    instead: async ({ wire, host, honest }) => {
      const answer = await honest();
      await wait(numberOption(host.options, 'ms', 300));
      send(wire, answer);
    },
  },
  'wrong-id': {
    streams: true,
    instead: async ({ wire, request, honest }) => {
      const answer = await honest();
      for (const id of [`${request.id}-other`, Number(request.id) + 1000, wrongType(request.id), null]) {
        send(wire, { ...answer, id });
      }
    },
  },
  huge: {
    instead: ({ wire, request, host }) => {
      const text = 'x'.repeat(numberOption(host.options, 'bytes', 50 * 1024 * 1024));
      send(wire, { jsonrpc: '2.0', id: request.id, result: { content: [{ type: 'text', text }] } });
    },
  },
  endless: {
    instead: async ({ wire }) => {
      const chunk = 'x'.repeat(64 * 1024);
      while (!wire.signal.aborted) await wire.sendBytes(chunk);
    },
  },
  'invalid-json': { instead: ({ wire }) => wire.sendText('{"jsonrpc":"2.0","id":1,"result":{') },
  closes: {
    instead: async ({ wire, honest }) => {
      const text = JSON.stringify(await honest());
      await wire.sendBytes(text.slice(0, text.length / 2));
      wire.breakOff();
    },
  },
  'duplicate-response': {
    streams: true,
    instead: async ({ wire, honest }) => {
      const answer = await honest();
      send(wire, answer);
      send(wire, answer);
    },
  },
  'list-changes': {
    sessions: true,
    changes: true,
    page: (_cursor, host) => ({ tools: [describeTool(`change_${host.ticks}`), ...usualList()] }),
  },
  paginated: {
    page: (cursor = '0') => {
      const page = Number(cursor);
      const tools = [0, 1, 2].map((at) => describeTool(`tool_${String(page * 3 + at).padStart(2, '0')}`));
      return page < 9 ? { tools, nextCursor: String(page + 1) } : { tools };
    },
  },
  'cursor-loop': {
    page: (cursor = '0') => ({
      tools: [describeTool(`tool_${cursor}`)],
      nextCursor: String(Number(cursor) + 1),
    }),
  },
  'unicode-numbers': {
    on: Object.keys(exactResults),
    instead: ({ wire, request }) => {
      wire.sendText(
        `{"jsonrpc":"2.0","id":${JSON.stringify(request.id)},"result":${exactResults[request.method]}}`,
      );
    },
  },
  asks: { sessions: true, streams: true, tools: { ...usualTools, ...askingTools } },
  progress: { sessions: true, streams: true, tools: { ...usualTools, ...reportingTools } },
  'counts-sessions': { sessions: true },
} as const satisfies Record<string, Kind>;

export type KindName = keyof typeof kinds;

/** The kind of that name, or undefined. */
export function kindNamed(name: string): Kind | undefined {
  return Object.hasOwn(kinds, name) ? kinds[name as KindName] : undefined;
}

function usualList(): RpcMessage[] {
  return Object.entries(usualTools).map(([name, tool]) => describeTool(name, tool));
}

function wrongType(id: string | number): string | number {
  return typeof id === 'number' ? String(id) : id.length;
}
