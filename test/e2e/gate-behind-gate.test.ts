// Gates of departments behind one in front: each is a server of that one, and believes it about who is calling.
import { expect, test } from 'vitest';
import { bearer, toolClients } from './clients.ts';
import { configOf, eventually, query, startGate } from './gate.ts';
import { freePort } from './program.ts';
import { startUpstream } from './upstream.ts';

const upstream = await startUpstream(
  { tools: {} },
  {
    'tools/list': () => ({ tools: [{ name: 'look', inputSchema: { type: 'object' } }] }),
    'tools/call': () => ({ content: [{ type: 'text', text: 'seen' }] }),
  },
);
const innerPort = await freePort();
const innerUrl = `http://127.0.0.1:${innerPort}`;
const department = { type: 'http', url: `${innerUrl}/mcp`, account: { kind: 'signed' } };
const everyone = ['alice@acme.com', 'bob@acme.com', 'carol@acme.com'];
const outer = await startGate({
  config: configOf(
    { sales: department, wrong: { ...department, url: `http://localhost:${innerPort}/mcp` } },
    {
      groups: { Everyone: { servers: ['sales', 'wrong'] }, Sales: {}, Bosses: { admin: true } },
      users: {
        'alice@acme.com': { groups: ['Everyone', 'Sales'] },
        'bob@acme.com': { groups: ['Everyone'] },
        'carol@acme.com': { groups: ['Everyone', 'Sales', 'Bosses'] },
      },
    },
  ),
});
const crm = { type: 'http', url: upstream.url };
const inner = await startGate({
  config: configOf({ crm, vault: crm }, { groups: { Sales: { servers: ['crm'] } }, users: {} }),
  env: {
    ...{ PORT: String(innerPort), API_GATEWAY_MODE: 'true', API_GATEWAY_URL: outer.url },
    API_GATEWAY_AUDIENCE: innerUrl,
  },
});
const tokens = new Map<string, string>();
for (const email of everyone) tokens.set(email, await outer.tokenFor(email));
const tokenOf = (email: string) => tokens.get(email) ?? '';

test.each(Object.entries(toolClients))(
  'each person calls through both gates as themselves, and has there what their groups give: %s',
  async (_name, connect) => {
    const [alice, bob] = await Promise.all([
      connect(`${outer.url}/mcp/sales`, tokenOf('alice@acme.com')),
      connect(`${outer.url}/mcp/sales`, tokenOf('bob@acme.com')),
    ]);
    expect(await alice.toolNames()).toContain('crm__look');
    expect(await bob.toolNames()).not.toContain('crm__look');
    expect(await alice.call('crm__look', {})).toEqual({ text: 'seen', isError: false });
    const refused = await bob.call('crm__look', {}).catch((error: unknown) => error);
    expect(refused).not.toMatchObject({ isError: false });
  },
);

test('the records of the gate behind name the person, and the source', async () => {
  const rows = await eventually('the call is recorded', async () => {
    const found = await query(
      inner.databaseUrl ?? '',
      `select distinct user_email, auth_source from mcp_proxy.api_analytics where tool like '%look'`,
    );
    return found.length > 0 && found;
  });
  expect(rows).toContainEqual({ user_email: 'alice@acme.com', auth_source: 'gateway' });
});

test('an administrator in front is none behind', async () => {
  const { 'sdk 1.x': connect } = toolClients;
  const carol = await connect!(`${outer.url}/mcp/sales`, tokenOf('carol@acme.com'));
  const names = await carol.toolNames();
  expect(names).toContain('crm__look');
  expect(names).not.toContain('vault__look');
});

test('what a client sends of the kind is not what counts behind', async () => {
  const names = await fetch(`${outer.url}/mcp/sales`, {
    method: 'POST',
    headers: {
      ...bearer(tokenOf('bob@acme.com')),
      ...{ 'content-type': 'application/json', accept: 'application/json, text/event-stream' },
      ...{ 'x-gateway-signature': 'made.up.text', 'x-user-email': 'alice@acme.com' },
    },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/list' }),
  }).then((response) => response.text());
  expect(names).toContain('"tools"');
  expect(names).not.toContain('crm__look');
});

test('the admin API cannot have people told to a server', async () => {
  const change = { account: { kind: 'signed' } };
  expect((await outer.admin('PATCH', '/servers/sales', change)).status).toBe(400);
  const added = { id: 'added', type: 'http', url: `${upstream.url}`, ...change };
  const answer = await outer.admin('POST', '/servers', added);
  expect([answer.status, JSON.stringify(answer.body)]).toEqual([400, expect.stringContaining('account')]);
});

test('a signature for another address does not count, and no server behind sees one', async () => {
  const connecting = toolClients['sdk 1.x']!(`${outer.url}/mcp/wrong`, tokenOf('alice@acme.com'));
  const outcome = await connecting.then((client) => client.toolNames()).catch(() => []);
  expect(outcome).not.toContain('crm__look');
  expect(JSON.stringify(upstream.seen)).not.toContain('x-gateway-signature');
});
