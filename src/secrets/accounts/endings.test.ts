import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  accountsDatabase,
  alice,
  bob,
  box,
  connect,
  oauthServer,
  openAccounts,
  redirectUri,
} from '../../../test/accounts-world.ts';
import { asOwner } from '../../../test/database.ts';
import type { OAuthServerOptions } from '../../../test/fakes/oidc-configuration.ts';
import type { Db } from '../../platform/db/index.ts';
import { storeClient } from './clients/store-client.ts';

const endingsEveryMs = 50;

async function connected(options: OAuthServerOptions = {}) {
  const database = await accountsDatabase();
  const { db } = database;
  const here = await openAccounts(database, { endingsEveryMs });
  const server = await oauthServer(options);
  const waiting = async () => {
    const { rows } = await sql<{ kind: string; tries: number }>`
      select kind, tries from mcp_proxy.account_endings order by kind`.execute(db);
    return rows;
  };
  const revoked = () => server.posted.filter(({ path }) => path === '/token/revocation');
  const tokenOf = async (user: string) =>
    here.accounts.find({ tenant: 'acme', user, server: 'notes', resource: server.url })!.changing!.current();
  return { ...here, database, db, server, waiting, revoked, tokenOf };
}

test.each([
  ['person', (user: string) => sql`delete from mcp_proxy.users where email = ${user}`],
  ['server', () => sql`delete from mcp_proxy.servers where id = 'notes'`],
  ['tenant', () => sql`delete from mcp_proxy.tenants where id = 'acme'`],
])('when a %s is deleted, the tokens are taken back', async (_what, statement) => {
  const { accounts, db, server, waiting, revoked, tokenOf } = await connected();
  await connect({ accounts }, server);
  const token = await tokenOf(alice);
  await statement(alice).execute(db);
  await expect.poll(() => server.whoHas(token)).toBeUndefined();
  await expect.poll(waiting).toEqual([]);
  expect(revoked().map(({ form }) => form.get('token_type_hint'))).toEqual(['refresh_token', 'access_token']);
});

test('only the accounts of who is deleted are ended', async () => {
  const { accounts, db, server, waiting, tokenOf } = await connected();
  await connect({ accounts }, server);
  await connect({ accounts }, server, { user: bob });
  const [gone, stays] = [await tokenOf(alice), await tokenOf(bob)];
  await sql`delete from mcp_proxy.users where email = ${alice}`.execute(db);
  await expect.poll(() => server.whoHas(gone)).toBeUndefined();
  await expect.poll(waiting).toEqual([]);
  expect(await server.whoHas(stays)).toBe(bob);
  expect(await tokenOf(bob)).toBe(stays);
});

test('a person who is disabled keeps the account, and nothing is taken back', async () => {
  const { accounts, db, server, waiting, revoked, tokenOf } = await connected();
  await connect({ accounts }, server);
  const token = await tokenOf(alice);
  await sql`update mcp_proxy.users set disabled = true where email = ${alice}`.execute(db);
  await accounts.refresh();
  expect(await waiting()).toEqual([]);
  expect(revoked()).toEqual([]);
  expect(await server.whoHas(token)).toBe(alice);
});

test('whoever disconnects is not ended a second time', async () => {
  const { accounts, server, waiting, revoked } = await connected();
  await connect({ accounts }, server);
  await accounts.disconnect({ tenant: 'acme', user: alice, server: 'notes' }, { id: alice });
  expect(await waiting()).toEqual([]);
  expect(revoked()).toHaveLength(2);
});

test('the client that an administrator stored is used though it went with the server, and forgotten then', async () => {
  const clients = [
    {
      ...{ client_id: 'by-hand', client_secret: 'secret of by-hand', redirect_uris: [redirectUri] },
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ];
  const { accounts, db, server, waiting, revoked, tokenOf } = await connected({
    clients,
    registration: 'none',
  });
  const made = { clientId: 'by-hand', secret: 'secret of by-hand', issuer: server.issuer };
  await storeClient(db, { box, by: 'root' }, { tenant: null, server: 'notes' }, made);
  await connect({ accounts }, server);
  const token = await tokenOf(alice);
  await sql`delete from mcp_proxy.servers where id = 'notes'`.execute(db);
  await expect.poll(() => server.whoHas(token)).toBeUndefined();
  await expect.poll(waiting).toEqual([]);
  expect(revoked()[0]?.authorization).toMatch(/^Basic /);
  const { rows } = await sql`select from mcp_proxy.oauth_clients`.execute(db);
  expect(rows).toEqual([]);
});

test('a stored client without a secret keeps nobody from deleting the server', async () => {
  const clients = [
    {
      ...{ client_id: 'public', token_endpoint_auth_method: 'none' as const, redirect_uris: [redirectUri] },
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ];
  const { accounts, db, server, waiting, tokenOf } = await connected({ clients, registration: 'none' });
  const made = { clientId: 'public', secret: null, issuer: server.issuer };
  await storeClient(db, { box, by: 'root' }, { tenant: null, server: 'notes' }, made);
  await connect({ accounts }, server);
  await tokenOf(alice);
  await sql`delete from mcp_proxy.servers where id = 'notes'`.execute(db);
  expect((await waiting()).map(({ kind }) => kind)).not.toContain('client');
});

test('of all processes one takes tokens back', async () => {
  const { accounts, database, db, server, waiting, revoked } = await connected();
  await openAccounts(database, { endingsEveryMs });
  await openAccounts(database, { endingsEveryMs });
  await connect({ accounts }, server);
  await connect({ accounts }, server, { user: bob });
  await sql`delete from mcp_proxy.servers where id = 'notes'`.execute(db);
  await expect.poll(waiting).toEqual([]);
  expect(revoked()).toHaveLength(4);
});

test('a server that is away is asked again later, and not for ever', async () => {
  const { accounts, db, server, waiting, lines } = await connected();
  await connect({ accounts }, server);
  await server.close();
  await sql`delete from mcp_proxy.users where email = ${alice}`.execute(db);
  await expect.poll(waiting).toEqual([{ kind: 'account', tries: 1 }]);
  const makeDue = () => sql`update mcp_proxy.account_endings set due_at = now()`.execute(db);
  for (const tries of [2, 3, 4]) {
    await expect
      .poll(async () => {
        const [row] = await waiting();
        if (row?.tries === tries - 1) await makeDue();
        return row?.tries;
      })
      .toBe(tries);
  }
  await expect
    .poll(async () => {
      await makeDue();
      return waiting();
    })
    .toEqual([]);
  expect(lines.filter((line) => line.includes('could not be taken back'))).toHaveLength(1);
});

test('what was moved in the database is not sent anywhere', async () => {
  const { accounts, db, server, waiting, revoked } = await connected();
  await connect({ accounts }, server);
  await sql`update mcp_proxy.user_accounts set user_email = ${bob}`.execute(db);
  await sql`delete from mcp_proxy.users where email = ${bob}`.execute(db);
  await expect.poll(waiting).toEqual([]);
  expect(revoked()).toEqual([]);
});

test('what is sealed under a retired key keeps nobody from being deleted', async () => {
  const { accounts, db, server, waiting } = await connected();
  await connect({ accounts }, server);
  const key = (await sql<{ sealed: string }>`select sealed from mcp_proxy.user_accounts`.execute(db)).rows[0];
  await sql`insert into mcp_proxy.master_keys (id, retired_at) values (${key?.sealed.split('.')[1]}, now())`.execute(
    db,
  );
  await sql`delete from mcp_proxy.users where email = ${alice}`.execute(db);
  expect(await waiting()).toEqual([]);
});

test('a secret that came with a server of the same name goes to no issuer of before', async () => {
  const database = await accountsDatabase();
  const { db } = database;
  let version = 'first';
  const find = () => ({ id: 'x', owner: 'shared', ownerId: null, version, open: () => 'secret' }) as const;
  const clients = [{ client_id: 'by-hand', client_secret: 'secret', redirect_uris: [redirectUri] }];
  const here = await openAccounts(database, { find });
  const server = await oauthServer({ clients });
  await connect(here, server, { settings: { clientId: 'by-hand', issuer: server.issuer } });
  await sql`delete from mcp_proxy.servers where id = 'notes'`.execute(db);
  const definition = { account: { clientId: 'by-hand', issuer: 'https://other.example.com' } };
  await sql`insert into mcp_proxy.servers (id, definition) values ('notes', ${JSON.stringify(definition)}::jsonb)`.execute(
    db,
  );
  version = 'second';
  await openAccounts(database, { endingsEveryMs, find });
  await expect
    .poll(async () => (await sql`select from mcp_proxy.account_endings`.execute(db)).rows)
    .toEqual([]);
  expect(server.posted.filter(({ path }) => path === '/token/revocation')).toEqual([]);
});

test('what was connected anew meanwhile is left alone: some providers would end it, too', async () => {
  const database = await accountsDatabase();
  const { db } = database;
  const here = await openAccounts(database);
  const server = await oauthServer();
  await connect(here, server);
  await connect(here, server, { user: bob });
  for (const user of [alice, bob]) await sql`delete from mcp_proxy.users where email = ${user}`.execute(db);
  await sql`insert into mcp_proxy.users (email) values (${alice})`.execute(db);
  await here.accounts.refresh();
  await connect(here, server);
  const there = await openAccounts(database, { endingsEveryMs });
  await expect
    .poll(async () => (await sql`select from mcp_proxy.account_endings`.execute(db)).rows)
    .toEqual([]);
  expect(server.posted.filter(({ path }) => path === '/token/revocation')).toHaveLength(2);
  expect(there.lines.filter((line) => line.includes('was connected anew'))).toHaveLength(1);
});

async function howManyWait(owner: Db): Promise<number> {
  const { rows } = await sql`
    select from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'`.execute(
    owner,
  );
  return rows.length;
}

test.each([
  ['person', sql`delete from mcp_proxy.users where email = ${alice}`],
  ['server', sql`delete from mcp_proxy.servers where id = 'notes'`],
  ['tenant', sql`delete from mcp_proxy.tenants where id = 'acme'`],
])(
  'tokens that are renewed while a %s is deleted are the ones that are taken back',
  async (_what, statement) => {
    const database = await accountsDatabase();
    const { db } = database;
    const here = await openAccounts(database);
    await connect(here, await oauthServer());
    const renewed = 'v2.00000000.renewed';
    let deleted: Promise<unknown> | undefined;
    await db.transaction().execute(async (trx) => {
      await sql`update mcp_proxy.user_accounts set sealed = ${renewed}, generation = generation + 1`.execute(
        trx,
      );
      deleted = statement.execute(db);
      await expect.poll(() => asOwner(db, howManyWait)).toBe(1);
    });
    await deleted;
    const { rows } = await sql`select sealed from mcp_proxy.account_endings where kind = 'account'`.execute(
      db,
    );
    expect(rows).toEqual([{ sealed: renewed }]);
  },
);

test('people and servers that are deleted at the same time do not wait for each other for ever', async () => {
  const database = await accountsDatabase();
  const { db } = database;
  const people = Array.from({ length: 40 }, (_, at) => `person${at}@acme.com`);
  await sql`insert into mcp_proxy.users (email) select unnest(${people}::text[])`.execute(db);
  await sql`
    insert into mcp_proxy.user_accounts (tenant_id, user_email, server_id, issuer, client_id, resource, state, sealed)
    select tenant.id, person.email, server.id, 'https://as.example.com', 'gate', 'https://mcp.example.com/', 'connected',
      'v2.00000000.x'
    from mcp_proxy.tenants tenant, mcp_proxy.users person, mcp_proxy.servers server`.execute(db);
  await Promise.all([
    sql`delete from mcp_proxy.servers`.execute(db),
    sql`delete from mcp_proxy.users where email like 'person%'`.execute(db),
    sql`delete from mcp_proxy.tenants`.execute(db),
  ]);
  const { rows } = await sql`select from mcp_proxy.user_accounts`.execute(db);
  expect(rows).toEqual([]);
});
