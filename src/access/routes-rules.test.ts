import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { accessWorld } from '../../test/access-routes.ts';

const world = accessWorld();
const { call, refusal, audited } = world;

const github = {
  id: 'github',
  type: 'http',
  url: 'https://mcp.example.com/',
  headers: { Authorization: 'Bearer ${credential}' },
};

test('a command never comes in by the API', async () => {
  await expect(call('POST /servers', { id: 'sh', type: 'stdio', command: 'sh' })).rejects.toThrow();
  await expect(call('POST /servers', { ...github, command: 'sh' })).rejects.toThrow();
  await call('POST /servers', github);
  await expect(call('PATCH /servers/github', { command: 'sh' })).rejects.toThrow();
  await expect(
    call('POST /servers', { ...github, id: 'split', headers: { 'X-A': 'a\r\nX-Evil: b' } }),
  ).rejects.toThrow();
});

test('nobody is sent people’s sign-in tokens because of the API', async () => {
  const account = { kind: 'token-exchange', tokenUrl: 'https://evil.example/token', clientId: 'x' };
  await expect(call('POST /servers', { ...github, account })).rejects.toThrow();
  await call('POST /servers', { ...github, account: { kind: 'oauth' } });
  await expect(call('PATCH /servers/github', { account })).rejects.toThrow();
});

test('how people sign in can be changed and taken away, and the audit log keeps both', async () => {
  await call('POST /servers', { ...github, account: { kind: 'oauth' } });
  const account = { kind: 'oauth', issuer: 'https://login.acme.com/', clientId: 'gate', scopes: ['read'] };
  expect(await call('PATCH /servers/github', { account })).toMatchObject({ account });
  expect(world.snapshot().servers.get('github')?.definition).toMatchObject({ account });
  expect(await call('PATCH /servers/github', { account: null })).toMatchObject({ account: null });
  expect(world.snapshot().servers.get('github')?.definition).not.toHaveProperty('account');
  const [, changed, removed] = await audited();
  expect(changed).toMatchObject({ before: { account: { kind: 'oauth' } }, after: { account } });
  expect(removed).toMatchObject({ before: { account }, after: { account: null } });
});

test('an authorization server that must not be fetched is refused, and so are accounts of a process', async () => {
  await call('POST /servers', github);
  const account = (issuer: string) => ({ account: { kind: 'oauth', issuer } });
  expect(await refusal('PATCH /servers/github', account('http://169.254.169.254/'))).toBe(
    '400 url_forbidden',
  );
  expect(
    await refusal('POST /servers', { ...github, id: 'meta', ...account('http://169.254.169.254/') }),
  ).toBe('400 url_forbidden');
  await sql`insert into mcp_proxy.servers (id, definition, managed_by) values
    ('run', '{"type":"stdio","command":"x"}', 'file')`.execute(world.db());
  await world.reload();
  expect(await refusal('PATCH /servers/run', { account: { kind: 'oauth' } })).toBe('400 not_a_remote_server');
});

test('an account from the API takes the operator’s trust away from a server of the config file', async () => {
  await sql`insert into mcp_proxy.servers (id, definition, managed_by) values
    ('intern', '{"type":"http","url":"https://mcp.example.com/"}', 'file')`.execute(world.db());
  await world.reload();
  await call('PATCH /servers/intern', { account: { kind: 'oauth', issuer: 'https://login.acme.com/' } });
  expect(world.snapshot().servers.get('intern')?.managedBy).toBe('admin');
});

test('a URL from the API takes the operator’s trust away from a server of the config file', async () => {
  await sql`insert into mcp_proxy.servers (id, definition, managed_by) values
    ('intern', '{"type":"http","url":"http://10.0.0.1/mcp"}', 'file')`.execute(world.db());
  await call('PATCH /servers/intern', { displayName: 'Intern' });
  expect(world.snapshot().servers.get('intern')?.managedBy).toBe('file');
  await call('PATCH /servers/intern', { url: 'https://elsewhere.org/mcp' });
  expect(world.snapshot().servers.get('intern')?.managedBy).toBe('admin');
});

test('what a sign-in provider states cannot be taken back here, what others state can', async () => {
  await call('POST /groups', { name: 'g' });
  await call('POST /users', { email: 'a@x.org', groups: ['g'] });
  await sql`insert into mcp_proxy.memberships (user_email, group_name, source, expires_at)
    values ('a@x.org', 'g', 'oidc:corp', now() + interval '1 hour'), ('a@x.org', 'g', 'file', null)`.execute(
    world.db(),
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
  await sql`insert into mcp_proxy.servers (id, definition) values ('broken', '{}')`.execute(world.db());
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
