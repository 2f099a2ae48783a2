import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  accountsDatabase,
  alice,
  box,
  connect,
  handClock,
  oauthServer,
  openAccounts,
} from '../../../test/accounts-world.ts';
import { asOwner } from '../../../test/database.ts';
import type { OAuthServerOptions } from '../../../test/fakes/oidc-configuration.ts';
import { putRenewed, readAccount, takeLease } from './accounts-store.ts';
import { openAccount, sealAccount } from './tokens.ts';

const hour = 3_600_000;

/** One connected account whose token lasts an hour by a clock that the test moves. */
async function connected(options: OAuthServerOptions = {}) {
  const database = await accountsDatabase();
  const clock = handClock();
  const here = await openAccounts(database, { clock });
  const server = await oauthServer(options);
  const { question } = await connect(here, server);
  const { changing, id } = here.accounts.find(question)!;
  server.posted.length = 0;
  const token = await changing!.current();
  return { ...here, clock, server, question, id, token, changing: changing!, db: database.db, database };
}

test('a token is used until four fifths of its life, then the next one is got ahead of time', async () => {
  const { changing, token, clock, server } = await connected();
  clock.forward(0.79 * hour);
  expect(changing.current()).toBe(token);
  expect(server.usedRefreshTokens).toEqual([]);
  clock.forward(0.02 * hour);
  expect(changing.current()).toBe(token);
  await expect.poll(() => changing.current()).not.toBe(token);
  expect(server.usedRefreshTokens.length).toBe(1);
  expect(server.posted[0]?.form.get('resource')).toBe(server.url);
});

test('a token that is over is renewed first, once for everybody who waits, and the connection stays', async () => {
  const { accounts, changing, token, clock, server, question } = await connected();
  const before = accounts.find(question)!;
  clock.forward(hour);
  const tokens = await Promise.all(Array.from({ length: 20 }, async () => changing.current()));
  expect(new Set(tokens).size).toBe(1);
  expect(tokens[0]).not.toBe(token);
  expect(await server.whoHas(tokens[0]!)).toBe(alice);
  expect(server.usedRefreshTokens.length).toBe(1);
  expect(accounts.find(question)).toBe(before);
});

test('two replicas renew at once fifty times: one request each time, and no refresh token is used twice', async () => {
  const { database, accounts, clock, server, question } = await connected();
  const there = await openAccounts(database, { clock });
  const replicas = [accounts, there.accounts];
  for (let round = 1; round <= 50; round += 1) {
    clock.forward(hour);
    const tokens = await Promise.all(
      [0, 1, 2, 3, 4, 5].map(async (i) => replicas[i % 2]!.find(question)!.changing!.current()),
    );
    expect(new Set(tokens).size).toBe(1);
    expect(server.usedRefreshTokens.length).toBe(round);
  }
  expect(new Set(server.usedRefreshTokens).size).toBe(50);
  expect(server.refusals).toEqual([]);
}, 60_000);

test('an authorization server that ends the access is asked once; then everybody knows that it is over', async () => {
  const { database, accounts, changing, clock, server, question } = await connected();
  const there = await openAccounts(database, { clock });
  await server.revoke(alice);
  clock.forward(hour);
  await expect(changing.current()).rejects.toMatchObject({
    ...{ code: 'account_reconnect', message: expect.stringContaining('invalid_grant') as string },
  });
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  expect(accounts.stateOf(question)).toMatchObject({ state: 'reconnect' });
  await expect.poll(() => there.accounts.stateOf(question).state).toBe('reconnect');
  clock.forward(24 * hour);
  await expect(there.accounts.find(question)!.changing!.current()).rejects.toMatchObject({
    code: 'account_reconnect',
  });
  expect(server.posted.length).toBe(1);
});

test('whoever connects anew goes on, as another version of the same account', async () => {
  const { accounts, clock, server, question } = await connected();
  const before = accounts.find(question)!;
  await server.revoke(alice);
  clock.forward(hour);
  await expect(before.changing!.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  await connect({ accounts }, server);
  const after = accounts.find(question)!;
  expect(after.id).toBe(before.id);
  expect(after.version).not.toBe(before.version);
  expect(await server.whoHas(await after.changing!.current())).toBe(alice);
});

test('a server that is away, slow or in trouble costs nobody the account, and is not asked again at once', async () => {
  const { accounts, changing, clock, server, question } = await connected();
  let asked = 0;
  server.beforeToken = () => {
    asked += 1;
    return 503;
  };
  clock.forward(hour);
  await expect(changing.current()).rejects.toMatchObject({
    ...{ code: 'account_renewal_failed', message: expect.stringContaining('HTTP 503') as string },
  });
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_renewal_failed' });
  expect(asked).toBe(1);
  expect(accounts.stateOf(question).state).toBe('connected');
  server.beforeToken = () => undefined;
  clock.forward(11_000);
  expect(await server.whoHas(await changing.current())).toBe(alice);
});

test('when the answer gets lost, the old refresh token is tried once more, and then it is over', async () => {
  const { accounts, changing, clock, server, question } = await connected();
  server.afterToken = () => 'cut';
  clock.forward(hour);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_renewal_failed' });
  expect(accounts.stateOf(question).state).toBe('connected');
  server.afterToken = () => undefined;
  clock.forward(11_000);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  expect(server.usedRefreshTokens.length).toBe(2);
});

test('without a refresh token the account is over when its token is', async () => {
  const { accounts, changing, token, clock, question } = await connected({ noRefreshTokens: true });
  clock.forward(0.85 * hour);
  expect(changing.current()).toBe(token);
  clock.forward(hour);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  expect(accounts.stateOf(question)).toMatchObject({ state: 'reconnect' });
});

test('a token that the server refuses is renewed once; refused again, the account is over', async () => {
  const { accounts, changing, token, clock, server, question } = await connected();
  expect(await changing.refused(token)).toBe(true);
  const next = await changing.current();
  expect(next).not.toBe(token);
  expect(await changing.refused(token)).toBe(true);
  expect(server.usedRefreshTokens.length).toBe(1);
  clock.forward(61_000);
  expect(await changing.refused(next)).toBe(true);
  expect(await changing.refused(await changing.current())).toBe(false);
  expect(accounts.stateOf(question)).toMatchObject({ state: 'reconnect' });
  expect(server.usedRefreshTokens.length).toBe(2);
});

test('many refusals at once renew once', async () => {
  const { changing, token, server } = await connected();
  const answers = await Promise.all(Array.from({ length: 20 }, () => changing.refused(token)));
  expect(new Set(answers)).toEqual(new Set([true]));
  expect(server.usedRefreshTokens.length).toBe(1);
});

test('while the database is away, a token that lasts is used, and no refresh token', async () => {
  const { db, changing, token, clock, server } = await connected();
  await asOwner(db, (owner) => sql`alter table mcp_proxy.user_accounts rename to away`.execute(owner));
  clock.forward(0.9 * hour);
  expect(changing.current()).toBe(token);
  clock.forward(hour);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_renewal_failed' });
  await asOwner(db, (owner) => sql`alter table mcp_proxy.away rename to user_accounts`.execute(owner));
  expect(server.usedRefreshTokens).toEqual([]);
  clock.forward(11_000);
  expect(await server.whoHas(await changing.current())).toBe(alice);
});

test('when the database goes away under a renewal, the new token is used, and stored as soon as it is back', async () => {
  const { db, database, changing, clock, server, question, id } = await connected();
  server.afterToken = async () => {
    server.afterToken = () => undefined;
    await asOwner(db, (owner) => sql`alter table mcp_proxy.user_accounts rename to away`.execute(owner));
    return undefined;
  };
  clock.forward(hour);
  const token = await changing.current();
  expect(await server.whoHas(token)).toBe(alice);
  await asOwner(db, (owner) => sql`alter table mcp_proxy.away rename to user_accounts`.execute(owner));
  await expect.poll(async () => (await readAccount(db, id))?.generation).toBe(2);
  const there = await openAccounts(database, { clock });
  expect(await there.accounts.find(question)!.changing!.current()).toBe(token);
});

test('what waits to be stored is renewed from there, never from what the database still has', async () => {
  const { db, changing, clock, server } = await connected();
  await asOwner(db, async (owner) => {
    await sql`create function mcp_proxy.refuse() returns trigger language plpgsql as $$
      begin raise exception 'not now'; end $$`.execute(owner);
    await sql`create trigger refuse before update of sealed on mcp_proxy.user_accounts
      for each row execute function mcp_proxy.refuse()`.execute(owner);
  });
  clock.forward(hour);
  const second = await changing.current();
  // The lease that was taken for it has ended long ago.
  await sql`update mcp_proxy.user_accounts set lease_until = now() - interval '1 minute'`.execute(db);
  clock.forward(hour);
  const waiting = Promise.resolve(changing.current());
  await sleep(3_000);
  await asOwner(db, (owner) => sql`drop trigger refuse on mcp_proxy.user_accounts`.execute(owner));
  expect(await waiting).not.toBe(second);
  expect(await server.whoHas(await waiting)).toBe(alice);
  expect(new Set(server.usedRefreshTokens).size).toBe(2);
  expect(server.refusals).toEqual([]);
});

test('a slow authorization server is waited for by all processes, and asked by one', async () => {
  const { database, accounts, clock, server, question } = await connected();
  const there = await openAccounts(database, { clock });
  server.beforeToken = async () => {
    await sleep(1_500);
    return undefined;
  };
  clock.forward(hour);
  const tokens = await Promise.all(
    [accounts, there.accounts].map(async (one) => one.find(question)!.changing!.current()),
  );
  expect(new Set(tokens).size).toBe(1);
  expect(server.usedRefreshTokens.length).toBe(1);
});

test('whoever finds a lease waits for what its holder stores', async () => {
  const { db, changing, clock, server, id } = await connected();
  const taken = await takeLease(db, { id, generation: 1, holder: 'another process', seconds: 30 });
  clock.forward(hour);
  const waiting = Promise.resolve(changing.current());
  const { row } = taken!;
  const secret = { ...openAccount(box, row, row.sealed), accessToken: 'theirs', expiresAt: clock() + hour };
  const sealed = sealAccount(box, row, secret);
  await putRenewed(db, { id, generation: 1, sealed, scopes: [], expiresAt: secret.expiresAt });
  expect(await waiting).toBe('theirs');
  expect(server.usedRefreshTokens).toEqual([]);
});

test('a lease that somebody left behind is taken over, after a moment for what they may still store', async () => {
  const { db, changing, clock, server, id } = await connected();
  await takeLease(db, { id, generation: 1, holder: 'a process that was killed', seconds: -1 });
  clock.forward(hour);
  expect(await server.whoHas(await changing.current())).toBe(alice);
  expect(server.usedRefreshTokens.length).toBe(1);
  await takeLease(db, { id, generation: 2, holder: 'a process without its database', seconds: -1 });
  clock.forward(hour);
  server.beforeToken = () => 500;
  const waiting = Promise.resolve(changing.current());
  const row = (await readAccount(db, id))!;
  const secret = { ...openAccount(box, row, row.sealed), accessToken: 'late', expiresAt: clock() + hour };
  const sealed = sealAccount(box, row, secret);
  await putRenewed(db, { id, generation: 2, sealed, scopes: [], expiresAt: secret.expiresAt });
  expect(await waiting).toBe('late');
});

test('disconnected in the middle of a renewal, the account stays away, and what was just got is taken back', async () => {
  const { accounts, changing, clock, server, question } = await connected();
  server.afterToken = async () => {
    server.afterToken = () => undefined;
    await accounts.disconnect({ tenant: 'acme', user: alice, server: 'notes' }, { id: alice });
    return undefined;
  };
  clock.forward(hour);
  await expect(changing.current()).rejects.toMatchObject({ code: 'account_reconnect' });
  expect(accounts.find(question)).toBeNull();
  const revoked = server.posted
    .filter(({ path }) => path === '/token/revocation')
    .map(({ form }) => form.get('token'));
  expect(new Set(revoked).size).toBe(4);
});

test('connected anew in the middle of a renewal, the account has the newer tokens', async () => {
  const { accounts, changing, clock, server, question } = await connected();
  server.beforeToken = async () => {
    server.beforeToken = () => undefined;
    await connect({ accounts }, server);
    return undefined;
  };
  clock.forward(hour);
  const token = await changing.current();
  expect(await server.whoHas(token)).toBe(alice);
  expect(await accounts.find(question)!.changing!.current()).toBe(token);
});
