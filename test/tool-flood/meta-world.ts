// Three servers of both eras behind the data plane, and calls of the gate's own tools as different people.
import { afterAll, beforeAll } from 'vitest';
import { type ExactUpstream, startExactUpstream } from './exact-upstream.ts';
import { as, type gatewayWorld, type Picture } from '../gateway-world.ts';

/** A tool whose text no parser and printer would give back. */
export const numbers =
  '{"name":"add_numbers","description":"Adds two numbers.","inputSchema":{"type":"object","properties":{"a":{"type":"number","maximum":12345678901234567890},"10":{"const":1.0}, "2":{}},"required":["a"]},"x-unknown":[1e2]}';
const tool = (name: string, description: string, more = '') =>
  `{"name":"${name}","description":"${description}","inputSchema":{"type":"object","properties":{"id":{"type":"string"}}}${more}}`;

export let mail: ExactUpstream;
export let desk: ExactUpstream;
/** Has tools of the same names as the gate's own. */
export let odd: ExactUpstream;
beforeAll(async () => {
  mail = await startExactUpstream('legacy', [
    tool('send_mail', 'Sends an e-mail message.'),
    tool('delete_mail', 'Deletes an e-mail message for ever.'),
  ]);
  const tickets = [tool('create_ticket', 'Opens a ticket.'), numbers];
  desk = await startExactUpstream('modern', tickets, 'Tickets are for ever.\nThink twice.');
  odd = await startExactUpstream('legacy', [
    tool('search_tools', 'Searches the tool shed.'),
    tool('call_tool', 'Rings the tool shed.'),
  ]);
});
afterAll(() => Promise.all([mail.close(), desk.close(), odd.close()]));

export function picture(): Picture {
  const http = ({ url }: ExactUpstream, more: object = {}) => ({ type: 'http', url, ...more });
  return {
    servers: {
      mail: http(mail, { displayName: 'Post', description: 'The post office.' }),
      desk: http(desk),
      odd: http(odd),
      secret: http(odd, { headers: { 'x-key': '${credential}' } }),
      dead: { type: 'http', url: 'http://127.0.0.1:1/mcp' },
      pinned: http(mail, { pin: 'enforce' }),
    },
    tenants: { acme: {} },
    groups: {
      all: { tenant: 'acme', servers: ['mail', 'desk', 'odd'] },
      senders: { servers: { mail: ['send_*'] } },
      locked: { servers: ['secret'] },
      lost: { servers: ['dead', 'mail'] },
      pinners: { servers: ['pinned'] },
    },
    users: {
      'alice@acme.com': { groups: ['all'] },
      'bob@acme.com': { groups: ['senders'] },
      'lock@acme.com': { groups: ['locked'] },
      'lost@acme.com': { groups: ['lost'] },
      'pia@acme.com': { groups: ['pinners'] },
      'nobody@acme.com': {},
    },
  };
}

export type World = Awaited<ReturnType<typeof gatewayWorld>>;
interface Result {
  readonly content: readonly { readonly text: string }[];
  readonly structuredContent?: {
    readonly tools: readonly { readonly name: string }[];
    readonly note?: string;
  };
  readonly isError?: boolean;
}

export const meta = ['search_tools', 'describe_tools', 'call_tool'];
export const modern = { 'mcp-protocol-version': '2026-07-28', 'mcp-method': 'tools/call' };
export const envelope = {
  'io.modelcontextprotocol/protocolVersion': '2026-07-28',
  'io.modelcontextprotocol/clientCapabilities': {},
};

/** The result of one of the gate's own tools. */
export async function call(
  world: World,
  name: string,
  args: unknown,
  o: { as?: string; path?: string; modern?: boolean } = {},
): Promise<Result & { text: string }> {
  const headers = {
    ...as(o.as ?? 'alice@acme.com'),
    ...(o.modern && { ...modern, 'mcp-name': name }),
  };
  const params = { name, arguments: args, ...(o.modern && { _meta: envelope }) };
  const { result, error } = await world.ask(o.path ?? '/mcp?mode=meta', 'tools/call', params, headers);
  if (!result) throw new Error(error?.message);
  const found = result as unknown as Result; // what tools/call answers, as the assertions below read it
  return { ...found, text: found.content.map(({ text }) => text).join('') };
}

/** The names that search_tools gives. */
export async function found(
  world: World,
  query: string,
  o: Parameters<typeof call>[3] = {},
): Promise<string[]> {
  const { structuredContent } = await call(world, 'search_tools', { query, limit: 25 }, o);
  return structuredContent!.tools.map(({ name }) => name);
}
