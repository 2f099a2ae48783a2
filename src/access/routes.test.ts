import { sql } from 'kysely';
import { beforeAll, beforeEach, expect, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
import type { Route } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { AppError } from '../platform/errors.ts';
import { can } from './can.ts';
import { caller } from '../../test/access-world.ts';
import { accessRoutes } from './routes.ts';
import { loadSnapshot, type Snapshot } from './snapshot.ts';

let db: Db;
let snapshot: Snapshot;
let routes: Route[];
const checked: string[] = [];

beforeAll(async () => {
  db = (await testDatabase()).db;
  routes = accessRoutes({
    db,
    snapshot: () => snapshot,
    changed: async () => {
      snapshot = await loadSnapshot(db);
    },
    checkUrl: async (url) => {
      checked.push(url);
      if (url.includes('169.254')) throw new AppError('url_forbidden', 400, 'Not there.');
    },
    clock: () => Date.now(),
  });
});

beforeEach(async () => {
  await sql`truncate mcp_proxy.users, mcp_proxy.groups, mcp_proxy.servers, mcp_proxy.tenants, mcp_proxy.audit_log cascade`.execute(
    db,
  );
  snapshot = await loadSnapshot(db);
  checked.length = 0;
});

/** The parts of the answers that tests look into one by one. */
interface Answer {
  items: { email: string; id: string }[];
  nextCursor: string | null;
  groups: unknown[];
  reasons: string[];
}

/** Parses as the app does, calls the handler, and parses the answer by its schema. */
async function call(request: string, body?: unknown): Promise<Answer> {
  const [method = '', target = ''] = request.split(' ');
  const [path = '', query = ''] = target.split('?');
  for (const { endpoint, handle } of routes) {
    const pattern = new RegExp(`^${endpoint.path.replaceAll(/\{(\w+)\}/g, '(?<$1>[^/]+)')}$`);
    const found = endpoint.method === method ? pattern.exec(path) : null;
    if (!found) continue;
    const decoded = Object.entries(found.groups ?? {}).map(([name, value]) => [
      name,
      decodeURIComponent(value),
    ]);
    const answer = await handle({
      params: endpoint.params.parse(Object.fromEntries(decoded)),
      query: endpoint.query.parse(Object.fromEntries(new URLSearchParams(query))),
      body: endpoint.body.parse(body),
      actor: { id: 'root@acme.com', requestId: 'r-1', clientIp: '127.0.0.1' },
    });
    // Every field is looked at by a test that asked for a record or a list which has it.
    return endpoint.output.parse(answer) as Answer;
  }
  throw new Error(`no route for ${request}`);
}

async function refusal(request: string, body?: unknown): Promise<string> {
  const error = await call(request, body).catch((thrown: unknown) => thrown);
  if (error instanceof AppError) return `${error.status} ${error.code}`;
  throw error instanceof Error ? error : new Error('it was not refused');
}

interface Entry {
  action: string;
  target_id: string;
  before: unknown;
  after: unknown;
}

async function audited(): Promise<Entry[]> {
  const { rows } =
    await sql<Entry>`select action, target_id, before, after from mcp_proxy.audit_log order by id`.execute(
      db,
    );
  return rows;
}

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
  const may = (tool: string) => can(snapshot, alice, { server: 'github', tool }, Date.now()).allow;
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
  expect(snapshot.servers.get('github')?.definition.enabled).toBe(false);
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
    ('files', '{"type":"stdio","command":"files"}'), ('broken', '{"type":"carrier-pigeon"}')`.execute(db);
  const before = await audited();
  expect(await refusal(request, body)).toBe(expected);
  expect(await audited()).toEqual(before);
});

test('a command never comes in by the API', async () => {
  await expect(call('POST /servers', { id: 'sh', type: 'stdio', command: 'sh' })).rejects.toThrow();
  await expect(call('POST /servers', { ...github, command: 'sh' })).rejects.toThrow();
  await call('POST /servers', github);
  await expect(call('PATCH /servers/github', { command: 'sh' })).rejects.toThrow();
  await expect(
    call('POST /servers', { ...github, id: 'split', headers: { 'X-A': 'a\r\nX-Evil: b' } }),
  ).rejects.toThrow();
});

test('a URL from the API takes the operator’s trust away from a server of the config file', async () => {
  await sql`insert into mcp_proxy.servers (id, definition, managed_by) values
    ('intern', '{"type":"http","url":"http://10.0.0.1/mcp"}', 'file')`.execute(db);
  await call('PATCH /servers/intern', { displayName: 'Intern' });
  expect(snapshot.servers.get('intern')?.managedBy).toBe('file');
  await call('PATCH /servers/intern', { url: 'https://elsewhere.org/mcp' });
  expect(snapshot.servers.get('intern')?.managedBy).toBe('admin');
});

test('what a sign-in provider states cannot be taken back here, what others state can', async () => {
  await call('POST /groups', { name: 'g' });
  await call('POST /users', { email: 'a@x.org', groups: ['g'] });
  await sql`insert into mcp_proxy.memberships (user_email, group_name, source, expires_at)
    values ('a@x.org', 'g', 'oidc:corp', now() + interval '1 hour'), ('a@x.org', 'g', 'file', null)`.execute(
    db,
  );
  await call('DELETE /users/a@x.org/groups/g');
  expect((await call('GET /users/a@x.org')).groups).toEqual([
    { group: 'g', source: 'oidc:corp', expiresAt: expect.stringMatching(/Z$/) },
  ]);
  expect(await refusal('DELETE /users/a@x.org/groups/g')).toBe('409 membership_from_provider');
});

test('patterns and services can be members', async () => {
  await call('POST /groups', { name: 'g' });
  await call('PUT /users/*@acme.com/groups/g');
  await call('PUT /users/service:bot/groups/g');
  expect((await call('GET /users?group=g')).items.map((user) => user.email)).toEqual([
    '*@acme.com',
    'service:bot',
  ]);
});

test('lists go page by page, and search takes every character as it is', async () => {
  await call('POST /groups', { name: 'g' });
  for (const name of ['ann_x', 'annax', 'bob', 'b%b', 'eve'])
    await call('POST /users', { email: `${name}@x.org` });
  await call('PUT /users/bob@x.org/groups/g');
  await call('PATCH /users/eve@x.org', { disabled: true, displayName: 'Évelyne \\ X' });
  const emails = async (query: string) =>
    (await call(`GET /users?${query}`)).items.map((user) => user.email.split('@')[0]);
  expect(await emails('search=ANN')).toEqual(expect.arrayContaining(['ann_x', 'annax']));
  expect(await emails('search=n_x')).toEqual(['ann_x']);
  expect(await emails('search=%25')).toEqual(['b%b']);
  expect(await emails('search=%5C')).toEqual(['eve']);
  expect(await emails('group=g')).toEqual(['bob']);
  expect(await emails('disabled=true')).toEqual(['eve']);
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const page = await call(`GET /users?limit=2${cursor}`);
    seen.push(...page.items.map((user) => user.email));
    if (page.nextCursor === null) break;
    cursor = `&cursor=${page.nextCursor}`;
  }
  expect(seen).toHaveLength(5);
  expect(new Set(seen).size).toBe(5);
  expect(await call('GET /groups?limit=1')).toMatchObject({ items: [{ name: 'g' }], nextCursor: null });
});

test('a server whose stored definition cannot be read is left out of the list and can be deleted', async () => {
  await call('POST /servers', github);
  await sql`insert into mcp_proxy.servers (id, definition) values ('broken', '{}')`.execute(db);
  expect((await call('GET /servers')).items.map((server) => server.id)).toEqual(['github']);
  await call('DELETE /servers/broken');
  expect((await audited()).at(-1)).toMatchObject({ action: 'server.delete', target_id: 'broken' });
});

test('every change is recorded with what was and what is, and never with a secret', async () => {
  const canary = 'canary-4711';
  await call('POST /tenants', { id: 'acme' });
  await call('POST /servers', {
    ...github,
    url: `https://x.org/mcp?api_key=${canary}`,
    headers: { 'X-Key': canary },
  });
  await call('PATCH /servers/github', { headers: { 'X-Key': `${canary}2` } });
  await call('PUT /tenants/acme/endpoints/github', {
    url: `https://user:${canary}@x.org/mcp?token=${canary}&mode=ro`,
  });
  await call('DELETE /tenants/acme/endpoints/github');
  await call('POST /groups', { name: 'g' });
  await call('PUT /groups/g/servers/github', { tools: ['get_*'] });
  await call('DELETE /groups/g/servers/github');
  await call('PUT /users/a@x.org/groups/g');
  await call('DELETE /groups/g');
  await call('DELETE /servers/github');
  await call('DELETE /tenants/acme');
  const entries = await audited();
  expect(entries.map(({ action, target_id }) => `${action} ${target_id}`)).toEqual([
    'tenant.create acme',
    'server.create github',
    'server.update github',
    'tenant.set_endpoint acme',
    'tenant.remove_endpoint acme',
    'group.create g',
    'group.grant g',
    'group.revoke g',
    'user.add_to_group a@x.org',
    'group.delete g',
    'server.delete github',
    'tenant.delete acme',
  ]);
  expect(entries[3]).toMatchObject({
    before: { endpoints: [] },
    after: { endpoints: [{ server: 'github', url: 'https://user:***@x.org/mcp?token=***&mode=ro' }] },
  });
  expect(entries[6]).toMatchObject({
    before: { servers: [] },
    after: { servers: [{ server: 'github', tools: ['get_*'] }] },
  });
  expect(entries[8]).toMatchObject({ before: null, after: { groups: [{ group: 'g', source: 'admin' }] } });
  expect(JSON.stringify(entries)).not.toContain(canary);
});
