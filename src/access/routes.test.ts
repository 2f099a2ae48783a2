import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { caller } from '../../test/access-world.ts';
import { accessWorld } from '../../test/access-routes.ts';
import { can } from './can.ts';

const world = accessWorld();
const { call, refusal, audited, checked } = world;

const github = {
  id: 'github',
  type: 'http',
  url: 'https://mcp.example.com/',
  headers: { Authorization: 'Bearer ${credential}' },
};

test('a group, a grant and a membership give access, and taking one back ends it', async () => {
  await call('POST /servers', github);
  await call('POST /groups', { name: 'MCP-GitHub' });
  await call('PUT /groups/MCP-GitHub/servers/github', { tools: ['get_*'] });
  await call('PUT /users/Alice@Acme.com/groups/MCP-GitHub');
  const alice = caller('alice@acme.com');
  const may = (tool: string) => can(world.snapshot(), alice, { server: 'github', tool }, Date.now()).allow;
  expect([may('get_me'), may('delete_me')]).toEqual([true, false]);
  await call('PUT /groups/MCP-GitHub/servers/github');
  expect(may('delete_me')).toBe(true);
  await call('DELETE /users/alice@acme.com/groups/MCP-GitHub');
  expect(may('get_me')).toBe(false);
  await call('PUT /users/alice@acme.com/servers/github', { tools: ['get_me'] });
  expect(may('get_me')).toBe(true);
  await call('PATCH /users/alice@acme.com', { disabled: true });
  expect(may('get_me')).toBe(false);
  expect((await call('GET /explain?user=alice@acme.com&server=github')).reasons).toContain(
    'alice@acme.com is disabled, so nothing is allowed.',
  );
});

test('records are shown as they were set', async () => {
  await call('POST /tenants', { id: 'acme', emailDomains: ['ACME.com'] });
  await call('POST /servers', { ...github, displayName: 'GitHub', tools: ['*', '!delete_*'] });
  await call('POST /groups', { name: '/dept/dev', tenant: 'acme', externalIds: ['42'] });
  await call('PUT /groups/%2Fdept%2Fdev/servers/github', { tools: ['get_*'] });
  await call('PUT /tenants/acme/endpoints/github', { url: 'https://github.acme.com/mcp/' });
  expect(
    await call('POST /users', {
      email: 'alice@acme.com',
      displayName: 'Alice',
      defaultTenant: 'acme',
      groups: ['/dept/dev'],
    }),
  ).toMatchObject({
    email: 'alice@acme.com',
    displayName: 'Alice',
    disabled: false,
    defaultTenant: 'acme',
    groups: [{ group: '/dept/dev', source: 'admin', expiresAt: null }],
    servers: [],
    source: 'admin',
    lastSeenAt: null,
  });
  expect(await call('GET /groups/%2Fdept%2Fdev')).toEqual({
    name: '/dept/dev',
    displayName: '/dept/dev',
    toolOverrides: {},
    admin: false,
    tenant: 'acme',
    externalIds: ['42'],
    servers: [{ server: 'github', tools: ['get_*'] }],
    memberCount: 1,
    managedBy: 'admin',
  });
  expect(await call('GET /tenants/acme')).toEqual({
    id: 'acme',
    displayName: 'acme',
    emailDomains: ['acme.com'],
    enabled: true,
    endpoints: [{ server: 'github', url: 'https://github.acme.com/mcp/' }],
    variables: {},
    groups: ['/dept/dev'],
    managedBy: 'admin',
  });
  expect(await call('GET /servers/github')).toMatchObject({
    id: 'github',
    type: 'http',
    displayName: 'GitHub',
    url: 'https://mcp.example.com/',
    headerNames: ['Authorization'],
    tools: ['*', '!delete_*'],
    command: null,
    isolation: null,
  });
  expect(checked).toEqual(['https://mcp.example.com/', 'https://github.acme.com/mcp/']);
});

test('a patch changes what it names and nothing else', async () => {
  await call('POST /tenants', { id: 'acme' });
  await call('POST /servers', { ...github, tools: ['get_*'], isolation: 'user' });
  await call('POST /groups', { name: 'g', displayName: 'G', tenant: 'acme', externalIds: ['1'] });
  expect(await call('PATCH /servers/github', { enabled: false, tools: null })).toMatchObject({
    enabled: false,
    tools: null,
    isolation: 'user',
  });
  expect(world.snapshot().servers.get('github')?.definition.enabled).toBe(false);
  expect(await call('PATCH /groups/g', { admin: true })).toMatchObject({
    displayName: 'G',
    admin: true,
    tenant: 'acme',
    externalIds: ['1'],
  });
  expect(await call('PATCH /groups/g', { tenant: null, externalIds: [] })).toMatchObject({
    admin: true,
    tenant: null,
    externalIds: [],
  });
  expect(await call('PATCH /tenants/acme', { enabled: false })).toMatchObject({
    enabled: false,
    displayName: 'acme',
  });
  await call('POST /users', { email: 'a@x.org', defaultTenant: 'acme' });
  expect(await call('PATCH /users/a@x.org', { displayName: 'A' })).toMatchObject({
    defaultTenant: 'acme',
    displayName: 'A',
  });
  expect(await call('PATCH /users/a@x.org', { defaultTenant: null })).toMatchObject({
    defaultTenant: null,
    displayName: 'A',
  });
});

test.each([
  ['GET /users/no@x.org', undefined, '404 user_not_found'],
  ['PATCH /users/no@x.org', {}, '404 user_not_found'],
  ['DELETE /users/no@x.org/groups/g', undefined, '404 user_not_found'],
  ['DELETE /users/no@x.org/servers/github', undefined, '404 user_not_found'],
  ['PUT /users/a@x.org/groups/no', undefined, '404 group_not_found'],
  ['DELETE /users/a@x.org/groups/no', undefined, '404 group_not_found'],
  ['DELETE /users/a@x.org/groups/g', undefined, '404 membership_not_found'],
  ['DELETE /users/a@x.org/servers/github', undefined, '404 grant_not_found'],
  ['PUT /users/a@x.org/servers/no', undefined, '404 server_not_found'],
  ['POST /users', { email: 'new@x.org', groups: ['no'] }, '404 group_not_found'],
  ['POST /users', { email: 'new@x.org', defaultTenant: 'no' }, '404 tenant_not_found'],
  ['POST /users', { email: 'a@x.org' }, '409 user_exists'],
  ['PATCH /users/a@x.org', { defaultTenant: 'no' }, '404 tenant_not_found'],
  ['GET /groups/no', undefined, '404 group_not_found'],
  ['PATCH /groups/no', {}, '404 group_not_found'],
  ['DELETE /groups/no', undefined, '404 group_not_found'],
  ['POST /groups', { name: 'g' }, '409 group_exists'],
  ['POST /groups', { name: 'h', tenant: 'no' }, '404 tenant_not_found'],
  ['PATCH /groups/g', { tenant: 'no' }, '404 tenant_not_found'],
  ['PUT /groups/no/servers/github', undefined, '404 group_not_found'],
  ['PUT /groups/g/servers/no', undefined, '404 server_not_found'],
  ['DELETE /groups/g/servers/github', undefined, '404 grant_not_found'],
  ['GET /servers/no', undefined, '404 server_not_found'],
  ['PATCH /servers/no', {}, '404 server_not_found'],
  ['DELETE /servers/no', undefined, '404 server_not_found'],
  ['POST /servers', github, '409 server_exists'],
  ['POST /servers', { ...github, id: 'evil', url: 'http://169.254.169.254/' }, '400 url_forbidden'],
  [
    'POST /servers',
    { ...github, id: 'env', url: 'https://x.org/${env:TOOLGATE_ADMIN_TOKEN}' },
    '400 env_not_allowed',
  ],
  ['POST /servers', { ...github, id: 'env', headers: { 'X-A': 'a ${ENV:PATH}' } }, '400 env_not_allowed'],
  ['PATCH /servers/github', { url: 'http://169.254.169.254/' }, '400 url_forbidden'],
  ['PATCH /servers/github', { headers: { 'X-A': '${env:PATH}' } }, '400 env_not_allowed'],
  ['PATCH /servers/files', { url: 'https://x.org/' }, '400 not_a_remote_server'],
  ['PATCH /servers/files', { headers: {} }, '400 not_a_remote_server'],
  ['PATCH /servers/broken', { enabled: true }, '409 server_unreadable'],
  ['GET /servers/broken', undefined, '409 server_unreadable'],
  ['GET /tenants/no', undefined, '404 tenant_not_found'],
  ['PATCH /tenants/no', {}, '404 tenant_not_found'],
  ['DELETE /tenants/no', undefined, '404 tenant_not_found'],
  ['POST /tenants', { id: 'acme' }, '409 tenant_exists'],
  ['PUT /tenants/no/endpoints/github', { url: 'https://x.org/' }, '404 tenant_not_found'],
  ['PUT /tenants/acme/endpoints/no', { url: 'https://x.org/' }, '404 server_not_found'],
  ['PUT /tenants/acme/endpoints/files', { url: 'https://x.org/' }, '400 not_a_remote_server'],
  ['PUT /tenants/acme/endpoints/github', { url: 'http://169.254.169.254/' }, '400 url_forbidden'],
  ['PUT /tenants/acme/endpoints/github', { url: 'https://x.org/${env:A}' }, '400 env_not_allowed'],
  ['DELETE /tenants/acme/endpoints/github', undefined, '404 endpoint_not_found'],
  ['GET /users?cursor=%21', undefined, '400 cursor_invalid'],
])('%s %j is refused with %s, and nothing is recorded', async (request, body, expected) => {
  await call('POST /tenants', { id: 'acme' });
  await call('POST /servers', github);
  await call('POST /groups', { name: 'g' });
  await call('POST /users', { email: 'a@x.org' });
  await sql`insert into mcp_proxy.servers (id, definition) values
    ('files', '{"type":"stdio","command":"files"}'), ('broken', '{"type":"carrier-pigeon"}')`.execute(
    world.db(),
  );
  const before = await audited();
  expect(await refusal(request, body)).toBe(expected);
  expect(await audited()).toEqual(before);
});
