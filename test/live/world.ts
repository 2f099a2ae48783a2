// A real Toolgate with two people of two tenants, in front of servers that are real but for one that says whose key came.
import { askModern, closeLater } from '../e2e/clients.ts';
import { eventually, type Gate, startGate } from '../e2e/gate.ts';
import type { Json } from '../e2e/program.ts';
import { startUpstream, type UpstreamServer } from '../e2e/upstream.ts';
import { startConformanceServer } from '../fakes/conformance-server.ts';

export interface World {
  readonly gate: Gate;
  readonly whoami: UpstreamServer;
  /** `name` -> its API token. */
  readonly tokens: Readonly<Record<'alice' | 'bob', string>>;
}

const asking = ['test_elicitation', 'test_sampling', 'test_tool_with_progress'];

/** The tools of each person on `/mcp`. */
export const mine = {
  alice: [
    'everything__echo',
    ...['fixture', 'new', 'old'].flatMap((server) => asking.map((tool) => `${server}__${tool}`)),
    'whoami__forget_me',
    'whoami__who_am_i',
  ],
  bob: ['everything__get-sum', 'whoami__who_am_i'],
};

const noArguments = { type: 'object', properties: {} };
const who = {
  name: 'who_am_i',
  description: 'Tells which key the call came with',
  inputSchema: noArguments,
  annotations: { readOnlyHint: true },
};
const forget = {
  name: 'forget_me',
  description: 'Deletes everything about the key that the call came with',
  inputSchema: noArguments,
  annotations: { readOnlyHint: false, destructiveHint: true },
};

export async function startWorld(env: Readonly<Record<string, string>> = {}): Promise<World> {
  const both = closeLater(await startConformanceServer());
  const modern = closeLater(await startConformanceServer({ era: 'modern' }));
  const legacy = closeLater(await startConformanceServer({ era: 'legacy' }));
  const whoami = await startUpstream(
    { tools: {} },
    {
      'tools/list': () => ({ tools: [who, forget] }),
      'tools/call': ({ params }, headers) => ({
        content: [{ type: 'text', text: `${String(params?.['name'])} with ${headers['x-key']}` }],
      }),
    },
  );
  const gate = await startGate({
    embedded: true,
    env,
    config: {
      mcpServers: {
        everything: { command: 'mcp-server-everything' },
        fixture: { type: 'http', url: both.url },
        new: { type: 'http', url: modern.url },
        old: { type: 'http', url: legacy.url },
        whoami: { type: 'http', url: whoami.url, headers: { 'X-Key': '${credential}' } },
      },
      groups: {
        Acme: {
          tenant: 'acme',
          servers: {
            everything: ['echo'],
            fixture: asking,
            new: asking,
            old: asking,
            whoami: ['*'],
          },
        },
        Beta: { tenant: 'beta', servers: { everything: ['get-sum'], whoami: ['who_am_i'] } },
        // Of no tenant, so that an OpenAPI document shows its tools to everybody, also the one that bob may not use.
        Whoami: { servers: { whoami: ['who_am_i', 'forget_me'] } },
      },
      tenants: { acme: { displayName: 'Acme' }, beta: { displayName: 'Beta' } },
      users: { 'alice@acme.com': { groups: ['Acme'] }, 'bob@beta.com': { groups: ['Beta'] } },
      network: { allow: ['127.0.0.0/8'] },
    },
  });
  // The shared key describes the server to those of no tenant, such as a link to its OpenAPI document.
  const keys = { '/tenants/acme/keys': 'acme-key', '/tenants/beta/keys': 'beta-key', '/keys': 'shared-key' };
  for (const [path, value] of Object.entries(keys)) {
    const { status } = await gate.admin('PUT', `${path}/whoami`, { value });
    if (status >= 300) throw new Error(`The key at ${path} was refused: ${status}`);
  }
  const tokens = { alice: await gate.tokenFor('alice@acme.com'), bob: await gate.tokenFor('bob@beta.com') };
  for (const [name, token] of Object.entries(tokens)) {
    await eventually(`all servers of ${name} are listed`, async () => {
      const answer = await askModern({ url: `${gate.url}/mcp`, token }, 'tools/list');
      const names = answer.message.result.tools.map((tool: Json) => tool.name);
      return names.length === mine[name === 'alice' ? 'alice' : 'bob'].length;
    });
  }
  return { gate, whoami, tokens };
}
