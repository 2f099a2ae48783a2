// A data plane with two servers that know people by their tokens, one of each era, and accounts that tests connect.
import { afterEach, beforeEach } from 'vitest';
import type { Json } from './asking-world.ts';
import { type GuardedServer, startGuardedServer } from './fakes/guarded-server.ts';
import { as, gatewayWorld, type Picture } from './gateway-world.ts';
import { stubAccounts } from './stub-accounts.ts';

export let servers: Record<'modern' | 'legacy', GuardedServer>;

export const alice = 'alice@acme.com';
export const bob = 'bob@acme.com';
export const link = /http:\/\/gate\.example\/gateway\/connect\?link=[\w-]+/;
export const url = { elicitation: { url: {} } };

// New ones for each test: what an earlier one left on its way must not be taken for this one's.
beforeEach(async () => {
  servers = { modern: await startGuardedServer('modern'), legacy: await startGuardedServer('legacy') };
  for (const { tokens } of Object.values(servers))
    tokens.set('token of alice@acme.com', 'Alice').set('token of bob@acme.com', 'Bob');
});
afterEach(() => Promise.all(Object.values(servers).map((server) => server.close())));

export function picture(o: { account?: object; more?: object } = {}): Picture {
  const account = o.account ?? { kind: 'oauth' };
  return {
    servers: {
      modern: { type: 'http', url: servers.modern.url, displayName: 'Modern <b>', account, ...o.more },
      legacy: { type: 'http', url: servers.legacy.url, displayName: 'Old One', account, ...o.more },
    },
    groups: { all: { servers: ['modern', 'legacy'] } },
    users: { [alice]: { groups: ['all'] }, [bob]: { groups: ['all'] } },
  };
}

export async function world(o: { account?: object; more?: object; secrets?: Record<string, string> } = {}) {
  const accounts = stubAccounts();
  const gate = await gatewayWorld(picture(o), {
    accounts,
    ...(o.secrets && { secrets: o.secrets }),
    connectWaits: { streaming: 10_000, silent: 10_000 },
  });
  return { ...gate, accounts };
}

type World = Awaited<ReturnType<typeof world>>;

export async function callText(gate: World, path: string, name: string, headers = {}): Promise<string> {
  const { result, error } = (await gate.ask(path, 'tools/call', { name, arguments: {} }, headers)) as Json;
  return error ? error.message : result.content[0].text;
}

/** A legacy session of a client that can open pages; its calls are read as streams. */
export async function legacySession(gate: World, path: string, capabilities: object = url, who = alice) {
  const params = { protocolVersion: '2025-11-25', capabilities, clientInfo: { name: 't', version: '1' } };
  const hello = await gate.post(path, { id: 0, method: 'initialize', params }, as(who));
  await hello.text();
  const session = { 'mcp-session-id': hello.headers.get('mcp-session-id') ?? '', ...as(who) };
  const accept = { accept: 'application/json, text/event-stream', ...session };
  return {
    session,
    call: (name: string) =>
      gate.post(path, { id: 1, method: 'tools/call', params: { name, arguments: {} } }, accept),
    answer: (id: unknown, result: object) => gate.post(path, { id, result }, session),
  };
}

/** Reads events as they come. */
export async function* events(response: Response): AsyncGenerator<Json> {
  let text = '';
  for await (const part of response.body ?? []) {
    text += Buffer.from(part as Uint8Array).toString('utf8');
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const data = /^data: (\{.+)$/m.exec(text.slice(0, end))?.[1];
      text = text.slice(end + 2);
      if (data !== undefined) yield JSON.parse(data);
    }
  }
}

export const both = ['modern', 'legacy'] as const;
