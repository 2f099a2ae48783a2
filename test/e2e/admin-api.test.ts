import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { askModern, bearer, closeLater } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());
const gate = await startGate({ config: configOf({ ok: { type: 'http', url: upstream.url('ok') } }) });
const { admin } = gate;

const time = expect.stringMatching(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
const sentence = expect.stringMatching(/^\S.*\.$/s);
const page = (items: unknown) => ({ items, nextCursor: null });

async function is(
  status: number,
  answer: Promise<{ status: number; body: unknown }>,
  body?: unknown,
): Promise<void> {
  const { status: got, body: said } = await answer;
  expect(got, JSON.stringify(said)).toBe(status);
  if (body !== undefined) expect(said).toEqual(body);
}

const error = (code: string) => ({ error: { code, message: sentence, requestId: expect.any(String) } });

test('users are added, read, changed, searched, and put into groups', async () => {
  const dora = {
    ...{ email: 'dora@acme.com', displayName: 'Dora', disabled: false, defaultTenant: null },
    ...{
      groups: [{ group: 'Everyone', source: 'admin', expiresAt: null }],
      servers: [],
      source: 'admin',
      createdAt: time,
      lastSeenAt: null,
    },
  };
  await is(
    201,
    admin('POST', '/users', { email: 'Dora@Acme.com', displayName: 'Dora', groups: ['Everyone'] }),
    dora,
  );
  await is(409, admin('POST', '/users', { email: 'dora@acme.com' }), error('user_exists'));
  await is(200, admin('GET', '/users/dora@acme.com'), dora);
  await is(404, admin('GET', '/users/nobody@acme.com'), error('user_not_found'));
  await is(200, admin('PATCH', '/users/dora@acme.com', { displayName: 'D.' }), {
    ...dora,
    displayName: 'D.',
  });
  await is(200, admin('GET', '/users?search=dora&limit=5'), page([{ ...dora, displayName: 'D.' }]));
  const first = await admin('GET', '/users?limit=1');
  expect(first.body).toEqual({ items: [expect.anything()], nextCursor: expect.any(String) });
  const next = await admin('GET', `/users?limit=1&cursor=${first.body.nextCursor}`);
  expect(next.body.items[0].email).not.toBe(first.body.items[0].email);
  await is(204, admin('DELETE', '/users/dora@acme.com/groups/Everyone'), null);
  await is(200, admin('PUT', '/users/dora@acme.com/groups/Everyone'), { ok: true });
  await is(404, admin('PUT', '/users/dora@acme.com/groups/None'), error('group_not_found'));
});

test('groups are added, read, changed, granted servers, and removed', async () => {
  const group = {
    name: 'Readers',
    displayName: 'Readers',
    admin: false,
    tenant: null,
    externalIds: [],
    servers: [],
    toolOverrides: {},
    memberCount: 0,
    managedBy: 'admin',
  };
  await is(201, admin('POST', '/groups', { name: 'Readers' }), group);
  await is(409, admin('POST', '/groups', { name: 'Readers' }), error('group_exists'));
  await is(200, admin('PUT', '/groups/Readers/servers/ok', { tools: ['e*', '!echo'] }), { ok: true });
  await is(404, admin('PUT', '/groups/Readers/servers/none', { tools: ['*'] }), error('server_not_found'));
  await is(200, admin('GET', '/groups/Readers'), {
    ...group,
    servers: [{ server: 'ok', tools: ['e*', '!echo'] }],
  });
  await is(204, admin('DELETE', '/groups/Readers/servers/ok'), null);
  await is(200, admin('PATCH', '/groups/Readers', { displayName: 'All readers' }), {
    ...group,
    displayName: 'All readers',
  });
  await is(200, admin('GET', '/groups?search=reader'), page([{ ...group, displayName: 'All readers' }]));
  await is(204, admin('DELETE', '/groups/Readers'), null);
  await is(404, admin('GET', '/groups/Readers'), error('group_not_found'));
});

test('servers are added, tested, changed, disabled and removed; header values stay inside', async () => {
  const server = {
    ...{
      id: 'added',
      type: 'http',
      displayName: 'added',
      description: '',
      enabled: true,
      command: null,
      args: [],
      url: upstream.url('ok'),
    },
    ...{
      headerNames: ['X-Key'],
      envNames: [],
      extensions: 'all',
      origin: null,
      account: null,
      maxConnections: 100,
      variables: {},
      tools: null,
      toolOverrides: {},
      isolation: null,
      timeoutMs: 60_000,
      maxResponseBytes: 10_485_760,
      recordArguments: false,
      pin: 'warn',
      maxResultChars: 200_000,
    },
    ...{ managedBy: 'admin', updatedAt: time },
  };
  await is(
    201,
    admin('POST', '/servers', {
      id: 'added',
      type: 'http',
      url: upstream.url('ok'),
      headers: { 'X-Key': 'v4lue' },
    }),
    server,
  );
  await is(
    409,
    admin('POST', '/servers', { id: 'added', type: 'http', url: upstream.url('ok') }),
    error('server_exists'),
  );
  await is(200, admin('GET', '/servers/added'), server);
  const tested = await admin('POST', '/servers/added/test');
  expect(tested).toMatchObject({
    status: 200,
    body: {
      ok: true,
      tools: 6,
      era: 'legacy',
      name: 'fake-ok',
      message: sentence,
      milliseconds: expect.any(Number),
    },
  });
  const { status, body } = await admin('GET', '/servers/added/tools');
  expect([status, body.items.map(({ name }: { name: string }) => name)]).toEqual([
    200,
    ['echo', 'add', 'slow', 'big', 'whoami', 'crash'],
  ]);
  await is(200, admin('PATCH', '/servers/added', { enabled: false, displayName: 'Added' }), {
    ...server,
    enabled: false,
    displayName: 'Added',
  });
  await is(409, admin('GET', '/servers/added/tools'), error('server_disabled'));
  await is(
    200,
    admin('GET', '/servers?search=adde'),
    page([{ ...server, enabled: false, displayName: 'Added' }]),
  );
  await is(204, admin('DELETE', '/servers/added'), null);
  await is(404, admin('GET', '/servers/added'), error('server_not_found'));
});

test('a server that cannot be reached says so in its test, and a command is never taken from the API', async () => {
  await is(201, admin('POST', '/servers', { id: 'away', type: 'http', url: 'http://127.0.0.1:9/mcp' }));
  const { status, body } = await admin('POST', '/servers/away/test');
  expect([status, body.ok, body.message]).toEqual([200, false, 'The server "away" cannot be reached.']);
  await is(502, admin('GET', '/servers/away/tools'), error('upstream_unavailable'));
  const stdio = await admin('POST', '/servers', { id: 'evil', type: 'stdio', command: 'sh' });
  expect([stdio.status, stdio.body.error.code]).toEqual([400, 'invalid_request']);
  await is(
    400,
    admin('POST', '/servers', { id: 'inside', type: 'http', url: 'http://169.254.169.254/latest' }),
    error('url_not_allowed'),
  );
  await is(204, admin('DELETE', '/servers/away'));
});

/** A key that no placeholder asks for is stored, with a hint. */
const stored = { ok: true, warnings: [expect.stringContaining('asks for no key')] };

test('tenants are added, read, changed and removed; their keys are never readable again', async () => {
  const north = {
    id: 'north',
    displayName: 'North Inc',
    emailDomains: ['north.example'],
    enabled: true,
    endpoints: [],
    variables: {},
    groups: [],
    managedBy: 'admin',
  };
  const { id, displayName, emailDomains } = north;
  await is(201, admin('POST', '/tenants', { id, displayName, emailDomains }), north);
  await is(409, admin('POST', '/tenants', { id }), error('tenant_exists'));
  await is(200, admin('PUT', '/tenants/north/keys/ok', { value: 'a-key-of-north-1111' }), stored);
  await is(200, admin('PUT', '/tenants/north/keys/ok', { value: 'short', name: 'second' }), stored);
  const key = {
    ...{ level: 'tenant', owner: 'north', tenant: 'north', server: 'ok', name: 'default' },
    ...{ lastFour: '1111', dormant: false, lastUsedAt: null },
    ...{ createdAt: time, updatedAt: time, updatedBy: expect.any(String) },
  };
  const second = { ...key, name: 'second', lastFour: '' };
  await is(200, admin('GET', '/tenants/north/keys'), page([key, second]));
  await is(404, admin('PUT', '/tenants/north/keys/none', { value: 'x' }), error('server_not_found'));
  await is(204, admin('DELETE', '/tenants/north/keys/ok?name=second'), null);
  await is(200, admin('GET', '/tenants/north/keys'), page([key]));
  await is(200, admin('PUT', '/keys/ok', { value: 'a-key-for-all-2222' }), stored);
  await is(
    200,
    admin('GET', '/keys'),
    page([{ ...key, level: 'shared', owner: null, tenant: null, lastFour: '2222' }]),
  );
  await is(204, admin('DELETE', '/keys/ok'), null);

  const url = upstream.url('modern');
  await is(200, admin('PUT', '/tenants/north/endpoints/ok', { url }), { ok: true });
  await is(201, admin('POST', '/groups', { name: 'Tenant-North', tenant: 'north' }));
  const now = { ...north, endpoints: [{ server: 'ok', url }], groups: ['Tenant-North'] };
  await is(200, admin('GET', '/tenants/north'), now);
  await is(
    400,
    admin('PUT', '/tenants/north/endpoints/ok', { url: 'http://10.0.0.1/' }),
    error('url_not_allowed'),
  );
  await is(204, admin('DELETE', '/tenants/north/endpoints/ok'), null);
  const changed = { ...now, endpoints: [], displayName: 'North' };
  await is(200, admin('PATCH', '/tenants/north', { displayName: 'North' }), changed);
  await is(200, admin('GET', '/tenants?search=nort'), page([changed]));
  await is(204, admin('DELETE', '/tenants/north'), null);
  await is(404, admin('GET', '/tenants/north'), error('tenant_not_found'));
});

test('tokens are shown once, listed without their value, scoped to a tenant or a service, and revoked', async () => {
  const made = await admin('POST', '/tokens', {
    user: 'alice@acme.com',
    name: 'laptop',
    expiresAt: '2100-01-01T00:00:00Z',
  });
  expect(made).toMatchObject({
    status: 201,
    body: { id: expect.any(String), token: expect.stringMatching(/^tg_/) },
  });
  const { id, token } = made.body;
  const service = await admin('POST', '/tokens', {
    service: 'open-webui',
    name: 'chat',
    mayForwardUsers: 'signed',
  });
  expect(service.status).toBe(201);
  const listed = await admin('GET', '/tokens?search=laptop');
  expect(listed.body).toEqual(
    page([
      {
        ...{
          id,
          name: 'laptop',
          user: 'alice@acme.com',
          service: null,
          tenant: null,
          mayForwardUsers: null,
          prefix: token.slice(0, listed.body.items[0].prefix.length),
        },
        ...{
          createdAt: time,
          createdBy: expect.any(String),
          expiresAt: '2100-01-01T00:00:00.000Z',
          lastUsedAt: null,
          revokedAt: null,
        },
      },
    ]),
  );
  expect(JSON.stringify(listed.body)).not.toContain(token);
  expect((await admin('POST', '/tokens', { name: 'of nobody' })).body.error.code).toBe('invalid_request');
  expect((await admin('POST', '/tokens', { user: 'alice@acme.com', mayForwardUsers: 'plain' })).status).toBe(
    400,
  );
  await is(204, admin('DELETE', `/tokens/${id}`), null);
  await eventually(
    'refused',
    async () => (await askModern({ url: `${gate.url}/mcp`, token }, 'tools/list')).status === 401,
  );
});

test('explain, audit and analytics tell what happened and why', async () => {
  await is(200, admin('GET', '/explain?user=alice@acme.com&server=ok&tool=echo'), {
    allowed: true,
    reasons: expect.arrayContaining([sentence]),
  });
  await is(200, admin('GET', '/explain?user=dora@acme.com&server=nothing'), {
    allowed: false,
    reasons: expect.arrayContaining([sentence]),
  });
  const token = await gate.tokenFor('alice@acme.com');
  await eventually('a call', async () =>
    (
      await askModern({ url: `${gate.url}/mcp`, token }, 'tools/call', {
        name: 'ok__echo',
        arguments: { text: 'x' },
      })
    ).text.includes('"x"'),
  );
  const calls = await eventually('the record', async () => {
    const { body } = await admin('GET', '/analytics?user=alice@acme.com&server=ok&limit=1');
    return body.items.length === 1 && body;
  });
  expect(calls.items[0]).toMatchObject({
    ...{
      user: 'alice@acme.com',
      authSource: 'api-token',
      tenant: null,
      face: 'stream',
      method: 'POST',
      endpoint: '/mcp',
      rpcMethod: 'tools/call',
    },
    ...{
      server: 'ok',
      tool: 'echo',
      outcome: 'ok',
      statusCode: 200,
      requestId: expect.any(String),
      timestamp: time,
      arguments: null,
    },
  });
  const { body } = await admin('GET', '/audit?limit=100');
  expect(body.items[0]).toMatchObject({
    timestamp: time,
    actor: expect.any(String),
    action: expect.stringMatching(/^\w+\.\w+$/),
    targetId: expect.any(String),
  });
});

test('the config file is applied again on request, and a dry run changes nothing', async () => {
  await is(200, admin('POST', '/config/apply', { dryRun: true }), { changes: expect.any(Array) });
});

test('strangers get 401, people who are no admins 403, mistakes 400 with every wrong value, unknown paths 404', async () => {
  const send = (path: string, init: RequestInit = {}) => fetch(`${gate.url}/mcp-admin/api${path}`, init);
  const stranger = await send('/users');
  expect([stranger.status, await stranger.json()]).toEqual([401, error('unauthenticated')]);
  const person = await send('/users', { headers: bearer(await gate.tokenFor('alice@acme.com')) });
  expect([person.status, await person.json()]).toEqual([403, error('not_an_admin')]);
  await admin('POST', '/groups', { name: 'Bosses', admin: true });
  await admin('POST', '/users', { email: 'boss@acme.com', groups: ['Bosses'] });
  const boss = await send('/users', { headers: bearer(await gate.tokenFor('boss@acme.com')) });
  expect(boss.status).toBe(200);
  const wrong = await admin('POST', '/users', { email: 'no address', groups: 'none', extra: 1 });
  expect(wrong.status).toBe(400);
  expect(wrong.body.error).toMatchObject({
    code: 'invalid_request',
    message: expect.any(String),
    requestId: expect.any(String),
  });
  expect(wrong.body.error.details.map(({ path }: { path: string }) => path).sort()).toEqual(
    expect.arrayContaining(['body.email', 'body.groups']),
  );
  await is(404, admin('GET', '/nothing'), error('not_found'));
  const patched = await admin('PUT', '/users', {});
  expect([patched.status, patched.headers.get('allow')]).toEqual([405, expect.stringContaining('GET')]);
  const text = await send('/users', {
    method: 'POST',
    headers: { ...bearer(gate.adminToken), 'content-type': 'application/json' },
    body: '{"email":',
  });
  expect([text.status, await text.json()]).toEqual([400, error('invalid_json')]);
  const id = await send('/users', { headers: { 'x-request-id': 'from-a-proxy-1' } });
  expect([id.headers.get('x-request-id'), await id.json()]).toEqual([
    'from-a-proxy-1',
    { error: expect.objectContaining({ requestId: 'from-a-proxy-1' }) },
  ]);
  const document = await (await send('/openapi.json')).json();
  expect(Object.keys((document as { paths: object }).paths)).toEqual(
    expect.arrayContaining(['/users', '/users/{email}', '/tokens', '/explain']),
  );
});

test('health and readiness answer anybody', async () => {
  const health = await fetch(`${gate.url}/gateway/health`);
  expect([health.status, await health.json()]).toEqual([
    200,
    { status: 'healthy', version: expect.any(String), uptimeSeconds: expect.any(Number) },
  ]);
  const ready = await fetch(`${gate.url}/gateway/ready`);
  expect(ready.status).toBe(200);
});
