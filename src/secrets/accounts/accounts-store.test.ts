import { randomUUID } from 'node:crypto';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { accountsDatabase, alice, bob } from '../../../test/accounts-world.ts';
import type { Db } from '../../platform/db/index.ts';
import {
  deleteAccount,
  loadChanged,
  putAccount,
  putReconnect,
  putRenewed,
  takeLease,
} from './accounts-store.ts';

const account = {
  ...{ tenant: 'acme', user: alice, server: 'notes', issuer: 'https://as.example.com', clientId: 'c' },
  ...{ resource: 'https://mcp.example.com/', sealed: 'v2.x', scopes: ['a'], expiresAt: null },
};
const renewed = { sealed: 'v2.y', scopes: ['a'], expiresAt: 1_700_000_000_000 };

async function changedSince(db: Db, horizon: string | null) {
  const { rows, ...rest } = await loadChanged(db, horizon);
  return { ...rest, users: rows.map(({ user }) => user).sort() };
}

test('only what changed since the last time is read again, and the count tells of what is gone', async () => {
  const { db } = await accountsDatabase();
  const first = await putAccount(db, account);
  await putAccount(db, { ...account, user: bob });
  const all = await changedSince(db, null);
  expect(all).toMatchObject({ users: [alice, bob], total: 2 });
  // Transactions of other databases on the same server count, too, as long as they last.
  const quiet = async () => (await changedSince(db, (await changedSince(db, null)).horizon)).users;
  await expect.poll(quiet).toEqual([]);
  await takeLease(db, { id: first.id, generation: 1, holder: 'h', seconds: 30 });
  await expect.poll(quiet).toEqual([]);
  const { horizon } = await changedSince(db, null);
  await putRenewed(db, { ...renewed, id: first.id, generation: 1 });
  expect((await changedSince(db, horizon)).users).toContain(alice);
  await deleteAccount(db, { ...account, user: bob });
  expect(await changedSince(db, horizon)).toMatchObject({ users: [alice], total: 1 });
});

test('a change that is committed late is not missed', async () => {
  const { db } = await accountsDatabase();
  const { id } = await putAccount(db, account);
  const other = await putAccount(db, { ...account, user: bob });
  const { horizon } = await changedSince(db, null);
  const generationOf = async (since: string) =>
    (await loadChanged(db, since)).rows.find(({ user }) => user === alice)?.generation;
  const seen = await db.transaction().execute(async (trx) => {
    await putRenewed(trx, { ...renewed, id, generation: 1 });
    // Later transactions end before this one does.
    for (const holder of ['a', 'b', 'c']) {
      await takeLease(db, { id: other.id, generation: 1, holder, seconds: -1 });
    }
    return { horizon: (await loadChanged(db, horizon)).horizon, generation: await generationOf(horizon) };
  });
  expect(seen.generation).not.toBe(2);
  expect(await generationOf(seen.horizon)).toBe(2);
});

test('rows that a dump brought from a database with higher numbers are read once', async () => {
  const { db } = await accountsDatabase();
  await putAccount(db, account);
  await sql`update mcp_proxy.user_accounts set changed = '900000000000'::xid8`.execute(db);
  const { horizon, users } = await changedSince(db, null);
  expect(users).toEqual([alice]);
  expect(await changedSince(db, horizon)).toMatchObject({ users: [], total: 1 });
});

test('one lease at a time, for one generation, and none for an account that is over', async () => {
  const { db } = await accountsDatabase();
  const { id } = await putAccount(db, account);
  const lease = { id, generation: 1, seconds: 30 };
  const taken = await Promise.all(
    ['a', 'b', 'c', 'd', 'e', 'f'].map((holder) => takeLease(db, { ...lease, holder })),
  );
  expect(taken.filter((one) => one !== null)).toMatchObject([{ abandoned: false }]);
  await sql`update mcp_proxy.user_accounts set lease_until = now() - interval '1 second'`.execute(db);
  expect(await takeLease(db, { ...lease, holder: 'g' })).toMatchObject({ abandoned: true });
  expect(await takeLease(db, { ...lease, id: randomUUID(), holder: 'h' })).toBeNull();
  await putRenewed(db, { ...renewed, id, generation: 1 });
  expect(await takeLease(db, { ...lease, holder: 'i' })).toBeNull();
  expect(await takeLease(db, { ...lease, generation: 2, holder: 'j' })).toMatchObject({ abandoned: false });
  await putReconnect(db, { id, generation: 2, problem: 'over' });
  expect(await takeLease(db, { ...lease, generation: 2, holder: 'k' })).toBeNull();
});

test('what belongs to an older generation changes nothing', async () => {
  const { db } = await accountsDatabase();
  const { id } = await putAccount(db, account);
  const again = await putAccount(db, account);
  expect(again).toMatchObject({ id, generation: 2 });
  expect(await putRenewed(db, { ...renewed, id, generation: 1 })).toBeNull();
  expect(await putReconnect(db, { id, generation: 1, problem: 'over' })).toBeNull();
});
