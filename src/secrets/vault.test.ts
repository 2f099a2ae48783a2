import { randomBytes, randomUUID } from 'node:crypto';
import { format, inspect } from 'node:util';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
import { systemClock } from '../platform/clock.ts';
import { type Database, type Db, watchChanges } from '../platform/db/index.ts';
import { createLog } from '../platform/log.ts';
import { MasterKey } from './master-key.ts';
import { type Binding, sharedOwner, tenantOwner } from './binding.ts';
import { seal } from './seal.ts';
import { createSecretBox } from './secret-box.ts';
import { createVault } from './vault.ts';

const masterKey = new MasterKey(randomBytes(32));

async function setup() {
  const database = await testDatabase();
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    database.db,
  );
  await sql`insert into mcp_proxy.servers (id, definition) values ('github', '{}'), ('files', '{}')`.execute(
    database.db,
  );
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
    vault.close();
    await changes.close();
  });
  return { vault, lines };
}

async function store(db: Db, binding: Binding, secret: string, key = masterKey): Promise<void> {
  await sql`
    insert into mcp_proxy.credentials (id, tenant_id, server_id, name, sealed, last_four, updated_by)
    values (${randomUUID()}, ${binding.tenant}, ${binding.server}, ${binding.name}, ${seal(key, secret, binding)}, '', 'test')
    on conflict (tenant_id, server_id, name) do update set sealed = excluded.sealed`.execute(db);
}

const shared = { tenant: null, owner: sharedOwner, server: 'github', name: 'default' };
const acmes = { tenant: 'acme', owner: tenantOwner('acme'), server: 'github', name: 'default' };

test("a tenant's own credential comes before the shared one, and nobody gets that of another tenant", async () => {
  const database = await setup();
  await store(database.db, shared, 'for-all');
  await store(database.db, acmes, 'for-acme');
  await store(database.db, { ...acmes, name: 'second' }, 'second-of-acme');
  const { vault } = await openVault(database);
  const secretOf = (tenant: string | null, server = 'github', name = 'default') =>
    vault.find({ tenant, user: null, groups: [], server, name, elsewhere: false })?.open();

  expect(secretOf('acme')).toBe('for-acme');
  expect(secretOf('globex')).toBe('for-all');
  expect(secretOf(null)).toBe('for-all');
  expect(secretOf('acme', 'github', 'second')).toBe('second-of-acme');
  expect(secretOf('globex', 'github', 'second')).toBeUndefined();
  expect(secretOf('acme', 'files')).toBeUndefined();
  expect(vault.find(acmes)).toMatchObject({ owner: 'tenant', ownerId: 'acme' });
  expect(vault.find({ ...acmes, tenant: 'globex' })).toMatchObject({ owner: 'shared', ownerId: null });
});

test('the version changes when the secret is replaced, also by the same one', async () => {
  const database = await setup();
  await store(database.db, acmes, 'first');
  const { vault } = await openVault(database);
  const before = vault.find(acmes);
  await store(database.db, acmes, 'first');
  await vault.refresh();
  const after = vault.find(acmes);
  expect(after?.id).toBe(before?.id);
  expect(after?.version).not.toBe(before?.version);
});

test('a change in the database arrives by itself', async () => {
  const database = await setup();
  const { vault } = await openVault(database);
  await store(database.db, acmes, 'new');
  await expect.poll(() => vault.find(acmes)?.open()).toBe('new');
  await sql`delete from mcp_proxy.credentials`.execute(database.db);
  await expect.poll(() => vault.find(acmes)).toBeNull();
});

test('a row that was copied to another tenant, server or name does not open', async () => {
  const database = await setup();
  await store(database.db, acmes, 'canary-secret');
  for (const to of [
    { ...acmes, tenant: 'globex' },
    { ...acmes, server: 'files' },
    { ...acmes, name: 'second' },
    shared,
  ]) {
    await sql`
      insert into mcp_proxy.credentials (id, tenant_id, server_id, name, sealed, last_four, updated_by)
      select gen_random_uuid(), ${to.tenant}, ${to.server}, ${to.name}, sealed, '', 'attacker'
      from mcp_proxy.credentials where updated_by = 'test'`.execute(database.db);
    const { vault } = await openVault(database);
    expect(() => vault.find(to)?.open()).toThrow(expect.objectContaining({ code: 'credential_unreadable' }));
    expect(vault.find(acmes)?.open()).toBe('canary-secret');
    await sql`delete from mcp_proxy.credentials where updated_by = 'attacker'`.execute(database.db);
  }
});

test('with another master key nothing opens, nothing is overwritten, and the log names the key that is needed', async () => {
  const database = await setup();
  await store(database.db, shared, 'for-all');
  await store(database.db, acmes, 'for-acme');
  const rows = () => sql`select * from mcp_proxy.credentials order by id`.execute(database.db);
  const before = (await rows()).rows;

  const { vault, lines } = await openVault(database, new MasterKey(randomBytes(32)));
  expect(() => vault.find(acmes)?.open()).toThrow(`needs the master key ${masterKey.id}`);
  expect(lines.join()).toContain(masterKey.id);
  expect((await rows()).rows).toEqual(before);
  expect((await openVault(database)).vault.find(acmes)?.open()).toBe('for-acme');
});

test('no way of printing a found credential or the vault shows the secret or its sealed form', async () => {
  const database = await setup();
  await store(database.db, acmes, 'canary-secret');
  const { vault, lines } = await openVault(database);
  const found = vault.find(acmes);
  const log = createLog('info', { write: (line) => void lines.push(line) });
  log.info({ found, vault, masterKey }, format('%s %o', found, vault));
  const everything = [found, vault, { found, vault, masterKey }];
  const printed = everything.flatMap((it) => [
    JSON.stringify(it),
    inspect(it, { depth: 9, showHidden: true }),
    format('%s', it),
  ]);
  const text = [...printed, ...lines].join('\n');
  expect(text).not.toContain('canary');
  expect(text).not.toContain(`v1.${masterKey.id}`);
  expect(text).toContain(found?.id);
});
