import { expect, test } from 'vitest';
import {
  accountServer,
  accountsDatabase,
  alice,
  connect,
  oauthServer,
  openAccounts,
  redirectUriAt,
} from '../../../test/accounts-world.ts';

const returnTo = '/gateway/connect?server=notes';

test('the operator’s parameters are added to the authorization request and take nothing’s place', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer();
  const authorizeParams = {
    ...{
      access_type: 'offline',
      prompt: 'select_account',
      redirect_uri: 'https://evil.example.com',
      state: 'x',
    },
    ...{ resource: 'https://evil.example.com', code_challenge_method: 'plain' },
  };
  const settings = { authorizeParams, scopes: ['mcp:write'] };
  const url = new URL(
    (await accounts.begin({ tenant: null, user: alice, server: accountServer(server, settings), returnTo }))
      .url,
  );
  expect(Object.fromEntries(url.searchParams)).toMatchObject({
    ...{
      access_type: 'offline',
      prompt: 'select_account',
      redirect_uri: redirectUriAt(server),
      resource: server.url,
    },
    ...{ code_challenge_method: 'S256', scope: 'mcp:write offline_access' },
  });
  expect(url.searchParams.get('state')).not.toBe('x');
});

test('further permissions are asked for beside those that were granted, and the account then has all of them', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer({ says: 'path' });
  const { authorization, question } = await connect({ accounts }, server);
  expect(authorization.searchParams.get('scope')).toBe('mcp:read offline_access');
  const begin = async (further: readonly string[], settings = {}) => {
    const asked = { tenant: 'acme', user: alice, server: accountServer(server, settings), returnTo, further };
    return new URL((await accounts.begin(asked)).url);
  };
  const url = await begin(['mcp:write']);
  expect(url.searchParams.get('scope')).toBe('mcp:read mcp:write offline_access');
  const back = await server.signIn(url.href, alice);
  await accounts.finish({ path: back.pathname, query: back.searchParams, user: alice });
  expect(accounts.stateOf(question)).toMatchObject({ scopes: ['mcp:read', 'mcp:write'] });
  expect((await begin(['mcp:write'], { scopes: ['mcp:read'] })).searchParams.get('scope')).toBe(
    'mcp:read offline_access',
  );
  const many = Array.from({ length: 200 }, (_, i) => `${i}`.padEnd(100, 'x'));
  expect((await begin(many)).searchParams.get('scope')?.length).toBeLessThan(4_100);
});
