import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { testDatabase } from '../../test/database.ts';
import type { Endpoint } from '../platform/contract.ts';
import type { Db } from '../platform/db/index.ts';
import { api } from './contract.ts';
import { MasterKey } from './master-key.ts';
import { secretRoutes } from './routes.ts';
import { open } from './seal.ts';
import { loadSealed } from './store.ts';

const masterKey = new MasterKey(randomBytes(32));
const actor = { id: 'alice@acme.com', requestId: 'r-1', clientIp: '::1' };

async function setup() {
  const { db } = await testDatabase();
  await sql`insert into mcp_proxy.tenants (id, display_name) values ('acme', 'Acme'), ('globex', 'Globex')`.execute(
    db,
  );
  await sql`insert into mcp_proxy.servers (id, definition) values ('github', '{}'), ('files', '{}')`.execute(
    db,
  );
  let changes = 0;
  const changed = async () => {
    changes += 1;
  };
  /** Calls a route the way the app does: input and output pass through the contract. */
  async function ask(
    endpoint: Endpoint,
    params: object,
    o: { body?: unknown; query?: object } = {},
  ): Promise<unknown> {
    const route = secretRoutes({ db, masterKey, changed }).find((it) => it.endpoint === endpoint);
    const answer = await route?.handle({
      params: endpoint.params.parse(params),
      query: endpoint.query.parse(o.query ?? {}),
      body: endpoint.body.parse(o.body),
      actor,
    });
    return endpoint.output.parse(answer);
  }
  return { db, ask, changes: () => changes };
}

async function auditRows(db: Db) {
  const { rows } = await sql<Record<string, unknown>>`
    select actor, action, target_kind, target_id, tenant_id, before, after from mcp_proxy.audit_log order by id`.execute(
    db,
  );
  return rows;
}

const acmeGithub = { id: 'acme', server: 'github' };

test('a key is set, listed by its last four characters, replaced and removed', async () => {
  const { ask, db, changes } = await setup();
  expect(await ask(api.putTenantKey, acmeGithub, { body: { value: 'ghp_first-1234' } })).toEqual({
    ok: true,
  });
  expect(await ask(api.listTenantKeys, { id: 'acme' })).toEqual({
    items: [
      {
        server: 'github',
        name: 'default',
        lastFour: '1234',
        updatedAt: expect.any(String),
        updatedBy: actor.id,
      },
    ],
    nextCursor: null,
  });
  await ask(api.putTenantKey, acmeGithub, { body: { value: 'ghp_second-5678' } });
  const [row] = await loadSealed(db);
  expect(row && open(masterKey, row.sealed, row)).toBe('ghp_second-5678');
  await ask(api.deleteTenantKey, acmeGithub);
  expect(await ask(api.listTenantKeys, { id: 'acme' })).toEqual({ items: [], nextCursor: null });
  expect(changes()).toBe(3);

  const entry = { actor: actor.id, target_kind: 'credential', target_id: 'github', tenant_id: 'acme' };
  const first = { name: 'default', lastFour: '1234' };
  const second = { name: 'default', lastFour: '5678' };
  expect(await auditRows(db)).toEqual([
    { ...entry, action: 'credential.set', before: null, after: first },
    { ...entry, action: 'credential.set', before: first, after: second },
    { ...entry, action: 'credential.delete', before: second, after: null },
  ]);
});

test("shared keys, other names and other tenants' keys are apart from each other", async () => {
  const { ask } = await setup();
  await ask(api.putSharedKey, { server: 'github' }, { body: { value: 'shared-key-0000' } });
  await ask(api.putTenantKey, acmeGithub, { body: { value: 'acme-key-1111' } });
  await ask(api.putTenantKey, acmeGithub, { body: { value: 'acme-key-2222', name: 'second' } });
  await ask(api.putTenantKey, { ...acmeGithub, id: 'globex' }, { body: { value: 'globex-key-3333' } });
  await ask(api.deleteTenantKey, acmeGithub);
  await ask(api.deleteSharedKey, { server: 'github' });

  const left = async (list: Promise<unknown>) =>
    ((await list) as { items: { lastFour: string }[] }).items.map((key) => key.lastFour);
  expect(await left(ask(api.listSharedKeys, {}))).toEqual([]);
  expect(await left(ask(api.listTenantKeys, { id: 'acme' }))).toEqual(['2222']);
  expect(await left(ask(api.listTenantKeys, { id: 'globex' }))).toEqual(['3333']);
});

test.each([
  ['12345678901', ''],
  ['123456789012', '9012'],
  ['xxxxxxxx🔑🔑🔑🔑', '🔑🔑🔑🔑'],
  ['🔑🔑🔑🔑🔑🔑', ''],
])('of the secret %j, %j is shown', async (value, lastFour) => {
  const { ask } = await setup();
  await ask(api.putTenantKey, acmeGithub, { body: { value } });
  expect(await ask(api.listTenantKeys, { id: 'acme' })).toMatchObject({ items: [{ lastFour }] });
});

test('what is not there is a 404 that says which, and nothing is written', async () => {
  const { ask, db, changes } = await setup();
  const body = { value: 'a-secret-value' };
  const refused = (code: string) => expect.objectContaining({ code, status: 404 });
  await expect(ask(api.listTenantKeys, { id: 'nobody' })).rejects.toEqual(refused('tenant_not_found'));
  await expect(ask(api.putTenantKey, { ...acmeGithub, id: 'nobody' }, { body })).rejects.toEqual(
    refused('tenant_not_found'),
  );
  await expect(ask(api.putTenantKey, { ...acmeGithub, server: 'nothing' }, { body })).rejects.toEqual(
    refused('server_not_found'),
  );
  await expect(ask(api.putSharedKey, { server: 'nothing' }, { body })).rejects.toEqual(
    refused('server_not_found'),
  );
  await expect(ask(api.deleteTenantKey, { ...acmeGithub, id: 'nobody' })).rejects.toEqual(
    refused('tenant_not_found'),
  );
  await expect(ask(api.deleteSharedKey, { server: 'nothing' })).rejects.toEqual(refused('server_not_found'));
  await expect(ask(api.deleteTenantKey, acmeGithub)).rejects.toEqual(refused('credential_not_found'));
  expect(await auditRows(db)).toEqual([]);
  expect(await loadSealed(db)).toEqual([]);
  expect(changes()).toBe(0);
});

test('a secret is nowhere to be found in the database, the answers or the errors', async () => {
  const { ask, db } = await setup();
  const canary = 'canary-8c1f-secret-value';
  const seen: unknown[] = [];
  seen.push(await ask(api.putTenantKey, acmeGithub, { body: { value: canary } }));
  seen.push(await ask(api.putSharedKey, { server: 'github' }, { body: { value: canary } }));
  seen.push(await ask(api.listTenantKeys, { id: 'acme' }), await ask(api.listSharedKeys, {}));
  for (const [params, value] of [
    [{ ...acmeGithub, server: 'nothing' }, canary],
    [acmeGithub, `${canary}\0`],
  ] as const) {
    seen.push(await ask(api.putTenantKey, params, { body: { value } }).catch((error: unknown) => error));
  }
  await sql`alter table mcp_proxy.credentials rename to away`.execute(db);
  seen.push(
    await ask(api.putTenantKey, acmeGithub, { body: { value: canary } }).catch((error: unknown) => error),
  );
  await sql`alter table mcp_proxy.away rename to credentials`.execute(db);

  const { rows: tables } = await sql<{ name: string }>`
    select table_name as name from information_schema.tables where table_schema = 'mcp_proxy'`.execute(db);
  for (const { name } of tables) {
    seen.push((await sql`select t::text as row from ${sql.table(`mcp_proxy.${name}`)} t`.execute(db)).rows);
  }
  const text = inspect(seen, { depth: 20, maxStringLength: null, maxArrayLength: null, showHidden: true });
  expect(text).toContain('credential.set');
  for (const form of [
    canary,
    Buffer.from(canary).toString('base64').slice(0, 20),
    Buffer.from(canary).toString('hex'),
  ]) {
    expect(text).not.toContain(form);
  }
});
