// Two tenants, one server id, two upstreams, and calls of both at the same time over everything there is: not one may
// reach the other's server, or carry the other's key.
import { expect, test } from 'vitest';
import { ask, askModern, bearer, openSession, type Raw, type RawAnswer, textOf } from './clients.ts';
import { eventually, startGate } from './gate.ts';
import { type MarkingUpstream, startMarkingUpstream } from './marking-upstream.ts';

type Tenant = 'north' | 'south';
const tenants = ['north', 'south'] as const;

const at: Record<Tenant, MarkingUpstream> = {
  north: await startMarkingUpstream('north'),
  south: await startMarkingUpstream('south'),
};
const later: Record<Tenant, MarkingUpstream> = {
  north: await startMarkingUpstream('later-north'),
  south: await startMarkingUpstream('later-south'),
};
const gate = await startGate({
  config: {
    mcpServers: {
      crm: {
        type: 'http',
        url: 'http://${variable:host}/mcp',
        headers: { Authorization: 'Bearer ${credential}', 'X-Tenant': '${variable:tenant}' },
        variables: { host: '' },
      },
    },
    // One by a variable, one by an address of its own.
    tenants: {
      north: { variables: { crm: { host: at.north.host } } },
      south: { endpoints: { crm: at.south.url } },
    },
    groups: Object.fromEntries(tenants.map((tenant) => [tenant, { tenant, servers: ['crm'] }])),
    users: {
      'ann@north.example': { groups: ['north'] },
      'ann@south.example': { groups: ['south'] },
      'eve@both.example': { groups: ['north', 'south'] },
    },
    network: { allow: ['127.0.0.0/8'] },
  },
  env: { RATE_LIMIT_ENABLED: 'false' },
});
const own = {
  north: await gate.tokenFor('ann@north.example'),
  south: await gate.tokenFor('ann@south.example'),
};
const both = await gate.tokenFor('eve@both.example');
for (const tenant of tenants)
  expect((await gate.admin('PUT', `/tenants/${tenant}/keys/crm`, { value: `key-of-${tenant}` })).status).toBe(
    200,
  );

/** One way for a tenant's people to make a call: resolves with the text of the answer. */
type Way = (marker: string) => Promise<string>;

function text({ message, text: whole }: RawAnswer): string {
  return message?.result === undefined ? whole : textOf(message.result).text;
}

function modern(path: string, token: string): Way {
  const name = path.endsWith('/crm') ? 'mark' : 'crm__mark';
  const raw = { url: `${gate.url}${path}`, token };
  return async (marker) => text(await askModern(raw, 'tools/call', { name, arguments: { marker } }));
}

async function legacy(path: string, token: string): Promise<Way> {
  const name = path.endsWith('/crm') ? 'mark' : 'crm__mark';
  const session: Raw = await openSession(`${gate.url}${path}`, token);
  return async (marker) => text(await ask(session, 'tools/call', { name, arguments: { marker } }));
}

function http(path: string, token: string): Way {
  return async (marker) => {
    const response = await fetch(`${gate.url}${path}/tools/crm/mark`, {
      method: 'POST',
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: JSON.stringify({ marker }),
    });
    return response.text();
  };
}

async function waysOf(tenant: Tenant): Promise<Way[]> {
  const mine = own[tenant];
  const under = `/t/${tenant}`;
  return [
    ...['/mcp', '/mcp/crm', `${under}/mcp`, `${under}/mcp/crm`].map((path) => modern(path, mine)),
    ...[`${under}/mcp`, `${under}/mcp/crm`].map((path) => modern(path, both)),
    ...(await Promise.all([
      legacy('/mcp', mine),
      legacy('/mcp/crm', mine),
      legacy(`${under}/mcp`, both),
      legacy(`${under}/mcp/crm`, both),
    ])),
    http('', mine),
    http(under, mine),
    http(under, both),
  ];
}

interface Called {
  readonly tenant: Tenant;
  readonly marker: string;
  readonly answer: string;
}

/** So many calls of both tenants in turn, by every way in turn, this many at a time. */
async function callAll(count: number, atOnce: number, onCall?: (n: number) => void): Promise<Called[]> {
  const ways = { north: await waysOf('north'), south: await waysOf('south') };
  const called: Called[] = [];
  let next = 0;
  const one = async (): Promise<void> => {
    for (let n = next++; n < count; n = next++) {
      const tenant = tenants[n % 2]!;
      const way = ways[tenant][Math.floor(n / 2) % ways[tenant].length]!;
      const marker = `${tenant}-${n}`;
      onCall?.(n);
      called.push({ tenant, marker, answer: await way(marker) });
    }
  };
  await Promise.all(Array.from({ length: atOnce }, one));
  return called;
}

function keyOf(tenant: Tenant): string {
  return `Bearer key-of-${tenant}`;
}

test('10,000 calls of two tenants at the same time reach their own server with their own key, every one', async () => {
  for (const tenant of tenants) {
    const [way] = await waysOf(tenant);
    await eventually('the keys are there', async () => (await way!(`${tenant}-0`)).startsWith(tenant));
  }
  for (const tenant of tenants) at[tenant].marks.length = 0;
  const called = await callAll(10_000, 48);
  const wrong = called.filter(
    ({ tenant, marker, answer }) => !answer.includes(`${tenant} ${marker} ${keyOf(tenant)}`),
  );
  expect(wrong.slice(0, 5)).toEqual([]);
  for (const tenant of tenants) {
    const { marks, keys } = at[tenant];
    expect(marks).toHaveLength(5_000);
    expect(marks.filter(({ marker }) => !marker.startsWith(`${tenant}-`))).toEqual([]);
    expect(new Set(marks.map(({ tenant: told }) => told))).toEqual(new Set([tenant]));
    expect([...keys]).toEqual([keyOf(tenant)]);
  }
}, 120_000);

test('while administrators move both tenants to and fro, a call goes to an old or a new address of its own tenant', async () => {
  const moves: Promise<unknown>[] = [];
  const there: Record<Tenant, boolean> = { north: false, south: false };
  const move = (tenant: Tenant) => {
    there[tenant] = !there[tenant];
    const to = (there[tenant] ? later : at)[tenant];
    if (tenant === 'south') return gate.admin('PUT', '/tenants/south/endpoints/crm', { url: to.url });
    return gate.admin('PUT', '/tenants/north/variables/crm', { values: { host: to.host } });
  };
  const called = await callAll(3_000, 32, (n) => {
    if (n % 250 === 125) moves.push(move(n % 500 === 125 ? 'north' : 'south'));
  });
  const answers = (await Promise.all(moves)) as { status: number; body: unknown }[];
  expect(answers.filter(({ status }) => status !== 200)).toEqual([]);
  const wrong = called.filter(
    ({ tenant, marker, answer }) => !answer.includes(`${tenant} ${marker} ${keyOf(tenant)}`),
  );
  expect(wrong.slice(0, 5)).toEqual([]);
  for (const tenant of tenants) {
    expect([...later[tenant].keys]).toEqual([keyOf(tenant)]);
    expect(later[tenant].marks.length).toBeGreaterThan(0);
    for (const { marks } of [at[tenant], later[tenant]])
      expect(marks.filter(({ marker }) => !marker.startsWith(`${tenant}-`))).toEqual([]);
  }
}, 120_000);
