import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  accountServer,
  accountsDatabase,
  alice,
  connect,
  handClock,
  oauthServer,
  openAccounts,
  redirectUri,
} from '../../../../test/accounts-world.ts';
import type { OAuthServer } from '../../../../test/fakes/oauth-mcp-server.ts';
import type { OAuthSettings } from '../accounts.ts';
import { deleteClients } from './clients-store.ts';

const hour = 3_600_000;
const place = { tenant: 'acme', user: alice, server: 'notes' };
const clients = [
  {
    ...{ client_id: 'by-hand', client_secret: 'secret of by-hand', redirect_uris: [redirectUri] },
    grant_types: ['authorization_code', 'refresh_token'],
  },
];

/** A server whose definition names a client; `entered` is which secret of it is stored. */
async function configured() {
  const database = await accountsDatabase();
  const clock = handClock();
  const stored = { version: 'first', secret: 'secret of by-hand' };
  const find = () => {
    const { version, secret } = stored;
    return { id: 'x', owner: 'shared', ownerId: null, version, open: () => secret } as const;
  };
  const here = await openAccounts(database, { clock, find });
  const [server, other] = [await oauthServer({ clients }), await oauthServer({ clients })];
  const define = (account: OAuthSettings) =>
    sql`update mcp_proxy.servers set definition = ${JSON.stringify({ account })}::jsonb where id = 'notes'`.execute(
      database.db,
    );
  const at = ({ issuer }: OAuthServer): OAuthSettings => ({ clientId: 'by-hand', issuer });
  const begin = (settings: OAuthSettings) =>
    here.accounts.begin({
      tenant: null,
      user: alice,
      server: accountServer(server, settings),
      returnTo: '/',
    });
  return { ...here, database, clock, find, stored, server, other, define, at, begin };
}

function revocations({ posted }: OAuthServer): unknown[] {
  return posted.filter(({ path }) => path === '/token/revocation');
}

test('when the definition names another issuer, its secret goes there only after it was entered anew', async () => {
  const { accounts, stored, server, other, at, begin } = await configured();
  await connect({ accounts }, server, { settings: at(server) });
  const refused: unknown = await begin(at(other)).catch((error: unknown) => error);
  expect(refused).toMatchObject({ code: 'account_client_elsewhere' });
  for (const part of [server.issuer, other.issuer, 'oauth-client-secret'])
    expect((refused as Error).message).toContain(part);
  stored.version = 'second';
  expect(new URL((await begin(at(other))).url).origin).toBe(new URL(other.issuer).origin);
  await expect(begin(at(server))).rejects.toMatchObject({ code: 'account_client_elsewhere' });
  // A process that has not heard of the secret that was entered still holds the one before.
  stored.version = 'first';
  await expect(begin(at(other))).rejects.toMatchObject({ code: 'account_client_elsewhere' });
  await begin(at(server));
  expect(other.posted).toEqual([]);
});

test('nobody frees a secret by removing the clients of the server', async () => {
  const { accounts, database, server, other, at, begin } = await configured();
  await connect({ accounts }, server, { settings: { clientId: 'by-hand' } });
  await deleteClients(database.db, { tenant: null, server: 'notes' });
  await expect(begin(at(other))).rejects.toMatchObject({ code: 'account_client_elsewhere' });
  await begin({ clientId: 'by-hand' });
});

test('a public client of the definition follows its issuer', async () => {
  const here = await openAccounts(await accountsDatabase());
  const [server, other] = [await oauthServer(), await oauthServer()];
  for (const { issuer } of [server, other]) {
    const settings = { clientId: 'public', issuer };
    const { url } = await here.accounts.begin({
      ...{ tenant: null, user: alice, server: accountServer(server, settings), returnTo: '/' },
    });
    expect(url.startsWith(issuer)).toBe(true);
  }
});

test.each<[string, boolean]>([
  ['names the issuer', true],
  ['leaves the issuer to the server', false],
])(
  'a secret that is replaced is used for accounts that are there, where the definition %s',
  async (_what, isNamed) => {
    const { accounts, clock, stored, server, define, at } = await configured();
    const settings = isNamed ? at(server) : { clientId: 'by-hand' };
    await define(settings);
    const { question } = await connect({ accounts }, server, { settings });
    stored.version = 'second';
    clock.forward(hour);
    expect(await server.whoHas(await accounts.find(question)!.changing!.current())).toBe(alice);
    expect(await accounts.disconnect(place, { id: alice })).toMatchObject({ revoked: 'yes' });
  },
);

test('a secret that was entered for another issuer goes to none of before', async () => {
  const { accounts, stored, server, other, define, at } = await configured();
  await define(at(server));
  await connect({ accounts }, server, { settings: at(server) });
  await define(at(other));
  Object.assign(stored, { version: 'second', secret: 'secret for the other' });
  expect(await accounts.disconnect(place, { id: alice })).toMatchObject({ existed: true, revoked: 'no' });
  expect(revocations(server)).toEqual([]);
});

test('before the secret is entered anew, the one of before still takes tokens back', async () => {
  const { accounts, server, other, define, at } = await configured();
  await connect({ accounts }, server, { settings: at(server) });
  await define(at(other));
  expect(await accounts.disconnect(place, { id: alice })).toMatchObject({ revoked: 'yes' });
  expect(revocations(other)).toEqual([]);
});

test('a secret that was entered for another client goes nowhere as the one of before', async () => {
  const { accounts, clock, stored, server, define, at } = await configured();
  await define(at(server));
  const { question } = await connect({ accounts }, server, { settings: at(server) });
  await define({ ...at(server), clientId: 'another' });
  Object.assign(stored, { version: 'second', secret: 'secret of another' });
  clock.forward(hour);
  await expect(accounts.find(question)!.changing!.current()).rejects.toMatchObject({
    code: 'account_reconnect',
  });
  expect(server.usedRefreshTokens).toEqual([]);
});

test.each([
  ['with a secret', true],
  ['without one', false],
])('of two first sign-ins at the same time one decides whose the client is, %s', async (_what, hasSecret) => {
  const { database, server, other, find } = await configured();
  const secret = hasSecret ? { find } : {};
  const begun = await Promise.allSettled(
    [server, other, server, other].map(async (one) => {
      const { accounts } = await openAccounts(database, secret);
      const named = accountServer(one, { clientId: 'by-hand' });
      await accounts.begin({ tenant: null, user: alice, server: named, returnTo: '/' });
      return one.issuer;
    }),
  );
  const issuers = begun.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
  expect(new Set(issuers).size).toBe(1);
  const { rows } = await sql<{ issuer: string }>`select issuer from mcp_proxy.oauth_clients`.execute(
    database.db,
  );
  expect(rows).toEqual([{ issuer: issuers[0] }]);
});
