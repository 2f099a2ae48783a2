import { sql } from 'kysely';
import type { ClientMetadata } from 'oidc-provider';
import { expect, test } from 'vitest';
import {
  accountServer,
  accountsDatabase,
  alice,
  bob,
  box,
  connect,
  handClock,
  oauthServer,
  openAccounts,
  redirectUri,
} from '../../../test/accounts-world.ts';
import type { OAuthServer } from '../../../test/fakes/oauth-mcp-server.ts';
import type { OAuthServerOptions } from '../../../test/fakes/oidc-configuration.ts';
import type { Database } from '../../platform/db/index.ts';
import type { FoundCredential } from '../credential.ts';
import { storeClient } from './clients/store-client.ts';

const hour = 3_600_000;
const nobody = 'http://127.0.0.1:9';

/** A server that names these authorization servers; `own` stands for the one that its tokens are checked by. */
async function naming(issuers: readonly string[], options: OAuthServerOptions = {}): Promise<OAuthServer> {
  let own = '';
  const server = await oauthServer({
    ...options,
    resource: (document) => {
      document['authorization_servers'] = issuers.map((issuer) => (issuer === 'own' ? own : issuer));
    },
  });
  own = server.issuer;
  return server;
}

test('where the first authorization server gives no answer, people sign in at the next one', async () => {
  const here = await openAccounts(await accountsDatabase());
  const server = await naming([nobody, 'own']);
  const { question } = await connect(here, server);
  expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
  expect(here.accounts.listFor(alice)).toMatchObject([{ issuer: server.issuer }]);
});

test.each<[string, OAuthServerOptions]>([
  [
    'does not protect sign-ins',
    { metadata: (document) => delete document['code_challenge_methods_supported'] },
  ],
  ['registers nobody', { registration: 'none' }],
  ['refuses to register the gate', { registration: 'gated' }],
])('one that %s is passed over', async (_what, options) => {
  const here = await openAccounts(await accountsDatabase());
  const first = await oauthServer(options);
  const server = await naming([first.issuer, 'own']);
  await connect(here, server);
  expect(here.accounts.listFor(alice)).toMatchObject([{ issuer: server.issuer }]);
  expect(first.posted).toEqual([]);
});

test('no more than three are asked, and what was wrong with the first is told', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const unsafe = `${nobody}/x?query`;
  const server = await naming([nobody, unsafe, unsafe.replace('x', 'y'), 'own']);
  const begin = () =>
    accounts.begin({ tenant: null, user: alice, server: accountServer(server), returnTo: '/' });
  await expect(begin()).rejects.toMatchObject({
    ...{ code: 'account_server_away', message: expect.stringContaining(nobody) as string },
  });
  expect(server.registered).toEqual([]);
});

test('an account stays with the one where it was connected: its refresh token goes to no other', async () => {
  const clock = handClock();
  const here = await openAccounts(await accountsDatabase(), { clock });
  const evil = await oauthServer();
  const issuers = ['own'];
  const server = await naming(issuers);
  const { question } = await connect(here, server);
  issuers.unshift(evil.issuer);
  clock.forward(hour);
  expect(await server.whoHas(await here.accounts.find(question)!.changing!.current())).toBe(alice);
  server.beforeToken = () => 503;
  clock.forward(hour);
  await expect(here.accounts.find(question)!.changing!.current()).rejects.toMatchObject({
    code: 'account_renewal_failed',
  });
  expect(evil.posted).toEqual([]);
});

test('whoever connects again signs in where they did before, as long as the server names it', async () => {
  const here = await openAccounts(await accountsDatabase());
  const other = await oauthServer();
  const issuers = ['own'];
  const server = await naming(issuers);
  await connect(here, server);
  issuers.unshift(other.issuer);
  const again = await openAccounts(here.database);
  await connect(again, server);
  expect(again.accounts.listFor(alice)).toMatchObject([{ issuer: server.issuer }]);
  expect([other.registered, other.posted]).toEqual([[], []]);
});

const byHand: ClientMetadata = {
  ...{ client_id: 'by-hand', client_secret: 'secret of by-hand', redirect_uris: [redirectUri] },
  grant_types: ['authorization_code', 'refresh_token'],
};

test('a stored client chooses its own authorization server, and no other sees its secret', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database);
  const evil = await oauthServer();
  const server = await naming([evil.issuer, 'own'], { clients: [byHand] });
  const made = { clientId: 'by-hand', secret: 'secret of by-hand', issuer: server.issuer };
  await storeClient(database.db, { box, by: 'root' }, { tenant: null, server: 'notes' }, made);
  const { authorization } = await connect(here, server);
  expect(authorization.searchParams.get('client_id')).toBe('by-hand');
  expect([evil.posted, evil.registered]).toEqual([[], []]);
});

function secretOf(version: string): FoundCredential {
  return { id: 'x', owner: 'shared', ownerId: null, version, open: () => 'secret of by-hand' };
}

function clientsIn({ db }: Database): Promise<unknown[]> {
  return sql`select source, issuer from mcp_proxy.oauth_clients where source = 'configured'`
    .execute(db)
    .then(({ rows }) => rows);
}

test('while the first gives no answer, a client of the definition goes to no other', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database, { find: () => secretOf('1') });
  const server = await naming([nobody, 'own'], { clients: [byHand] });
  await expect(connect(here, server, { settings: { clientId: 'by-hand' } })).rejects.toMatchObject({
    code: 'account_server_away',
  });
  expect(await clientsIn(database)).toEqual([]);
  expect([server.posted, server.registered]).toEqual([[], []]);
});

test('where somebody signed in before does not decide whose a client of the definition is', async () => {
  const database = await accountsDatabase();
  const here = await openAccounts(database, { find: () => secretOf('1') });
  const server = await naming([nobody, 'own'], { clients: [byHand] });
  await connect(here, server);
  await expect(connect(here, server, { settings: { clientId: 'by-hand' } })).rejects.toMatchObject({
    code: 'account_client_elsewhere',
  });
  expect(await clientsIn(database)).toEqual([]);
  expect(server.posted.map(({ authorization }) => authorization)).toEqual([undefined]);
});

test('a client of the definition stays where it was used first, wherever that is named', async () => {
  const database = await accountsDatabase();
  const find = () => secretOf('1');
  const evil = await oauthServer();
  const issuers = ['own'];
  const server = await naming(issuers, { clients: [byHand] });
  const settings = { clientId: 'by-hand' };
  await connect(await openAccounts(database, { find }), server, { settings });
  issuers.unshift(evil.issuer);
  const again = await openAccounts(database, { find });
  await connect(again, server, { user: bob, settings });
  expect(again.accounts.listFor(bob)).toMatchObject([{ issuer: server.issuer }]);
  expect([evil.posted, evil.registered]).toEqual([[], []]);
});

test('the client of an administrator is never stored for a stand-in of the first', async () => {
  const { accounts } = await openAccounts(await accountsDatabase());
  const server = await naming([nobody, 'own']);
  await expect(accounts.issuerOf(accountServer(server))).rejects.toMatchObject({
    code: 'account_server_away',
  });
});
