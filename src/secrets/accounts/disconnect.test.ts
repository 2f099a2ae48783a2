import { expect, test } from 'vitest';
import {
  accountsDatabase,
  alice,
  bob,
  connect,
  oauthServer,
  openAccounts,
} from '../../../test/accounts-world.ts';
import type { OAuthServerOptions } from '../../../test/fakes/oidc-configuration.ts';

const place = { tenant: 'acme', user: alice, server: 'notes' };
const actor = { id: alice };

async function connected(options: OAuthServerOptions = {}) {
  const database = await accountsDatabase();
  const here = await openAccounts(database);
  const server = await oauthServer(options);
  const { question } = await connect(here, server);
  const found = here.accounts.find(question)!;
  return { ...here, database, server, question, found, token: await found.changing!.current() };
}

test('whoever disconnects is forgotten here at once, in other processes soon, and both tokens are taken back', async () => {
  const { database, accounts, server, question, found, token } = await connected();
  const there = await openAccounts(database);
  const other = await connect({ accounts }, server, { user: bob });
  expect(await accounts.disconnect(place, actor)).toEqual({ existed: true, revoked: 'yes' });
  expect(accounts.find(question)).toBeNull();
  expect(accounts.stateOf(question)).toEqual({ state: 'none' });
  expect(await server.whoHas(token)).toBeUndefined();
  await expect(found.changing!.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  await expect.poll(() => there.accounts.find(question)).toBeNull();
  const hints = server.posted.flatMap(({ form }) => form.get('token_type_hint') ?? []);
  expect(hints).toEqual(['refresh_token', 'access_token']);
  expect(await server.whoHas(await accounts.find(other.question)!.changing!.current())).toBe(bob);
  expect(await accounts.disconnect(place, actor)).toEqual({ existed: false, revoked: 'unsupported' });
});

test('where tokens cannot be taken back, the person is told, and forgotten all the same', async () => {
  const { accounts, question } = await connected({
    metadata: (document) => {
      delete document['revocation_endpoint'];
    },
  });
  expect(await accounts.disconnect(place, actor)).toEqual({ existed: true, revoked: 'unsupported' });
  expect(accounts.find(question)).toBeNull();
});

test('an authorization server that is away keeps nobody connected', async () => {
  const { accounts, question, server, lines, token } = await connected();
  await server.close();
  expect(await accounts.disconnect(place, actor)).toEqual({ existed: true, revoked: 'no' });
  expect(accounts.find(question)).toBeNull();
  expect(lines.join('')).not.toContain(token);
});

test('for one tenant disconnected, the account for another one stays', async () => {
  const { accounts, server, question } = await connected();
  const { question: forGlobex } = await connect({ accounts }, server, { tenant: 'globex' });
  await accounts.disconnect({ ...place, tenant: null }, actor);
  expect(accounts.find(question)).not.toBeNull();
  await accounts.disconnect({ ...place, tenant: 'globex' }, actor);
  expect(accounts.find(forGlobex)).toBeNull();
  expect(accounts.find(question)).not.toBeNull();
});

test('changes of accounts are told, renewed tokens are not', async () => {
  const { accounts, server, found, token } = await connected();
  let told = 0;
  const stop = accounts.onChange(() => {
    told += 1;
  });
  expect(await found.changing!.refused(token)).toBe(true);
  await accounts.refresh();
  expect(told).toBe(0);
  await connect({ accounts }, server, { user: bob });
  await expect.poll(() => told).toBeGreaterThan(0);
  stop();
});
