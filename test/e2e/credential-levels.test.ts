// Keys at four levels, through every face of the real program, to a server that says which key it was shown.
import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { SSEClientTransport } from '@modelcontextprotocol/sdk/client/sse.js';
import { beforeEach, describe, expect, test } from 'vitest';
import { ask, askModern, bearer, clientV1, closeLater, textOf } from './clients.ts';
import { eventually, query, startGate } from './gate.ts';
import { startUpstream } from './upstream.ts';

const whoami = {
  'tools/list': () => ({ tools: [{ name: 'whoami', inputSchema: { type: 'object' } }] }),
  'tools/call': (_request: unknown, headers: Readonly<Record<string, string>>) => ({
    content: [{ type: 'text', text: `I saw ${headers['authorization'] ?? 'nothing'}` }],
  }),
};
const upstream = await startUpstream({ tools: {} }, whoami);
const ofAcme = await startUpstream({ tools: {} }, whoami);

const gate = await startGate({
  config: {
    mcpServers: {
      crm: { type: 'http', url: upstream.url, headers: { Authorization: 'Bearer ${credential}' } },
      wiki: {
        ...{ type: 'http', url: upstream.url },
        headers: { Authorization: 'Basic ${credential.basic:user:password}' },
      },
      away: { type: 'http', url: upstream.url, headers: { Authorization: 'Bearer ${credential}' } },
    },
    tenants: { acme: { endpoints: { away: ofAcme.url } }, globex: {} },
    groups: {
      Everyone: { servers: ['crm', 'wiki', 'away'] },
      Developers: {},
      Acme: { tenant: 'acme' },
      Globex: { tenant: 'globex' },
    },
    users: {
      'alice@acme.com': { groups: ['Everyone', 'Developers', 'Acme'] },
      'bob@acme.com': { groups: ['Everyone', 'Acme'] },
      'carol@globex.com': { groups: ['Everyone', 'Globex'] },
      'eve@both.com': { groups: ['Everyone', 'Acme', 'Globex'] },
    },
    network: { allow: ['127.0.0.0/8'] },
  },
});
const token = {
  alice: await gate.tokenFor('alice@acme.com'),
  bob: await gate.tokenFor('bob@acme.com'),
  carol: await gate.tokenFor('carol@globex.com'),
  eve: await gate.tokenFor('eve@both.com'),
};
type Who = keyof typeof token;

async function admin(method: string, path: string, body?: unknown) {
  const answer = await gate.admin(method, path, body);
  expect(answer.status, JSON.stringify(answer.body)).toBeLessThan(300);
  return answer.body;
}

const keys = {
  alice: '/users/alice@acme.com/keys',
  developers: '/groups/Developers/keys',
  acme: '/tenants/acme/keys',
  shared: '/keys',
} as const;

async function removeAll(): Promise<void> {
  const every = [
    ...Object.values(keys),
    ...['/users/bob@acme.com/keys', '/users/eve@both.com/keys', '/users/carol@globex.com/keys'],
    ...['/groups/Acme/keys', '/groups/Globex/keys', '/tenants/globex/keys'],
  ];
  for (const path of every) {
    for (const { server, name, tenant } of (await admin('GET', path)).items) {
      const ofTenant = path.startsWith('/users/') && tenant !== null ? `&tenant=${tenant}` : '';
      await admin('DELETE', `${path}/${server}?name=${name}${ofTenant}`);
    }
  }
}

beforeEach(removeAll);

interface Said {
  readonly text: string;
  readonly isError: boolean;
}

/** A call of `whoami` of one server, each face in its own way. */
const faces: Readonly<Record<string, (who: Who, server: string, prefix?: string) => Promise<Said>>> = {
  'modern, all servers': async (who, server, prefix = '') => {
    const raw = { url: `${gate.url}${prefix}/mcp`, token: token[who] };
    return textOf(
      (await askModern(raw, 'tools/call', { name: `${server}__whoami`, arguments: {} })).message.result,
    );
  },
  'modern, one server': async (who, server, prefix = '') => {
    const raw = { url: `${gate.url}${prefix}/mcp/${server}`, token: token[who] };
    return textOf((await askModern(raw, 'tools/call', { name: 'whoami', arguments: {} })).message.result);
  },
  'legacy, one session for all': async (who, server, prefix = '') => {
    const client = await legacy(who, prefix);
    return textOf(await client.callTool({ name: `${server}__whoami`, arguments: {} }));
  },
  SSE: async (who, server, prefix = '') => {
    const client = await sse(who, prefix);
    return textOf(await client.callTool({ name: `${server}__whoami`, arguments: {} }));
  },
  'meta-tools': async (who, server, prefix = '') => {
    const raw = { url: `${gate.url}${prefix}/mcp?mode=meta`, token: token[who] };
    const call = { name: 'call_tool', arguments: { name: `${server}__whoami`, arguments: {} } };
    return textOf((await askModern(raw, 'tools/call', call)).message.result);
  },
  OpenAPI: async (who, server, prefix = '') => {
    const response = await fetch(`${gate.url}${prefix}/tools/${server}/whoami`, {
      ...{ method: 'POST', body: '{}' },
      headers: { ...bearer(token[who]), 'content-type': 'application/json' },
    });
    return { text: await response.text(), isError: !response.ok };
  },
};

/** Sessions stay open over changes of keys. */
const sessions = new Map<string, Promise<Client>>();

function kept(name: string, open: () => Promise<Client>): Promise<Client> {
  const session = sessions.get(name) ?? open();
  sessions.set(name, session);
  return session;
}

function legacy(who: Who, prefix: string): Promise<Client> {
  return kept(`legacy ${who} ${prefix}`, () => clientV1(`${gate.url}${prefix}/mcp`, token[who]));
}

function sse(who: Who, prefix: string): Promise<Client> {
  return kept(`sse ${who} ${prefix}`, async () => {
    const client = new Client({ name: 'e2e-sse', version: '1' }, { capabilities: {} });
    const url = new URL(`${gate.url}${prefix}/sse`);
    await client.connect(new SSEClientTransport(url, { requestInit: { headers: bearer(token[who]) } }));
    return closeLater(client);
  });
}

const modernCall = faces['modern, all servers']!;

async function keySeen(call: (typeof faces)[string], who: Who, server = 'crm', prefix?: string) {
  const { text, isError } = await call(who, server, prefix);
  expect(isError, text).toBe(false);
  return /I saw (\w+ [\w+/=-]+)/.exec(text)?.[1];
}

describe.each(Object.entries(faces))('%s', (_name, call) => {
  test('without any key the caller is told what is missing, and nothing is sent', async () => {
    const before = upstream.seen.length;
    const { text, isError } = await call('alice', 'crm');
    expect(isError).toBe(true);
    expect(text).toContain('needs a key that has not been set for you or your tenant');
    expect(upstream.seen.length).toBe(before);
  });

  test('each level comes before the less specific ones, and they come back at once when it is removed', async () => {
    const levels = [
      [keys.shared, 'key-shared'],
      [keys.acme, 'key-of-acme'],
      [keys.developers, 'key-of-developers'],
      [keys.alice, 'key-of-alice'],
    ] as const;
    for (const [path, value] of levels) {
      await admin('PUT', `${path}/crm`, { value });
      expect(await keySeen(call, 'alice')).toBe(`Bearer ${value}`);
    }
    expect(await keySeen(call, 'bob')).toBe('Bearer key-of-acme');
    expect(await keySeen(call, 'carol')).toBe('Bearer key-shared');
    for (const [at, [path]] of [...levels.entries()].reverse()) {
      await admin('DELETE', `${path}/crm`);
      const below = levels[at - 1];
      if (below) expect(await keySeen(call, 'alice')).toBe(`Bearer ${below[1]}`);
      else expect((await call('alice', 'crm')).isError).toBe(true);
    }
  });

  test('never another tenant’s key, whatever level it is of', async () => {
    await admin('PUT', '/tenants/globex/keys/crm', { value: 'key-of-globex' });
    await admin('PUT', '/groups/Globex/keys/crm', { value: 'key-of-group-globex' });
    await admin('PUT', '/users/eve@both.com/keys/crm?tenant=globex', { value: 'key-of-eve-in-globex' });
    await admin('PUT', '/users/alice@acme.com/keys/crm?tenant=globex', { value: 'key-of-alice-in-globex' });
    const before = upstream.seen.length;
    expect((await call('alice', 'crm')).isError).toBe(true);
    expect((await call('eve', 'crm', '/t/acme')).isError).toBe(true);
    expect(upstream.seen.length).toBe(before);
    expect(await keySeen(call, 'eve', 'crm', '/t/globex')).toBe('Bearer key-of-eve-in-globex');
    expect(await keySeen(call, 'carol')).toBe('Bearer key-of-group-globex');
    await admin('PUT', '/tenants/acme/keys/crm', { value: 'key-of-acme' });
    expect(await keySeen(call, 'eve', 'crm', '/t/acme')).toBe('Bearer key-of-acme');
    expect(await keySeen(call, 'eve', 'crm', '/t/globex')).toBe('Bearer key-of-eve-in-globex');
  });
});

test('a key that belongs to no tenant does not go to the address that a tenant set for itself', async () => {
  await admin('PUT', `${keys.alice}/away`, { value: 'key-of-alice' });
  await admin('PUT', `${keys.developers}/away`, { value: 'key-of-developers' });
  expect((await modernCall('alice', 'away')).isError).toBe(true);
  expect(ofAcme.seen).toEqual([]);
  await admin('PUT', `${keys.alice}/away?tenant=acme`, { value: 'key-of-alice-in-acme' });
  expect(await keySeen(modernCall, 'alice', 'away')).toBe('Bearer key-of-alice-in-acme');
  const headers = ofAcme.seen.map((request) => request.headers['authorization']);
  expect(new Set(headers)).toEqual(new Set(['Bearer key-of-alice-in-acme']));
});

test('several names of one server come from wherever each is most specific', async () => {
  await admin('PUT', `${keys.acme}/wiki`, { value: 'crew@acme.com', name: 'user' });
  await admin('PUT', `${keys.shared}/wiki`, { value: 'for-all', name: 'password' });
  expect(await keySeen(modernCall, 'bob', 'wiki')).toBe(`Basic ${btoa('crew@acme.com:for-all')}`);
  await admin('PUT', `${keys.alice}/wiki`, { value: 'of-alice', name: 'password' });
  expect(await keySeen(modernCall, 'alice', 'wiki')).toBe(`Basic ${btoa('crew@acme.com:of-alice')}`);
  expect(await keySeen(modernCall, 'bob', 'wiki')).toBe(`Basic ${btoa('crew@acme.com:for-all')}`);
});

test('a key that cannot be sent is told as such, is not repeated, and nothing is sent', async () => {
  await admin('PUT', `${keys.shared}/crm`, { value: 'canary\r\nX-Evil: 1' });
  await admin('PUT', `${keys.shared}/wiki`, { value: 'canary:user', name: 'user' });
  await admin('PUT', `${keys.shared}/wiki`, { value: 'canary-password', name: 'password' });
  const before = upstream.seen.length;
  for (const call of Object.values(faces)) {
    for (const server of ['crm', 'wiki']) {
      const { text, isError } = await call('bob', server);
      expect([isError, text]).toEqual([true, expect.stringMatching(/line break|holds a colon/)]);
      expect(text).not.toMatch(/canary|Evil/);
    }
  }
  expect(upstream.seen.length).toBe(before);
});

test('who leaves a group loses its key at once, in sessions that are open, too', async () => {
  await admin('PUT', `${keys.developers}/crm`, { value: 'key-of-developers' });
  await admin('PUT', `${keys.shared}/crm`, { value: 'key-shared' });
  const call = faces['legacy, one session for all']!;
  expect(await keySeen(call, 'alice')).toBe('Bearer key-of-developers');
  await admin('DELETE', '/users/alice@acme.com/groups/Developers');
  expect(await keySeen(call, 'alice')).toBe('Bearer key-shared');
  await admin('PUT', '/users/alice@acme.com/groups/Developers');
  expect(await keySeen(call, 'alice')).toBe('Bearer key-of-developers');
});

test('a group that moves to another tenant does not take its keys along', async () => {
  await admin('PUT', '/groups/Acme/keys/crm', { value: 'key-of-group-acme' });
  expect(await keySeen(modernCall, 'eve', 'crm', '/t/acme')).toBe('Bearer key-of-group-acme');
  await admin('PATCH', '/groups/Acme', { tenant: 'globex' });
  try {
    expect((await modernCall('eve', 'crm', '/t/globex')).isError).toBe(true);
    const { items } = await admin('GET', '/groups/Acme/keys');
    expect(items).toMatchObject([{ tenant: 'acme', dormant: true }]);
  } finally {
    await admin('PATCH', '/groups/Acme', { tenant: 'acme' });
  }
  expect(await keySeen(modernCall, 'eve', 'crm', '/t/acme')).toBe('Bearer key-of-group-acme');
});

test('calls of many people at a time never cross', async () => {
  const people = { alice: 'key-of-alice', bob: 'key-of-bob', carol: 'key-of-globex', eve: 'key-of-acme' };
  await admin('PUT', `${keys.alice}/crm`, { value: people.alice });
  await admin('PUT', '/users/bob@acme.com/keys/crm', { value: people.bob });
  await admin('PUT', `${keys.acme}/crm`, { value: people.eve });
  await admin('PUT', '/tenants/globex/keys/crm', { value: people.carol });
  const seen = async (who: Who) => [
    who,
    await keySeen(modernCall, who, 'crm', who === 'eve' ? '/t/acme' : ''),
  ];
  const order = Array.from({ length: 200 }, (_, at) => (Object.keys(people) as Who[])[at % 4]!);
  const answers = await Promise.all(order.map(seen));
  expect(answers).toEqual(order.map((who) => [who, `Bearer ${people[who]}`]));
});

test('the record names the key that was used, and an administrator sees the same before the call', async () => {
  await admin('PUT', `${keys.acme}/wiki`, { value: 'canary-user-name', name: 'user' });
  await admin('PUT', `${keys.alice}/wiki`, { value: 'canary-password-1234', name: 'password' });
  const asked = await admin('GET', '/servers/wiki/credential?user=alice@acme.com');
  expect(asked).toMatchObject({ tenant: 'acme', elsewhere: false, problem: null });
  const [password, user] = asked.names;
  expect(password).toMatchObject({ name: 'password', used: { level: 'user', lastFour: '1234' } });
  expect(user).toMatchObject({ name: 'user', used: { level: 'tenant', owner: 'acme' } });
  const { headers, message } = await askModern(
    { url: `${gate.url}/mcp/wiki`, token: token.alice },
    'tools/call',
    {
      ...{ name: 'whoami', arguments: {} },
    },
  );
  expect(textOf(message.result).isError).toBe(false);
  const requestId = headers.get('x-request-id');
  const record = await eventually('the record', async () => {
    const { items } = await admin('GET', `/analytics?requestId=${requestId}`);
    return items[0];
  });
  expect(record.credentialId).toBe(`${password.used.id},${user.used.id}`);
  expect(JSON.stringify([asked, record])).not.toContain('canary');
  await eventually('the last use', async () => {
    const [item] = (await admin('GET', keys.alice)).items;
    return item.lastUsedAt !== null;
  });
});

test('an administrator tests a server with the keys of a person, which is noted', async () => {
  await admin('PUT', `${keys.alice}/crm`, { value: 'key-of-alice' });
  const refused = await gate.admin('POST', '/servers/crm/test');
  expect([refused.status, refused.body.error.code]).toEqual([409, 'no_credential']);
  upstream.seen.length = 0;
  expect(await admin('POST', '/servers/crm/test?user=alice@acme.com')).toMatchObject({ ok: true, tools: 1 });
  const shown = new Set(upstream.seen.map((request) => request.headers['authorization']));
  expect(shown).toEqual(new Set(['Bearer key-of-alice']));
  const { items } = await admin('GET', '/audit?action=server.test_as');
  expect(items[0]).toMatchObject({ targetId: 'crm', after: { user: 'alice@acme.com' } });
});

test('a key is not put where it could choose the host, whoever sets it', async () => {
  for (const url of [
    'https://${credential}.example/mcp',
    'https://${credential.url:host}/mcp',
    'https://a:${credential}@b.example/mcp',
  ]) {
    const added = await gate.admin('POST', '/servers', { id: 'evil', type: 'http', url });
    expect(added.status, url).toBe(400);
    const routed = await gate.admin('PUT', '/tenants/acme/endpoints/crm', { url });
    expect(routed.status, url).toBe(400);
  }
  const misspelt = await gate.admin('PATCH', '/servers/crm', {
    headers: { Authorization: 'Bearer ${credential.hex:a}' },
  });
  expect(misspelt.status).toBe(400);
});

test('what keys are missing is known', async () => {
  const missing = async () =>
    (await admin('GET', '/keys/missing?tenant=acme')).items.map(
      (item: { server: string; name: string }) => `${item.server} ${item.name}`,
    );
  expect(await missing()).toEqual(['away default', 'crm default', 'wiki password', 'wiki user']);
  await admin('PUT', `${keys.shared}/crm`, { value: 'key-shared' });
  await admin('PUT', `${keys.alice}/away`, { value: 'key-of-alice' });
  expect(await missing()).toEqual(['away default', 'wiki password', 'wiki user']);
});

test('no key stands in the database or in the log as it is', async () => {
  await admin('PUT', `${keys.alice}/crm`, { value: 'canary-of-alice-in-the-end' });
  expect(await keySeen(modernCall, 'alice')).toBe('Bearer canary-of-alice-in-the-end');
  await ask({ url: `${gate.url}/mcp/crm`, token: token.alice }, 'tools/list');
  for (const table of ['user_credentials', 'api_analytics', 'audit_log']) {
    const rows = await query(gate.databaseUrl!, `select t::text as row from mcp_proxy.${table} t`);
    expect(JSON.stringify(rows)).not.toContain('canary');
  }
  expect(gate.logs()).not.toContain('canary');
});
