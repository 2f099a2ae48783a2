import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { caller } from '../../../test/access-world.ts';
import {
  accountServer,
  accountsDatabase,
  alice,
  bob,
  connect,
  oauthServer,
  openAccounts,
  redirectUri,
} from '../../../test/accounts-world.ts';
import type { Json } from '../../../test/e2e/program.ts';
import { createAdminApp } from '../../admin/index.ts';
import { AppError } from '../../platform/errors.ts';
import { createLog } from '../../platform/log.ts';
import { accountRoutes } from './routes.ts';

const clientSecret = 'canary-of-a-client-secret';

async function world() {
  const database = await accountsDatabase();
  const here = await openAccounts(database);
  const server = await oauthServer({
    clients: [
      {
        ...{ client_id: 'by-hand', client_secret: clientSecret, redirect_uris: [redirectUri] },
        grant_types: ['authorization_code', 'refresh_token'],
      },
    ],
  });
  const { accounts, box } = here;
  const serverOf = (_tenant: string | null, id: string) =>
    id === 'notes' ? accountServer(server) : undefined;
  const app = createAdminApp({
    routes: accountRoutes({ database, box, accounts, serverOf }),
    authenticate: async (request) => {
      const token = request.headers.get('authorization');
      if (token === null) throw new AppError('unauthenticated', 401, 'Who are you?');
      return { principal: caller('admin@acme.com'), isAdmin: token === 'Bearer admin' };
    },
    ...{ log: createLog('silent'), version: '0', publicUrl: 'http://localhost' },
  });
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    token: string | null = 'admin',
  ): Promise<{ status: number; body: Json; text: string }> => {
    const request = new Request(`http://localhost/mcp-admin/api${path}`, {
      method,
      headers: {
        ...(token !== null && { authorization: `Bearer ${token}` }),
        ...(body !== undefined && { 'content-type': 'application/json' }),
      },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
    const response = await app.fetch(request, { clientIp: '::1', requestId: 'r-1' });
    const text = await response.text();
    return { status: response.status, text, body: text === '' ? null : JSON.parse(text) };
  };
  return { ...here, database, server, ask };
}

test('administrators see whose account is where and in which state, and no token', async () => {
  const { accounts, server, ask } = await world();
  const { question } = await connect({ accounts }, server);
  await connect({ accounts }, server, { user: bob, tenant: 'globex' });
  await connect({ accounts }, server, { user: bob, tenant: null });
  const all = await ask('GET', '/accounts');
  expect(all.status).toBe(200);
  expect(all.body.items.length).toBe(3);
  expect(all.text).not.toContain(await accounts.find(question)!.changing!.current());
  const { body } = await ask('GET', `/users/${alice}/accounts`);
  expect(body.items).toEqual([
    {
      ...{ user: alice, tenant: 'acme', server: 'notes', state: 'connected', problem: null },
      ...{ issuer: server.issuer, scopes: ['mcp:read', 'mcp:write'] },
      ...{ connectedAt: expect.any(String) as string, refreshedAt: null },
    },
  ]);
  expect((await ask('GET', '/accounts?search=BOB')).body.items.length).toBe(2);
  expect((await ask('GET', '/accounts?server=mail')).body.items).toEqual([]);
  expect((await ask('GET', '/accounts?state=reconnect')).body.items).toEqual([]);
  expect((await ask('GET', '/users/nobody@acme.com/accounts')).status).toBe(404);
  const first = await ask('GET', '/accounts?limit=2');
  const second = await ask('GET', `/accounts?limit=2&cursor=${first.body.nextCursor}`);
  expect([...first.body.items, ...second.body.items]).toEqual(all.body.items);
  expect(second.body.nextCursor).toBeNull();
  expect((await ask('GET', '/accounts?cursor=x')).body.error.code).toBe('cursor_invalid');
});

test('an administrator disconnects one account, or all of a person at a server, and that is recorded', async () => {
  const { accounts, server, ask, database } = await world();
  await connect({ accounts }, server);
  await connect({ accounts }, server, { tenant: null });
  const path = `/users/${alice}/accounts/notes`;
  expect((await ask('DELETE', `${path}?tenant=globex`)).status).toBe(404);
  expect((await ask('DELETE', `${path}?tennant=acme`)).status).toBe(400);
  expect((await ask('DELETE', `${path}?tenant=acme`)).body).toEqual({
    items: [{ tenant: 'acme', revoked: 'yes' }],
  });
  expect((await ask('DELETE', path)).body).toEqual({ items: [{ tenant: null, revoked: 'yes' }] });
  expect(accounts.listFor(alice)).toEqual([]);
  expect((await ask('DELETE', path)).body.error.code).toBe('account_not_found');
  const { rows } = await sql<{ actor: string }>`
    select actor from mcp_proxy.audit_log where action = 'account.disconnect'`.execute(database.db);
  expect(rows).toEqual([{ actor: 'admin@acme.com' }, { actor: 'admin@acme.com' }]);
});

test.each(['/oauth-clients', '/tenants/acme/oauth-clients'])(
  'a client is stored at %s, used for signing in, listed without its secret, replaced and removed',
  async (path) => {
    const { accounts, server, ask, database, lines } = await world();
    const set = await ask('PUT', `${path}/notes`, { clientId: 'by-hand', clientSecret });
    // The issuer is the one that the server names.
    expect(set.body).toEqual({ ok: true, issuer: server.issuer, redirectUri });
    const { question } = await connect({ accounts }, server);
    expect(server.registered).toEqual([]);
    expect(await server.whoHas(await accounts.find(question)!.changing!.current())).toBe(alice);
    const list = await ask('GET', path);
    expect(list.body.items).toMatchObject([{ server: 'notes', clientId: 'by-hand', hasSecret: true }]);
    const issuer = 'https://as.example.com';
    await ask('PUT', `${path}/notes`, { clientId: 'public', issuer });
    expect((await ask('GET', path)).body.items).toMatchObject([
      { issuer, clientId: 'public', hasSecret: false },
    ]);
    expect((await ask('DELETE', `${path}/notes`)).status).toBe(204);
    expect((await ask('DELETE', `${path}/notes`)).body.error.code).toBe('oauth_client_not_found');
    const { rows } = await sql<{ all: string }>`
      select json_agg(l order by id)::text as all from mcp_proxy.audit_log l where target_kind = 'oauth_client'`.execute(
      database.db,
    );
    expect((JSON.parse(rows[0]!.all) as Json[]).map(({ action }) => action)).toEqual([
      ...['oauth_client.create', 'oauth_client.replace', 'oauth_client.delete'],
    ]);
    for (const text of [list.text, set.text, rows[0]!.all, lines.join('')])
      expect(text).not.toContain(clientSecret);
  },
);

test('forgetting the client of a server forgets how the gate registered there, too', async () => {
  const { accounts, server, ask } = await world();
  await connect({ accounts }, server);
  expect((await ask('DELETE', '/oauth-clients/notes')).status).toBe(204);
  await connect({ accounts }, server);
  expect(server.registered.length).toBe(2);
});

test('the client of one tenant is not that of another', async () => {
  const { ask } = await world();
  const body = { clientId: 'x', issuer: 'https://as.example.com' };
  await ask('PUT', '/tenants/acme/oauth-clients/notes', body);
  expect((await ask('GET', '/tenants/globex/oauth-clients')).body.items).toEqual([]);
  expect((await ask('DELETE', '/tenants/globex/oauth-clients/notes')).status).toBe(404);
  expect((await ask('GET', '/oauth-clients')).body.items).toEqual([]);
});

test('what is wrong is refused in words that help', async () => {
  const { ask } = await world();
  const body = { clientId: 'x', clientSecret: 'y' };
  const codeOf = async (...[method, path, input]: [string, string, unknown?]) =>
    (await ask(method, path, input)).body.error.code as string;
  expect(await codeOf('PUT', '/oauth-clients/mail', body)).toBe('oauth_client_issuer_needed');
  const issuer = 'https://as.example.com';
  expect(await codeOf('PUT', '/oauth-clients/none', { ...body, issuer })).toBe('server_not_found');
  expect(await codeOf('PUT', '/tenants/none/oauth-clients/notes', { ...body, issuer })).toBe(
    'tenant_not_found',
  );
  expect(await codeOf('GET', '/tenants/none/oauth-clients')).toBe('tenant_not_found');
  for (const wrong of [
    { clientId: '' },
    { ...body, clientSecret: 'a\nb' },
    { ...body, issuer: 'javascript:alert(1)' },
    { ...body, more: 1 },
  ]) {
    expect((await ask('PUT', '/oauth-clients/notes', wrong)).status).toBe(400);
  }
});

test.each([
  ['GET', '/accounts'],
  ['GET', `/users/${alice}/accounts`],
  ['DELETE', `/users/${alice}/accounts/notes`],
  ['GET', '/oauth-clients'],
  ['PUT', '/oauth-clients/notes'],
  ['DELETE', '/oauth-clients/notes'],
  ['GET', '/tenants/acme/oauth-clients'],
  ['PUT', '/tenants/acme/oauth-clients/notes'],
  ['DELETE', '/tenants/acme/oauth-clients/notes'],
])('%s %s is for administrators, and for nobody else', async (method, path) => {
  const { ask } = await world();
  const body = method === 'PUT' ? { clientId: 'x', issuer: 'https://as.example.com' } : undefined;
  expect((await ask(method, path, body, null)).status).toBe(401);
  expect((await ask(method, path, body, 'somebody')).status).toBe(403);
});
