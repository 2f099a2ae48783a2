import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { ask, askModern, closeLater, openSession, textOf } from './clients.ts';
import { eventually, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());
const ofSouth = closeLater(await startHostileHttp());
const tenants = ['north', 'south'] as const;
type TenantName = (typeof tenants)[number];

const gate = await startGate({
  config: {
    mcpServers: {
      crm: { type: 'http', url: upstream.url('ok'), headers: { Authorization: 'Bearer ${credential}' } },
    },
    tenants: { north: {}, south: {} },
    groups: Object.fromEntries(tenants.map((tenant) => [tenant, { tenant, servers: ['crm'] }])),
    users: {
      'ann@north.example': { groups: ['north'] },
      'ann@south.example': { groups: ['south'] },
      'eve@both.example': { groups: ['north', 'south'] },
    },
    network: { allow: ['127.0.0.0/8'] },
  },
});
const token = {
  north: await gate.tokenFor('ann@north.example'),
  south: await gate.tokenFor('ann@south.example'),
  both: await gate.tokenFor('eve@both.example'),
};

async function admin(method: string, path: string, body?: unknown): Promise<void> {
  const { status, body: said } = await gate.admin(method, path, body);
  expect(status, JSON.stringify(said)).toBeLessThan(300);
}

async function whoami(who: keyof typeof token, path = '/mcp') {
  const raw = { url: `${gate.url}${path}`, token: token[who] };
  const name = path.endsWith('crm') ? 'whoami' : 'crm__whoami';
  const { message } = await askModern(raw, 'tools/call', { name, arguments: {} });
  return textOf(message.result);
}

/** What the upstream was shown as credential. */
async function keySeen(who: keyof typeof token, path?: string): Promise<string> {
  const { text } = await eventually('the key is used', async () => {
    const answer = await whoami(who, path);
    return !answer.isError && answer;
  });
  return JSON.parse(text).seen.authorization;
}

test('without a key nothing is sent, and the caller is told what is missing', async () => {
  expect(await whoami('north')).toEqual({
    text: expect.stringMatching(/^The server "crm" needs a key that has not been set .*\.$/),
    isError: true,
  });
  expect(upstream.stats('ok').requests).toBe(0);
});

test('each tenant reaches its own endpoint with its own key, on every path', async () => {
  await admin('PUT', '/tenants/north/keys/crm', { value: 'key-of-north' });
  await admin('PUT', '/tenants/south/keys/crm', { value: 'key-of-south' });
  await admin('PUT', '/tenants/south/endpoints/crm', { url: ofSouth.url('ok') });
  const at: Record<TenantName, typeof upstream> = { north: upstream, south: ofSouth };
  for (const tenant of tenants) {
    for (const path of ['/mcp', '/mcp/crm', `/t/${tenant}/mcp`, `/t/${tenant}/mcp/crm`]) {
      const before = { north: upstream.stats('ok').requests, south: ofSouth.stats('ok').requests };
      expect(await keySeen(tenant, path)).toBe(`Bearer key-of-${tenant}`);
      expect(at[tenant].stats('ok').requests).toBeGreaterThan(before[tenant]);
      const other = tenant === 'north' ? 'south' : 'north';
      expect(at[other].stats('ok').requests).toBe(before[other]);
    }
  }
});

test('a person of two tenants says which one, by path, by token or by default', async () => {
  const asked = await whoami('both');
  expect(asked.isError).toBe(true);
  expect(asked.text).toMatch(/^You are in several tenants \(north, south\): .*\.$/);
  expect(await keySeen('both', '/t/north/mcp')).toBe('Bearer key-of-north');
  expect(await keySeen('both', '/t/south/mcp/crm')).toBe('Bearer key-of-south');
  const scoped = await gate.tokenFor('eve@both.example', { tenant: 'south' });
  const answer = await askModern({ url: `${gate.url}/mcp`, token: scoped }, 'tools/call', {
    name: 'crm__whoami',
    arguments: {},
  });
  expect(JSON.parse(textOf(answer.message.result).text).seen.authorization).toBe('Bearer key-of-south');
  await admin('PATCH', '/users/eve@both.example', { defaultTenant: 'north' });
  expect(await keySeen('both')).toBe('Bearer key-of-north');
});

test('the tenant of others and one that does not exist look the same', async () => {
  for (const tenant of ['south', 'nowhere']) {
    const said = { text: `You are not in a tenant "${tenant}".`, isError: true };
    expect(await whoami('north', `/t/${tenant}/mcp`)).toEqual(said);
    const { status, message } = await askModern(
      { url: `${gate.url}/t/${tenant}/mcp`, token: token.north },
      'tools/list',
    );
    expect([status, message.error.message]).toEqual([404, said.text]);
  }
});

test('a legacy session belongs to whoever opened it', async () => {
  const session = await openSession(`${gate.url}/mcp`, token.north);
  expect((await ask(session, 'tools/list')).status).toBe(200);
  expect((await ask({ ...session, token: token.south }, 'tools/list')).status).toBe(404);
});

test('an endpoint or a key that is taken away is no longer used', async () => {
  await admin('DELETE', '/tenants/south/endpoints/crm');
  await eventually('back at the server itself', async () => {
    await whoami('south');
    return upstream.stats('ok').lastHeaders['authorization'] === 'Bearer key-of-south';
  });
  await admin('DELETE', '/tenants/north/keys/crm');
  await eventually('no key', async () => (await whoami('north')).text.includes('has not been set'));
  await admin('PUT', '/keys/crm', { value: 'key-for-all' });
  expect(await keySeen('north')).toBe('Bearer key-for-all');
  expect(await keySeen('south')).toBe('Bearer key-of-south');
});
