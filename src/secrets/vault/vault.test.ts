import { randomBytes, randomUUID } from 'node:crypto';
import { format, inspect } from 'node:util';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { asOwner, testDatabase } from '../../../test/database.ts';
import { systemClock } from '../../platform/clock.ts';
import { type Database, type Db, watchChanges } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../binding.ts';
import type { CredentialQuestion } from '../credential.ts';
import { MasterKey } from '../master-keys/master-key.ts';
import { seal } from '../sealing/seal.ts';
import { createSecretBox } from '../sealing/secret-box.ts';
import { putSealed } from '../keys/store.ts';
import { createVault } from './vault.ts';

const masterKey = new MasterKey(randomBytes(32));

async function setup() {
  const database = await testDatabase();
  const { db } = database;
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.servers (id, definition) values ('github', '{}'), ('files', '{}')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.groups (name, display_name, tenant_id) values ('Developers', '', null), ('Acme', '', 'acme')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.users (email) values ('alice@acme.com'), ('bob@acme.com')`.execute(db);
  return database;
}

async function openVault(database: Database, key = masterKey) {
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const changes = await watchChanges(database, { log, clock: systemClock });
  const vault = await createVault({
    db: database.db,
    changes,
    box: createSecretBox(key),
    log,
    clock: systemClock,
  });
  onTestFinished(async () => {
    await vault.close();
    await changes.close();
  });
  return { vault, lines };
}

async function store(db: Db, binding: Binding, secret: string, key = masterKey): Promise<void> {
  await putSealed(db, { ...binding, sealed: seal(key, secret, binding), lastFour: '', updatedBy: 'test' });
}

/** Somebody of no group asks for what a binding names. */
function asking(binding: Binding, more: Partial<CredentialQuestion> = {}): CredentialQuestion {
  const { tenant, server, name } = binding;
  return { ...{ tenant, user: null, groups: [], server, name, elsewhere: false }, ...more };
}

const shared: Binding = { tenant: null, owner: sharedOwner, server: 'github', name: 'default' };
const acmes: Binding = { ...shared, tenant: 'acme', owner: tenantOwner('acme') };
const developers: Binding = { ...shared, owner: groupOwner('Developers') };
const alices: Binding = { ...shared, owner: userOwner('alice@acme.com') };

test('each level gives way to a more specific one, and comes back when that is removed', async () => {
  const database = await setup();
  const levels = [shared, acmes, developers, alices];
  for (const binding of levels) await store(database.db, binding, `of ${binding.owner.level}`);
  const { vault } = await openVault(database);
  const q = asking(acmes, { user: 'alice@acme.com', groups: ['Developers'] });
  for (const { owner } of levels.toReversed()) {
    expect(vault.find(q)).toMatchObject({ owner: owner.level, ownerId: owner.id });
    expect(vault.find(q)?.open()).toBe(`of ${owner.level}`);
    await remove(database.db, owner.level);
    await vault.refresh();
  }
  expect(vault.find(q)).toBeNull();
});

async function remove(db: Db, level: string): Promise<void> {
  const from = { user: 'user_credentials', group: 'group_credentials' }[level] ?? 'credentials';
  const which = { tenant: sql`tenant_id is not null`, shared: sql`tenant_id is null` }[level] ?? sql`true`;
  await sql`delete from ${sql.table(`mcp_proxy.${from}`)} where ${which}`.execute(db);
}

test('other names, other servers and people without a key are served apart', async () => {
  const database = await setup();
  await store(database.db, shared, 'for-all');
  await store(database.db, { ...acmes, name: 'second' }, 'second-of-acme');
  await store(database.db, alices, 'of-alice');
  const { vault } = await openVault(database);
  const secretOf = (more: Partial<CredentialQuestion>) => vault.find(asking(acmes, more))?.open();
  expect(secretOf({})).toBe('for-all');
  expect(secretOf({ name: 'second' })).toBe('second-of-acme');
  expect(secretOf({ name: 'second', tenant: 'globex' })).toBeUndefined();
  expect(secretOf({ server: 'files' })).toBeUndefined();
  expect(secretOf({ user: 'bob@acme.com' })).toBe('for-all');
  expect(secretOf({ user: 'alice@acme.com' })).toBe('of-alice');
});

test('the version changes when the secret is replaced, also by the same one', async () => {
  const database = await setup();
  await store(database.db, acmes, 'first');
  const { vault } = await openVault(database);
  const before = vault.find(asking(acmes));
  await store(database.db, acmes, 'first');
  await vault.refresh();
  const after = vault.find(asking(acmes));
  expect(after?.id).toBe(before?.id);
  expect(after?.version).not.toBe(before?.version);
});

test('a change in the database arrives by itself, at every level', async () => {
  const database = await setup();
  const { vault } = await openVault(database);
  const q = asking(acmes, { user: 'alice@acme.com', groups: ['Developers'] });
  for (const binding of [shared, acmes, developers, alices]) {
    await store(database.db, binding, `new ${binding.owner.level}`);
    await expect.poll(() => vault.find(q)?.open()).toBe(`new ${binding.owner.level}`);
  }
  await sql`delete from mcp_proxy.users`.execute(database.db);
  await sql`delete from mcp_proxy.groups`.execute(database.db);
  await expect.poll(() => vault.find(q)?.owner).toBe('tenant');
  await sql`delete from mcp_proxy.tenants`.execute(database.db);
  await expect.poll(() => vault.find(q)?.owner).toBe('shared');
});

test('what did not change stays the same object, so that whoever keeps it by it need not begin anew', async () => {
  const database = await setup();
  await store(database.db, shared, 'for-all');
  const { vault } = await openVault(database);
  const before = vault.find(asking(shared));
  await store(database.db, alices, 'of-alice');
  await vault.refresh();
  expect(vault.find(asking(shared))).toBe(before);
  await sql`delete from mcp_proxy.user_credentials`.execute(database.db);
  await vault.refresh();
  expect(vault.find(asking(shared))).toBe(before);
  expect(vault.find(asking(shared, { user: 'alice@acme.com' }))).toBe(before);
});

test('a transaction that began before what was loaded last, and writes after it, is not missed', async () => {
  const database = await setup();
  const { vault } = await openVault(database);
  const slow = await database.db.startTransaction().execute();
  await sql`insert into mcp_proxy.users (email) values ('carol@acme.com')`.execute(slow);
  await store(database.db, shared, 'for-all');
  await vault.refresh();
  const q = asking(alices, { user: 'alice@acme.com' });
  expect(vault.find(q)?.open()).toBe('for-all');
  await store(slow, alices, 'of-alice');
  await slow.commit().execute();
  await vault.refresh();
  expect(vault.find(q)?.open()).toBe('of-alice');
});

test('what a runbook changes is loaded, and so is everything when the database was put back to an earlier state', async () => {
  const database = await setup();
  await store(database.db, acmes, 'first');
  const { vault } = await openVault(database);
  const sealed = seal(masterKey, 'from-a-runbook', acmes);
  await asOwner(database.db, (owner) =>
    sql`update mcp_proxy.tenant_server_keys set api_key_encrypted = ${sealed} where tenant_id = 'acme'`.execute(
      owner,
    ),
  );
  await vault.refresh();
  expect(vault.find(asking(acmes))?.open()).toBe('from-a-runbook');
  // Rows that come back carry the number of a transaction that was seen long ago.
  await asOwner(database.db, async (owner) => {
    await sql`create table public.kept as select * from mcp_proxy.credentials`.execute(owner);
    await sql`delete from mcp_proxy.credentials`.execute(owner);
    await vault.refresh();
    expect(vault.find(asking(acmes))).toBeNull();
    await sql`insert into mcp_proxy.credentials select * from public.kept`.execute(owner);
  });
  await vault.refresh();
  expect(vault.find(asking(acmes))?.open()).toBe('from-a-runbook');
});

test('keys that trade places, and one that is removed while another comes, are told apart', async () => {
  const database = await setup();
  const { db } = database;
  await store(db, { ...acmes, name: 'one' }, 'first');
  await store(db, { ...acmes, name: 'two' }, 'second');
  await store(db, shared, 'for-all');
  const { vault } = await openVault(database);
  await db.transaction().execute(async (trx) => {
    await sql`delete from mcp_proxy.credentials where name = 'one'`.execute(trx);
    await store(trx, { ...acmes, name: 'one' }, 'again');
    await sql`delete from mcp_proxy.credentials where tenant_id is null`.execute(trx);
    await store(trx, alices, 'of-alice');
  });
  await vault.refresh();
  const secretOf = (more: Partial<CredentialQuestion>) => vault.find(asking(acmes, more))?.open();
  expect(secretOf({ name: 'one' })).toBe('again');
  expect(secretOf({ name: 'two' })).toBe('second');
  expect(secretOf({})).toBeUndefined();
  expect(secretOf({ user: 'alice@acme.com' })).toBe('of-alice');
});

test('a row that was copied to another tenant, owner, server or name does not open', async () => {
  const database = await setup();
  await store(database.db, acmes, 'canary-secret');
  const copies: [Binding, Partial<CredentialQuestion>][] = [
    [{ ...acmes, tenant: 'globex', owner: tenantOwner('globex') }, {}],
    [{ ...acmes, server: 'files' }, {}],
    [{ ...acmes, name: 'second' }, {}],
    [shared, {}],
    [{ ...acmes, owner: userOwner('alice@acme.com') }, { user: 'alice@acme.com' }],
    [{ ...acmes, owner: groupOwner('Acme') }, { groups: ['Acme'] }],
  ];
  const { rows } = await sql<{ sealed: string }>`select sealed from mcp_proxy.credentials`.execute(
    database.db,
  );
  const [{ sealed } = { sealed: '' }] = rows;
  for (const [to, more] of copies) {
    await putSealed(database.db, { ...to, sealed, lastFour: '', updatedBy: 'attacker' });
    const { vault } = await openVault(database);
    const found = vault.find(asking(to, more));
    expect(found?.owner).toBe(to.owner.level);
    expect(() => found?.open()).toThrow(expect.objectContaining({ code: 'credential_unreadable' }));
    expect(vault.find(asking(acmes))?.open()).toBe('canary-secret');
    for (const table of ['credentials', 'group_credentials', 'user_credentials'])
      await sql`delete from ${sql.table(`mcp_proxy.${table}`)} where updated_by = 'attacker'`.execute(
        database.db,
      );
  }
});

test('with another master key nothing opens, nothing is overwritten, and the key that is needed is named', async () => {
  const database = await setup();
  await store(database.db, shared, 'for-all');
  await store(database.db, acmes, 'for-acme');
  const rows = () => sql`select * from mcp_proxy.credentials order by id`.execute(database.db);
  const before = (await rows()).rows;

  const { vault } = await openVault(database, new MasterKey(randomBytes(32)));
  expect(() => vault.find(asking(acmes))?.open()).toThrow(`needs the master key ${masterKey.id}`);
  expect((await rows()).rows).toEqual(before);
  expect((await openVault(database)).vault.find(asking(acmes))?.open()).toBe('for-acme');
});

test('no way of printing a found credential or the vault shows the secret or its sealed form', async () => {
  const database = await setup();
  await store(database.db, acmes, 'canary-secret');
  const { vault, lines } = await openVault(database);
  const found = vault.find(asking(acmes));
  const log = createLog('info', { write: (line) => void lines.push(line) });
  const rungs = vault.ladder(asking(acmes), []);
  log.info({ found, vault, masterKey, rungs }, format('%s %o', found, vault));
  const everything = [found, vault, { found, vault, masterKey }, rungs];
  const printed = everything.flatMap((it) => [
    JSON.stringify(it),
    inspect(it, { depth: 9, showHidden: true }),
    format('%s', it),
  ]);
  const text = [...printed, ...lines].join('\n');
  expect(text).not.toContain('canary');
  expect(text).not.toContain(`.${masterKey.id}.`);
  expect(text).toContain(found?.id);
});

test('when a key was last used is kept, without a change that anybody would load', async () => {
  const database = await setup();
  for (const binding of [shared, acmes, developers, alices]) await store(database.db, binding, 'secret');
  const { vault } = await openVault(database);
  const version = async () =>
    (
      await sql<{
        version: string;
      }>`select version from mcp_proxy.live_versions where topic = 'credentials'`.execute(database.db)
    ).rows;
  const before = await version();
  for (const more of [{}, { user: 'alice@acme.com' }, { groups: ['Developers'] }]) {
    const found = vault.find(asking(acmes, more));
    if (found) vault.used(found);
  }
  vault.used({ id: randomUUID(), owner: 'user', ownerId: null, version: '', open: () => '' });
  await vault.close();
  const { rows } = await sql<{ kind: string; used: boolean }>`
    select tenant_id as kind, last_used_at is not null as used from mcp_proxy.credentials
    union all select 'group', last_used_at is not null from mcp_proxy.group_credentials
    union all select 'user', last_used_at is not null from mcp_proxy.user_credentials`.execute(database.db);
  expect(Object.fromEntries(rows.map(({ kind, used }) => [kind ?? 'shared', used]))).toEqual({
    ...{ acme: true, shared: false, group: true, user: true },
  });
  expect(await version()).toEqual(before);
});
