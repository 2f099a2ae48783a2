import type { ClientMetadata } from 'oidc-provider';
import { expect, test } from 'vitest';
import {
  accountServer,
  accountsDatabase,
  alice,
  box,
  connect,
  handClock,
  oauthServer,
  openAccounts,
  publicUrl,
  redirectUri,
  redirectUriAt,
} from '../../../test/accounts-world.ts';
import type { OAuthServer } from '../../../test/fakes/oauth-mcp-server.ts';
import type { OAuthServerOptions } from '../../../test/fakes/oidc-configuration.ts';
import { callbackPath, clientMetadataPath } from './accounts.ts';
import { sealClient } from './clients/client-seal.ts';
import { putClient } from './clients/clients-store.ts';

const hour = 3_600_000;

/** An authorization server that does not name itself in its answers. */
const nameless: OAuthServerOptions = {
  metadata: (document) => delete document['authorization_response_iss_parameter_supported'],
  callback: (url) => url.searchParams.delete('iss'),
};

test('an answer that comes to the address of another authorization server is not used (mix-up)', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const [honest, evil] = [await oauthServer(nameless), await oauthServer(nameless)];
  const begin = async (server: OAuthServer) =>
    new URL(
      (await accounts.begin({ tenant: null, user: alice, server: accountServer(server), returnTo: '/' })).url,
    );
  // The evil one sends the browser on to the honest one, with what that one expects, but for its own state.
  const [there, meant] = [await begin(honest), await begin(evil)];
  there.searchParams.set('state', meant.searchParams.get('state')!);
  const back = await honest.signIn(there.href, alice);
  expect(back.searchParams.get('code')).not.toBeNull();
  expect(back.href.startsWith(redirectUriAt(honest))).toBe(true);
  await expect(
    accounts.finish({ path: back.pathname, query: back.searchParams, user: alice }),
  ).rejects.toMatchObject({ code: 'account_answer_wrong' });
  expect([honest.posted, evil.posted]).toEqual([[], []]);
});

test('neither does the address of clients by hand stand in for one of its own', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await oauthServer(nameless);
  const { url } = await accounts.begin({
    ...{ tenant: null, user: alice, server: accountServer(server), returnTo: '/' },
  });
  const back = await server.signIn(url, alice);
  const answer = { path: callbackPath, query: back.searchParams, user: alice };
  await expect(accounts.finish(answer)).rejects.toMatchObject({ code: 'account_answer_wrong' });
  expect(server.posted).toEqual([]);
});

test.each([
  '',
  'short.json',
  '../../x.json',
  `${'a'.repeat(22)}`,
  `${'a'.repeat(23)}.json`,
  `${'a'.repeat(21)}/.json`,
])('there is no metadata document %j', async (name) => {
  const { accounts } = await openAccounts(await accountsDatabase());
  expect(accounts.clientMetadata(`/gateway/oauth/client-metadata/${name}`)).toBeNull();
});

const registeredBefore: ClientMetadata = {
  ...{ client_id: 'before', redirect_uris: [redirectUri], token_endpoint_auth_method: 'none' },
  grant_types: ['authorization_code', 'refresh_token'],
};

test('what was registered, and whoever connected, when all had one address goes on', async () => {
  const database = await accountsDatabase();
  const clock = handClock();
  const here = await openAccounts(database, { clock });
  const server = await oauthServer({ clients: [registeredBefore] });
  const place = { tenant: null, server: 'notes', issuer: server.issuer, source: 'registered' } as const;
  const registered = { clientId: 'before', secret: null, method: 'none', redirectUri };
  const sealed = sealClient(box, place, registered);
  await putClient(database.db, { ...place, clientId: 'before', sealed, expiresAt: null, by: 'gate' });
  const { authorization, back, question } = await connect(here, server);
  expect(authorization.searchParams.get('client_id')).toBe('before');
  expect(back.pathname).toBe(callbackPath);
  clock.forward(hour);
  expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
  expect(here.accounts.clientMetadata(clientMetadataPath)).toMatchObject({
    ...{ client_id: `${publicUrl}${clientMetadataPath}`, redirect_uris: [redirectUri] },
  });
});
