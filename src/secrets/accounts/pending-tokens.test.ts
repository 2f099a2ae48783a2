import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  accountsDatabase,
  alice,
  connect,
  handClock,
  oauthServer,
  openAccounts,
  temporaryDirectory,
} from '../../../test/accounts-world.ts';
import { asOwner, renameTable } from '../../../test/database.ts';
import type { OAuthServer } from '../../../test/fakes/oauth-mcp-server.ts';
import type { Db } from '../../platform/db/index.ts';
import { MasterKey } from '../master-keys/master-key.ts';
import { createSecretBox } from '../sealing/secret-box.ts';
import { readAccount } from './accounts-store.ts';

const hour = 3_600_000;

/** An account that is to be renewed, under one of two master keys. */
async function connected() {
  const [old, next] = [new MasterKey(randomBytes(32)), new MasterKey(randomBytes(32))];
  const keys = { inForce: old, retired: false };
  const box = createSecretBox({
    current: () => keys.inForce,
    get: (id) => [next, ...(keys.retired ? [] : [old])].find((key) => key.id === id),
  });
  const database = await accountsDatabase();
  const clock = handClock();
  const dataDir = await temporaryDirectory();
  const here = await openAccounts(database, { clock, dataDir, box });
  const server = await oauthServer();
  const { question } = await connect(here, server);
  const { changing, id } = here.accounts.find(question)!;
  const left = () => readdir(path.join(dataDir, 'unsaved-tokens')).catch(() => []);
  const { db } = database;
  return { ...here, database, db, clock, server, question, id, changing: changing!, old, next, keys, left };
}

/** The table does not take this account’s tokens. */
function refuseTokens(db: Db): Promise<unknown> {
  return asOwner(db, async (owner) => {
    await sql`create function mcp_proxy.refuse() returns trigger language plpgsql as $$
      begin raise exception 'not this' using errcode = 'check_violation'; end $$`.execute(owner);
    await sql`create trigger refuse before update of sealed on mcp_proxy.user_accounts
      for each row execute function mcp_proxy.refuse()`.execute(owner);
  });
}

/** From the next answer of the token endpoint on the table is away. */
async function accountsAway(server: OAuthServer, db: Db): Promise<undefined> {
  server.afterToken = () => undefined;
  await renameTable(db, 'user_accounts', 'away');
}

/** Renewed tokens wait under a master key that the database refuses, which this process has not heard of. */
async function refusedKey() {
  const it = await connected();
  const { db, clock, server, changing, old, next, lines } = it;
  await sql`insert into mcp_proxy.master_keys (id) values (${old.id}), (${next.id})`.execute(db);
  server.afterToken = () => accountsAway(server, db);
  clock.forward(hour);
  const token = await changing.current();
  await sql`update mcp_proxy.master_keys set retired_at = now() where id = ${old.id}`.execute(db);
  await renameTable(db, 'away', 'user_accounts');
  await expect.poll(() => lines.join('')).toContain('wait for another master key');
  const revoked = () => server.posted.filter(({ path: at }) => at === '/token/revocation');
  return { ...it, token, revoked };
}

test('tokens that the database never takes are given up: taken back, and the account has to be connected again', async () => {
  const { db, accounts, changing, clock, server, question, id, left, lines } = await connected();
  await refuseTokens(db);
  clock.forward(hour);
  expect(await server.whoHas(await changing.current())).toBe(alice);
  await expect
    .poll(() => accounts.stateOf(question))
    .toMatchObject({
      ...{ state: 'reconnect', problem: expect.stringContaining('could not be stored') as string },
    });
  await expect.poll(left).toEqual([]);
  expect(await readAccount(db, id)).toMatchObject({ state: 'reconnect' });
  expect(server.posted.some(({ path: at }) => at === '/token/revocation')).toBe(true);
  expect(lines.filter((line) => line.includes('can never be stored'))).toHaveLength(1);
  await asOwner(db, (owner) => sql`drop trigger refuse on mcp_proxy.user_accounts`.execute(owner));
  await connect({ accounts }, server);
  expect(await server.whoHas(await changing.current())).toBe(alice);
});

test('tokens that wait while their master key is retired are sealed anew and stored', async () => {
  const { db, accounts, changing, clock, server, question, id, old, next, keys, left } = await connected();
  await sql`insert into mcp_proxy.master_keys (id) values (${old.id}), (${next.id})`.execute(db);
  server.afterToken = () => accountsAway(server, db);
  clock.forward(hour);
  const token = await changing.current();
  expect(await accounts.unsavedUnder(old.id)).toBe(1);
  expect(await accounts.unsavedUnder(next.id)).toBe(0);
  keys.inForce = next;
  keys.retired = true;
  await sql`update mcp_proxy.master_keys set retired_at = now() where id = ${old.id}`.execute(db);
  await renameTable(db, 'away', 'user_accounts');
  await expect.poll(async () => (await readAccount(db, id))?.generation).toBe(2);
  expect((await readAccount(db, id))?.sealed).toContain(`v2.${next.id}.`);
  expect(await accounts.find(question)?.changing?.current()).toBe(token);
  await expect.poll(left).toEqual([]);
});

test('tokens that wait for a person who is deleted meanwhile are taken back', async () => {
  const { db, changing, clock, server, left } = await connected();
  await asOwner(db, async (owner) => {
    await sql`create function mcp_proxy.refuse() returns trigger language plpgsql as $$
      begin raise exception 'not now'; end $$`.execute(owner);
    await sql`create trigger refuse before update of sealed on mcp_proxy.user_accounts
      for each row execute function mcp_proxy.refuse()`.execute(owner);
  });
  clock.forward(hour);
  const token = await changing.current();
  await sql`delete from mcp_proxy.users where email = ${alice}`.execute(db);
  await expect.poll(left).toEqual([]);
  await expect.poll(() => server.whoHas(token)).toBeUndefined();
});

test('a process that hears late of another master key loses no tokens', async () => {
  const { db, accounts, clock, question, id, next, keys, left, token, revoked } = await refusedKey();
  clock.forward(hour / 2);
  // No other process takes the used-up refresh token meanwhile.
  await sql`update mcp_proxy.user_accounts set lease_until = now() - interval '1 second'`.execute(db);
  const held = async () => {
    const { rows } = await sql<{ held: boolean }>`
      select lease_until > clock_timestamp() as held from mcp_proxy.user_accounts`.execute(db);
    return rows[0]?.held;
  };
  await expect.poll(held).toBe(true);
  expect(await readAccount(db, id)).toMatchObject({ state: 'connected', generation: 1 });
  Object.assign(keys, { inForce: next, retired: true });
  await expect.poll(async () => (await readAccount(db, id))?.generation).toBe(2);
  expect(accounts.stateOf(question)).toMatchObject({ state: 'connected' });
  expect(revoked()).toEqual([]);
  await expect.poll(left).toEqual([]);
  expect(await accounts.find(question)?.changing?.refused(token)).toBe(true);
});

test('a process that knows of the retirement and has no other key gives up after a minute', async () => {
  const { db, accounts, clock, question, id, keys, left } = await refusedKey();
  keys.retired = true;
  await expect
    .poll(() => {
      clock.forward(hour / 600);
      return accounts.stateOf(question).state;
    })
    .toBe('reconnect');
  await expect.poll(left).toEqual([]);
  expect(await readAccount(db, id)).toMatchObject({ state: 'reconnect' });
});
