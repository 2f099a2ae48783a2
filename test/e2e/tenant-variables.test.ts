// Where a tenant's server is, and what it is told, by variables: set by administrators, and held to what they may reach.
import { expect, test } from 'vitest';
import { ask, askModern, openSession, textOf } from './clients.ts';
import { eventually, query, startGate } from './gate.ts';
import { startMarkingUpstream } from './marking-upstream.ts';

const inside = await startMarkingUpstream('inside');
const gate = await startGate({
  config: {
    mcpServers: {
      // The operator wrote all of this address, so it may be private, and the key of the environment may go there.
      own: {
        type: 'http',
        url: 'http://${variable:host}/mcp',
        headers: { Authorization: '${env:OPERATORS_KEY}' },
        variables: { host: inside.host },
      },
      lost: { type: 'http', url: 'https://${variable:host}/mcp', variables: { host: '' } },
    },
    tenants: { acme: {}, globex: {} },
    groups: {
      All: { servers: ['own', 'lost'] },
      Acme: { tenant: 'acme' },
      Globex: { tenant: 'globex' },
    },
    users: {
      'alice@acme.com': { groups: ['All', 'Acme'] },
      'bob@globex.com': { groups: ['All', 'Globex'] },
      'carol@nowhere.com': { groups: ['All'] },
    },
  },
  env: { OPERATORS_KEY: 'canary-of-the-operator' },
});
const token = {
  alice: await gate.tokenFor('alice@acme.com'),
  bob: await gate.tokenFor('bob@globex.com'),
  carol: await gate.tokenFor('carol@nowhere.com'),
};
type Who = keyof typeof token;

async function call(who: Who, server: string): Promise<{ text: string; isError: boolean }> {
  const raw = { url: `${gate.url}/mcp/${server}`, token: token[who] };
  const { message } = await askModern(raw, 'tools/call', { name: 'mark', arguments: { marker: who } });
  return textOf(message.result);
}

async function tools(who: Who): Promise<string[]> {
  const { message } = await askModern({ url: `${gate.url}/mcp`, token: token[who] }, 'tools/list');
  return (message.result.tools as { name: string }[]).map(({ name }) => name);
}

async function servers(who: Who): Promise<string[]> {
  const headers = { authorization: `Bearer ${token[who]}` };
  const body = (await (await fetch(`${gate.url}/servers`, { headers })).json()) as {
    items: { id: string }[];
  };
  return body.items.map(({ id }) => id);
}

async function code(method: string, path: string, body?: unknown): Promise<string> {
  const answer = await gate.admin(method, path, body);
  return answer.status < 300 ? 'done' : answer.body.error.code;
}

test('a server of which a value is missing says which, is in no list, and is sent nothing', async () => {
  expect(await call('alice', 'lost')).toEqual({
    text: 'The server "lost" needs a value for the variable "host", which is not set for the tenant acme; ask an administrator to set it.',
    isError: true,
  });
  const session = await openSession(`${gate.url}/mcp`, token.alice);
  const { message } = await ask(session, 'tools/call', { name: 'lost__mark', arguments: {} });
  expect(textOf(message.result)).toMatchObject({ isError: true, text: expect.stringContaining('"host"') });
  expect(await tools('alice')).toEqual(['own__mark']);
  expect(await servers('alice')).toEqual(['lost', 'own']);
  expect(await code('POST', '/servers/lost/test?tenant=acme')).toBe('no_variable');
});

test('whoever acts for no tenant is told so', async () => {
  const { text, isError } = await call('carol', 'lost');
  expect([isError, text]).toEqual([true, expect.stringContaining('you act for none')]);
  expect(await call('carol', 'own')).toMatchObject({ isError: false });
});

test('what the operator wrote may be private, and gets the operator’s key', async () => {
  expect((await call('alice', 'own')).text).toBe('inside alice canary-of-the-operator');
});

test('an administrator’s value leads neither inside, nor the operator’s key anywhere', async () => {
  const values = { host: inside.host };
  expect(await code('PUT', '/tenants/acme/variables/own', { values })).toBe('url_not_allowed');
  expect(await code('PUT', '/tenants/acme/variables/*', { values })).toBe('url_not_allowed');
  expect(await code('PUT', '/tenants/acme/endpoints/own', { url: 'http://${variable:host}/x' })).toBe(
    'url_not_allowed',
  );
  expect(await code('PATCH', '/servers/own', { variables: values })).toBe('url_not_allowed');
  // By hand, past everything that looks at values before they are kept.
  await query(
    gate.databaseUrl!,
    `insert into mcp_proxy.tenant_variables (tenant_id, server_id, name, value) values ('acme', 'own', 'host', '${inside.host}')`,
  );
  const told = await eventually('the value counts', async () => {
    const answer = await call('alice', 'own');
    return answer.isError && answer;
  });
  expect(told.text).toContain('goes only to the address in the config file');
  const before = inside.marks.length;
  expect((await call('alice', 'own')).isError).toBe(true);
  expect(await call('bob', 'own')).toMatchObject({ text: 'inside bob canary-of-the-operator' });
  expect(inside.marks.slice(before).map(({ marker }) => marker)).toEqual(['bob']);
  await query(gate.databaseUrl!, `delete from mcp_proxy.tenant_variables`);
  await eventually('it is gone', async () => !(await call('alice', 'own')).isError);
});

test('a private address that gets past the check at save is refused when it is connected to', async () => {
  expect(
    await code('POST', '/servers', { id: 'late', type: 'http', url: 'http://${variable:host}/mcp' }),
  ).toBe('done');
  expect(await code('PUT', '/users/alice@acme.com/servers/late')).toBe('done');
  const before = inside.marks.length;
  await query(
    gate.databaseUrl!,
    `insert into mcp_proxy.tenant_variables (tenant_id, server_id, name, value) values ('acme', 'late', 'host', '${inside.host}')`,
  );
  const told = await eventually('the value counts', async () => {
    const answer = await call('alice', 'late');
    return !answer.text.includes('not set') && !answer.text.includes('may use') && answer;
  });
  expect(told).toEqual({
    text: expect.stringContaining('The server "late" is at an address that the gate may not reach.'),
    isError: true,
  });
  expect(inside.marks.slice(before)).toEqual([]);
});

test('a value from the database that does not fit is refused before anything is sent', async () => {
  await query(
    gate.databaseUrl!,
    `update mcp_proxy.tenant_variables set value = 'evil.example/\${credential}' where server_id = 'late'`,
  );
  const told = await eventually('the value counts', async () => {
    const answer = await call('alice', 'late');
    return answer.text.includes('variable') && answer;
  });
  expect(told.text).toContain('must be a host name or an address');
  expect(told.text).not.toContain('evil');
});
