import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  accountServer,
  accountsDatabase,
  alice,
  bob,
  connect,
  oauthServer,
  openAccounts,
  questionOf,
  redirectUriAt,
} from '../../../test/accounts-world.ts';
import type { OAuthServer } from '../../../test/fakes/oauth-mcp-server.ts';
import { type Accounts, callbackPath } from './accounts.ts';

const returnTo = '/gateway/connect?server=notes';

async function begun(accounts: Accounts, server: OAuthServer, user = alice): Promise<string> {
  const { url } = await accounts.begin({ tenant: 'acme', user, server: accountServer(server), returnTo });
  return url;
}

test('a person connects an account, and its token is good for that server and nothing else', async () => {
  const here = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const { finished, authorization, question } = await connect(here, server);
  expect(finished).toEqual({ server: 'notes', tenant: 'acme', returnTo: '/gateway/connect' });
  expect(Object.fromEntries(authorization.searchParams)).toMatchObject({
    ...{
      response_type: 'code',
      resource: server.url,
      code_challenge_method: 'S256',
      redirect_uri: redirectUriAt(server),
    },
    ...{ scope: 'mcp:read mcp:write offline_access', prompt: 'consent' },
  });
  const found = here.accounts.find(question);
  expect(found).toMatchObject({ owner: 'user', ownerId: alice });
  expect(await server.whoHas(await found!.changing!.current())).toBe(alice);
  expect(here.accounts.stateOf(question)).toMatchObject({
    state: 'connected',
    scopes: ['mcp:read', 'mcp:write'],
  });
  const [redeemed] = server.posted;
  expect(redeemed?.form.get('resource')).toBe(server.url);
  expect(redeemed?.form.get('code_verifier')).toMatch(/^[\w-]{43,}$/);
});

test('an account is found for its user, tenant, server and address, and for no others', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const { question } = await connect({ accounts }, server);
  expect(accounts.find(question)).toBe(accounts.find({ ...question }));
  expect(accounts.find({ ...question, user: bob })).toBeNull();
  expect(accounts.find({ ...question, tenant: 'globex' })).toBeNull();
  expect(accounts.find({ ...question, tenant: null })).toBeNull();
  expect(accounts.find({ ...question, server: 'mail' })).toBeNull();
  const moved = { ...question, resource: 'https://elsewhere.example.com/mcp' };
  expect(accounts.stateOf(moved)).toMatchObject({ state: 'reconnect' });
  await expect(accounts.find(moved)!.changing!.current()).rejects.toMatchObject({
    code: 'account_reconnect',
  });
  const otherIssuer = { ...question, issuer: 'https://other.example.com' };
  await expect(accounts.find(otherIssuer)!.changing!.current()).rejects.toMatchObject({
    code: 'account_reconnect',
  });
});

test('two people have accounts of their own, for each tenant and for none', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const one = await connect({ accounts }, server);
  const two = await connect({ accounts }, server, { user: bob });
  const without = await connect({ accounts }, server, { tenant: null });
  const tokens = await Promise.all(
    [one, two, without].map(async ({ question }) => accounts.find(question)!.changing!.current()),
  );
  const owners = await Promise.all(tokens.map((token) => server.whoHas(token)));
  expect(owners).toEqual([alice, bob, alice]);
  expect(new Set(tokens).size).toBe(3);
  expect(accounts.listFor(alice).map(({ tenant }) => tenant)).toEqual([null, 'acme']);
});

test('a process that did not see the browser come back knows the account at once', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database);
  const there = await openAccounts(database);
  const server = await oauthServer();
  const url = await begun(here.accounts, server);
  const back = await server.signIn(url, alice);
  await there.accounts.finish({ path: back.pathname, query: back.searchParams, user: alice });
  await expect.poll(() => here.accounts.stateOf(questionOf(server)).state).toBe('connected');
});

test('an answer works once', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const { back } = await connect({ accounts }, server);
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: alice }),
  ).rejects.toMatchObject({
    code: 'account_attempt_unknown',
  });
});

test('what somebody else began connects nothing, neither for them nor for whoever opened the link', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const url = await begun(accounts, server, bob);
  const back = await server.signIn(url, alice);
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: alice }),
  ).rejects.toMatchObject({
    code: 'account_attempt_foreign',
  });
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: bob }),
  ).rejects.toMatchObject({
    code: 'account_attempt_unknown',
  });
  expect(server.posted).toEqual([]);
  expect(accounts.listFor(alice)).toEqual([]);
  expect(accounts.listFor(bob)).toEqual([]);
});

test.each(['', 'state=made-up&code=x', 'code=x', 'state=a&state=b&code=x'])(
  'an answer that nobody asked for is refused: %s',
  async (query) => {
    const { accounts } = await openAccounts(await accountsDatabase());
    await expect(
      accounts.finish({ path: callbackPath, query: new URLSearchParams(query), user: alice }),
    ).rejects.toMatchObject({
      code: 'account_attempt_unknown',
    });
  },
);

test.each<[string, (url: URL) => void]>([
  ['names another server', (url) => url.searchParams.set('iss', 'https://evil.example.com')],
  ['names none, though the server promised to', (url) => url.searchParams.delete('iss')],
  ['names two', (url) => url.searchParams.append('iss', 'https://evil.example.com')],
  ['has two codes', (url) => url.searchParams.append('code', 'another')],
  ['has a token of the implicit flow', (url) => url.searchParams.set('token', 'x')],
])('an answer is not used when it %s (mix-up)', async (_name, callback) => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer({ callback });
  const back = await server.signIn(await begun(accounts, server), alice);
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: alice }),
  ).rejects.toMatchObject({
    ...{ name: 'AppError', code: 'account_answer_wrong', at: { server: 'notes', returnTo } },
  });
  expect(server.posted).toEqual([]);
});

test('of an answer by another server no word is shown', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const { searchParams } = new URL(await begun(accounts, server));
  const state = searchParams.get('state')!;
  const path = new URL(searchParams.get('redirect_uri')!).pathname;
  const query = new URLSearchParams({
    state,
    iss: 'https://evil.example.com',
    error: 'x',
    error_description: 'Call this number',
  });
  const refused: unknown = await accounts
    .finish({ path, query, user: alice })
    .catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'account_answer_wrong' });
  expect(String(refused)).not.toMatch(/this number|evil/);
});

test('a person who says no is told so, with the words of the server as one short line', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const long = '\u202e\n'.concat('x'.repeat(5000));
  const server = await oauthServer({
    callback: (url) =>
      url.searchParams.set('error_description', `${url.searchParams.get('error_description')}${long}`),
  });
  const back = await server.signIn(await begun(accounts, server), alice, 'deny');
  const refused: unknown = await accounts
    .finish({ path: back.pathname, query: back.searchParams, user: alice })
    .catch((e: unknown) => e);
  expect(refused).toMatchObject({ code: 'account_sign_in_refused', at: { returnTo } });
  const { message } = refused as Error;
  expect(message).toContain('The user said <b>no</b>');
  expect(message.length).toBeLessThan(500);
  expect(message).not.toMatch(/[\p{C}]/u);
});

test('a stolen code is worth nothing without its verifier', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const stolen = await server.signIn(await begun(accounts, server), alice);
  const own = await server.signIn(await begun(accounts, server, bob), bob);
  own.searchParams.set('code', stolen.searchParams.get('code')!);
  await expect(
    accounts.finish({ path: own.pathname, query: own.searchParams, user: bob }),
  ).rejects.toMatchObject({
    code: 'account_sign_in_refused',
  });
  expect(accounts.listFor(bob)).toEqual([]);
});

test.each(['https://evil.example.com', '//evil.example.com', '/\\evil.example.com', 'gateway', '/a\nb', ''])(
  'nobody is sent to %j afterwards',
  async (to) => {
    const { accounts } = await openAccounts(await accountsDatabase());
    const server = { url: 'https://127.0.0.1:1/mcp' };
    const begin = accounts.begin({ tenant: null, user: alice, server: accountServer(server), returnTo: to });
    await expect(begin).rejects.toMatchObject({ code: 'account_return_invalid' });
  },
);

test('of one person ten sign-ins can be under way, and each ends after ten minutes', async () => {
  const database = await accountsDatabase();
  const { accounts } = await openAccounts(database);
  const server = await oauthServer();
  const first = await begun(accounts, server);
  for (let i = 0; i < 10; i += 1) await begun(accounts, server);
  const { rows } = await sql<{ left: number }>`
    select extract(epoch from expires_at - now())::int as left from mcp_proxy.oauth_attempts`.execute(
    database.db,
  );
  expect(rows.length).toBe(10);
  for (const { left } of rows) expect(left).toBeLessThanOrEqual(600);
  const back = await server.signIn(first, alice);
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: alice }),
  ).rejects.toMatchObject({
    code: 'account_attempt_unknown',
  });
  const late = await server.signIn(await begun(accounts, server), alice);
  await sql`update mcp_proxy.oauth_attempts set expires_at = now() - interval '1 second'`.execute(
    database.db,
  );
  await expect(
    accounts.finish({ path: late.pathname, query: late.searchParams, user: alice }),
  ).rejects.toMatchObject({
    code: 'account_attempt_unknown',
  });
});

test('an attempt that was moved to another person in the database opens for nobody', async () => {
  const database = await accountsDatabase();
  const { accounts } = await openAccounts(database);
  const server = await oauthServer();
  const back = await server.signIn(await begun(accounts, server, bob), bob);
  await sql`update mcp_proxy.oauth_attempts set user_email = ${alice}`.execute(database.db);
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: alice }),
  ).rejects.toMatchObject({
    code: 'credential_unreadable',
  });
});

test('connecting and disconnecting stand in the audit log; no token, code or verifier stands anywhere', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database);
  const server = await oauthServer();
  const { back, authorization, question } = await connect(here, server);
  const token = await here.accounts.find(question)!.changing!.current();
  const printed = JSON.stringify([here.accounts.find(question), here.accounts.listFor(alice)]);
  const secrets = [token, back.searchParams.get('code')!, authorization.searchParams.get('state')!];
  secrets.push(server.posted[0]!.form.get('code_verifier')!);
  const { rows } = await sql<{ all: string }>`
    select (select json_agg(a)::text from mcp_proxy.user_accounts a) || (select json_agg(l)::text from mcp_proxy.audit_log l)
      || (select json_agg(c)::text from mcp_proxy.oauth_clients c) as all`.execute(database.db);
  await here.accounts.disconnect({ tenant: 'acme', user: alice, server: 'notes' }, { id: 'admin-token' });
  for (const secret of secrets) {
    expect(rows[0]!.all).not.toContain(secret);
    expect(here.lines.join('\n')).not.toContain(secret);
    expect(printed).not.toContain(secret);
  }
  const log = await sql<{ action: string; actor: string }>`
    select action, actor from mcp_proxy.audit_log order by id`.execute(database.db);
  expect(log.rows).toEqual([
    { action: 'account.connect', actor: alice },
    { action: 'account.disconnect', actor: 'admin-token' },
  ]);
});
