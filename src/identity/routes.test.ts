import { sql } from 'kysely';
import { beforeAll, expect, test } from 'vitest';
import { identityWorld, reasonOf } from '../../test/identity-world.ts';
import type { z } from 'zod';
import type { Method, Page } from '../platform/contract.ts';
import type { tokenView } from './contract.ts';
import { identityRoutes } from './index.ts';

const world = await identityWorld();
const { db } = world;
const routes = identityRoutes({ db, clock: world.clock, changed: () => world.identity.refreshTokens() });
const actor = { id: 'admin@acme.com', requestId: 'request-1', clientIp: '10.0.0.1' };

/** What the app does: parse with the endpoint, call the handler, parse its answer. */
async function call<Answer>(
  method: Method,
  input: { params?: unknown; query?: unknown; body?: unknown } = {},
): Promise<Answer> {
  const { endpoint, handle } = routes.find((one) => one.endpoint.method === method)!;
  const answer = await handle({
    params: endpoint.params.parse(input.params ?? {}),
    query: endpoint.query.parse(input.query ?? {}),
    body: endpoint.body.parse(input.body),
    actor,
  });
  // Each caller names the type of the endpoint's output.
  return endpoint.output.parse(answer) as Answer;
}

const create = (body: unknown) => call<{ id: string; token: string }>('POST', { body });
const list = (query: unknown) => call<Page<z.infer<typeof tokenView>>>('GET', { query });

beforeAll(async () => {
  await sql`insert into mcp_proxy.users (email) values ('alice@acme.com'), ('bob@acme.com')`.execute(db);
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme')`.execute(db);
});

test('a token works as soon as it is made and stops as soon as it is revoked', async () => {
  const { id, token } = await create({ user: 'Alice@acme.com', name: 'laptop', tenant: 'acme' });
  expect((await world.call(token)).id).toBe('alice@acme.com');
  await call('DELETE', { params: { id } });
  expect(reasonOf(await world.refused(token))).toBe('token_revoked');
});

test('a list shows everything but the token', async () => {
  const expiresAt = new Date(world.clock() + 3_600_000).toISOString();
  const { id, token } = await create({
    service: 'webui',
    name: 'listed',
    mayForwardUsers: 'signed',
    expiresAt,
  });
  const { items } = await list({ search: 'LISTED' });
  expect(items).toEqual([
    {
      id,
      name: 'listed',
      user: null,
      service: 'webui',
      tenant: null,
      mayForwardUsers: 'signed',
      prefix: token.slice(0, 8),
      createdAt: expect.any(String),
      createdBy: 'admin@acme.com',
      expiresAt,
      lastUsedAt: null,
      revokedAt: null,
    },
  ]);
  expect(JSON.stringify(items)).not.toContain(token.slice(8, 20));
});

test('a list is newest first, goes on by cursor and can be one person’s', async () => {
  for (const name of ['one', 'two', 'three']) await create({ user: 'bob@acme.com', name });
  await create({ service: 'other' });
  const first = await list({ user: 'bob@acme.com', limit: '2' });
  const second = await list({ user: 'bob@acme.com', limit: '2', cursor: first.nextCursor });
  const names = [...first.items, ...second.items].map((item) => item.name);
  expect(names).toEqual(['three', 'two', 'one']);
  expect(second.nextCursor).toBeNull();
});

test.each(['nonsense', "'; drop table x", '------------------------------------'])(
  'the cursor %s is refused',
  async (cursor) => {
    await expect(list({ cursor })).rejects.toMatchObject({
      code: 'cursor_invalid',
      status: 400,
    });
  },
);

test.each([
  ['an unknown user', { user: 'nobody@acme.com' }, 'user_not_found', 404],
  ['an unknown tenant', { user: 'alice@acme.com', tenant: 'nowhere' }, 'tenant_not_found', 404],
  [
    'an end in the past',
    { user: 'alice@acme.com', expiresAt: '2020-01-01T00:00:00Z' },
    'expiry_in_past',
    400,
  ],
])('a token for %s is not made', async (_, body, code, status) => {
  await expect(create(body)).rejects.toMatchObject({ code, status });
});

test('revoking an unknown token is an error, revoking twice is not', async () => {
  const unknown = { id: '00000000-0000-4000-8000-000000000000' };
  await expect(call('DELETE', { params: unknown })).rejects.toMatchObject({
    code: 'token_not_found',
    status: 404,
  });
  const { id } = await create({ service: 'twice' });
  await call('DELETE', { params: { id } });
  await call('DELETE', { params: { id } });
  const { rows } =
    await sql`select action from mcp_proxy.audit_log where target_id = ${id} order by id`.execute(db);
  expect(rows).toEqual([{ action: 'token.create' }, { action: 'token.revoke' }]);
});

test('a service can be a member of groups from its first token on', async () => {
  await create({ service: 'member' });
  await create({ service: 'member' });
  const { rows } = await sql`select email from mcp_proxy.users where email = 'service:member'`.execute(db);
  expect(rows).toHaveLength(1);
});

test('the audit tells who made which token from where, never the token', async () => {
  const { id, token } = await create({ user: 'alice@acme.com', name: 'audited' });
  const { rows } = await sql`select * from mcp_proxy.audit_log where target_id = ${id}`.execute(db);
  expect(rows).toMatchObject([
    {
      actor: 'admin@acme.com',
      action: 'token.create',
      request_id: 'request-1',
      client_ip: '10.0.0.1',
      after: { name: 'audited' },
    },
  ]);
  expect(JSON.stringify(rows)).not.toContain(token.slice(3, 20));
});
