import { inspect } from 'node:util';
import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { asOwner } from '../../../test/database.ts';
import { keysWorld } from '../../../test/keys-world.ts';

const value = 'ghp_first-1234';
const alice = '/users/alice@acme.com/keys';
const dept = `/groups/${encodeURIComponent('/dept/Acme')}/keys`;

/** The four levels, each by its paths, and what is shown of whose it is. */
const levels = [
  ['tenant', '/tenants/acme/keys', { owner: 'acme', tenant: 'acme' }],
  ['group', '/groups/Developers/keys', { owner: 'Developers', tenant: null }],
  ['group', dept, { owner: '/dept/Acme', tenant: 'acme' }],
  ['user', alice, { owner: 'alice@acme.com', tenant: null }],
  ['user', '/users/service:bot/keys', { owner: 'service:bot', tenant: null }],
  ['shared', '/keys', { owner: null, tenant: null }],
] as const;

describe.each(levels)('a key of the level %s at %s', (level, path, whose) => {
  test('is set, listed by its last four characters, replaced and removed, each with an entry in the audit', async () => {
    const { ask, stored, audits, changes } = await keysWorld();
    const set = { status: 200, body: { ok: true, warnings: [] } };
    expect(await ask('PUT', `${path}/github`, { value })).toEqual(set);
    const { body } = await ask('GET', path);
    const times = { createdAt: expect.any(String), updatedAt: expect.any(String), lastUsedAt: null };
    const shown = { server: 'github', name: 'default', lastFour: '1234', updatedBy: 'admin@acme.com' };
    expect(body).toEqual({
      items: [{ level, ...whose, ...shown, ...times, dormant: false }],
      nextCursor: null,
    });
    expect(await ask('PUT', `${path}/github`, { value: 'ghp_second-5678' })).toEqual(set);
    const [replaced] = (await ask('GET', path)).body.items;
    expect(replaced).toMatchObject({ lastFour: '5678', createdAt: body.items[0].createdAt });
    expect(Object.values(await stored())).toEqual(['ghp_second-5678']);
    expect(await ask('DELETE', `${path}/github`)).toEqual({ status: 204, body: null });
    expect((await ask('GET', path)).body.items).toEqual([]);
    expect(changes()).toBe(3);

    const personal = level === 'group' || level === 'user' ? { [level]: whose.owner } : {};
    const first = { name: 'default', lastFour: '1234', ...personal };
    const second = { name: 'default', lastFour: '5678', ...personal };
    const entry = { actor: 'admin@acme.com', target_id: 'github', tenant_id: whose.tenant };
    expect(await audits()).toEqual([
      { ...entry, action: 'credential.set', before: null, after: first },
      { ...entry, action: 'credential.set', before: first, after: second },
      { ...entry, action: 'credential.delete', before: second, after: null },
    ]);
  });

  test('is for administrators, and for nobody else', async () => {
    const { ask, stored } = await keysWorld();
    for (const [method, at, body] of [
      ['GET', path, undefined],
      ['PUT', `${path}/github`, { value }],
      ['DELETE', `${path}/github`, undefined],
    ] as const) {
      expect((await ask(method, at, body, null)).status).toBe(401);
      expect((await ask(method, at, body, 'somebody')).status).toBe(403);
    }
    expect(await stored()).toEqual({});
  });

  test.each([
    ['without a value', {}],
    ['with an empty one', { value: '' }],
    ['with one that is too long', { value: 'x'.repeat(20_001) }],
    ['with one that is no text', { value: 7 }],
    ['with a NUL', { value: 'canary\0secret' }],
    ['with half a character', { value: 'canary\ud800secret' }],
    ['under a name with spaces', { value, name: 'not a name' }],
    ['with a key that is misspelt', { value, nmae: 'second' }],
  ])('is refused %s, and what was sent is not repeated', async (_what, body) => {
    const { ask, stored, changes } = await keysWorld();
    const answer = await ask('PUT', `${path}/github`, body);
    expect(answer.status).toBe(400);
    expect(JSON.stringify(answer.body)).not.toMatch(/canary|secret|ghp_/);
    expect([await stored(), changes()]).toEqual([{}, 0]);
  });

  test('that is not there, or of a server that is not there, is a 404', async () => {
    const { ask, changes } = await keysWorld();
    expect((await ask('PUT', `${path}/nothing`, { value })).body.error.code).toBe('server_not_found');
    expect((await ask('DELETE', `${path}/nothing`)).body.error.code).toBe('server_not_found');
    expect((await ask('DELETE', `${path}/github`)).body.error.code).toBe('credential_not_found');
    await ask('PUT', `${path}/github`, { value });
    expect((await ask('DELETE', `${path}/github?name=other`)).status).toBe(404);
    expect(changes()).toBe(1);
  });
});

test.each([
  ['/tenants/nobody/keys', 'tenant_not_found'],
  ['/groups/Nobody/keys', 'group_not_found'],
  ['/users/nobody@acme.com/keys', 'user_not_found'],
])('the keys of somebody who is not there: %s', async (path, code) => {
  const { ask, audits, stored } = await keysWorld();
  for (const answer of [
    await ask('GET', path),
    await ask('PUT', `${path}/github`, { value }),
    await ask('DELETE', `${path}/github`),
  ]) {
    expect([answer.status, answer.body.error.code]).toEqual([404, code]);
  }
  expect([await audits(), await stored()]).toEqual([[], {}]);
});

test('a key of everybody of a domain is refused: that is what tenants are for', async () => {
  const { ask } = await keysWorld();
  expect((await ask('PUT', `/users/${encodeURIComponent('*@acme.com')}/keys/github`, { value })).status).toBe(
    400,
  );
});

test('a user has keys for single tenants beside the one for all of them', async () => {
  const { ask, stored } = await keysWorld();
  await ask('PUT', `${alice}/github`, { value: 'for-all-of-them' });
  await ask('PUT', `${alice}/github?tenant=acme`, { value: 'for-acme-alone' });
  await ask('PUT', '/users/ALICE@acme.com/keys/github?tenant=globex', { value: 'for-globex-alone' });
  const tenants = async (path: string) =>
    (await ask('GET', path)).body.items.map((item: { tenant: string | null }) => item.tenant);
  expect(await tenants(alice)).toEqual([null, 'acme', 'globex']);
  expect(await tenants(`${alice}?tenant=acme`)).toEqual(['acme']);
  expect((await ask('DELETE', `${alice}/github?tenant=acme`)).status).toBe(204);
  expect(await stored()).toEqual({
    'user alice@acme.com - github default': 'for-all-of-them',
    'user alice@acme.com globex github default': 'for-globex-alone',
  });
  expect((await ask('PUT', `${alice}/github?tenant=nobody`, { value })).body.error.code).toBe(
    'tenant_not_found',
  );
});

test('a tenant that is misspelt does not make a key for one tenant one for all', async () => {
  const { ask, stored } = await keysWorld();
  expect((await ask('PUT', `${alice}/github?tennant=acme`, { value })).status).toBe(400);
  expect((await ask('DELETE', `${alice}/github?Tenant=acme`)).status).toBe(400);
  expect(await stored()).toEqual({});
});

test('a group that moves to another tenant does not take its keys along, and removing reaches all of them', async () => {
  const { ask, stored, db } = await keysWorld();
  await ask('PUT', `${dept}/github`, { value: 'set-in-acme' });
  await sql`update mcp_proxy.groups set tenant_id = 'globex' where name = '/dept/Acme'`.execute(db);
  await ask('PUT', `${dept}/github`, { value: 'set-in-globex' });
  expect(await stored()).toEqual({
    'group /dept/Acme acme github default': 'set-in-acme',
    'group /dept/Acme globex github default': 'set-in-globex',
  });
  const { items } = (await ask('GET', dept)).body;
  expect(items).toMatchObject([
    { tenant: 'acme', dormant: true },
    { tenant: 'globex', dormant: false },
  ]);
  expect((await ask('DELETE', `${dept}/github`)).status).toBe(204);
  expect(await stored()).toEqual({});
});

test.each([
  ['/keys/github', { name: 'defualt' }, 'github asks for no key "defualt"; did you mean "default"?'],
  ['/tenants/acme/keys/crm', {}, 'crm asks for no key "default"; it asks for "user", "password".'],
  [`${alice}/crm`, { name: 'Password' }, 'crm asks for no key "Password"; did you mean "password"?'],
  ['/keys/files', { name: 'path' }, undefined],
  [
    '/keys/github',
    { value: ' ghp_first-1234\n' },
    'The key begins or ends with white space, which is sent along.',
  ],
])('a key at %s with %j is set, and what may be a mistake is told', async (path, body, warning) => {
  const { ask, stored } = await keysWorld();
  const answer = await ask('PUT', path, { value, ...body });
  expect(answer).toEqual({
    status: 200,
    body: { ok: true, warnings: warning === undefined ? [] : [warning] },
  });
  expect(Object.values(await stored())).toHaveLength(1);
});

test.each([
  ['12345678901', ''],
  ['123456789012', '9012'],
  ['xxxxxxxx🔑🔑🔑🔑', '🔑🔑🔑🔑'],
  ['🔑🔑🔑🔑🔑🔑', ''],
])('of the secret %j, %j is shown', async (secret, lastFour) => {
  const { ask } = await keysWorld();
  await ask('PUT', '/keys/github', { value: secret });
  expect((await ask('GET', '/keys')).body.items).toMatchObject([{ lastFour }]);
});

describe('what is missing', () => {
  interface Missing {
    readonly server: string;
    readonly name: string;
    readonly tenants: string[];
    readonly shared: boolean;
  }
  const missing = async (ask: Awaited<ReturnType<typeof keysWorld>>['ask'], path: string) =>
    ((await ask('GET', path)).body.items as Missing[]).map(({ server, name, tenants, shared }) => [
      ...[`${server} ${name}`, tenants, shared],
    ]);

  test('for all tenants, until every level that stands in for it is set', async () => {
    const { ask } = await keysWorld();
    expect(await missing(ask, '/keys/missing')).toEqual([
      ['crm password', ['acme', 'globex'], true],
      ['crm user', ['acme', 'globex'], true],
      ['files path', ['acme'], false],
      ['github default', ['acme', 'globex'], true],
    ]);
    await ask('PUT', '/keys/crm', { value, name: 'user' });
    await ask('PUT', '/tenants/acme/keys/github', { value });
    await ask('PUT', '/tenants/acme/keys/files', { value, name: 'path' });
    expect(await missing(ask, '/keys/missing')).toEqual([
      ['crm password', ['acme', 'globex'], true],
      ['github default', ['globex'], true],
    ]);
    expect(await missing(ask, '/keys/missing?tenant=acme')).toEqual([['crm password', ['acme'], false]]);
    const [item] = (await ask('GET', '/keys/missing?tenant=globex')).body.items;
    expect(item).toMatchObject({
      usedIn: ['header Authorization', 'url'],
      displayName: 'CRM',
      granted: false,
    });
  });

  test('counts those who have one of their own, and says nothing of whose', async () => {
    const { ask } = await keysWorld();
    await ask('PUT', `${alice}/github?tenant=acme`, { value });
    await ask('PUT', `${dept}/github`, { value });
    const { items } = (await ask('GET', '/keys/missing?tenant=acme')).body;
    expect(items.at(-1)).toMatchObject({ server: 'github', tenants: ['acme'], users: 1, groups: 1 });
    expect(JSON.stringify(items)).not.toContain('alice');
  });

  test('is a 404 for a tenant that is not there, and leaves out those that are disabled', async () => {
    const { ask, db } = await keysWorld();
    expect((await ask('GET', '/keys/missing?tenant=nobody')).status).toBe(404);
    await sql`update mcp_proxy.tenants set enabled = false where id = 'globex'`.execute(db);
    expect((await missing(ask, '/keys/missing'))[0]).toEqual(['crm password', ['acme'], true]);
  });
});

test('a secret is nowhere to be found in the database, the answers or the errors', async () => {
  const { ask, db } = await keysWorld();
  const canary = 'canary-8c1f-secret-value';
  const seen: unknown[] = [];
  for (const [, path] of levels) {
    seen.push(await ask('PUT', `${path}/github`, { value: canary }), await ask('GET', path));
    seen.push(await ask('PUT', `${path}/nothing`, { value: canary }));
    seen.push(await ask('PUT', `${path}/github`, { value: `${canary}\0` }));
    seen.push(await ask('PUT', `${path}/github`, { value: canary, nmae: canary }));
  }
  seen.push(await ask('GET', '/keys/missing'));
  await asOwner(db, (owner) => sql`alter table mcp_proxy.user_credentials rename to away`.execute(owner));
  seen.push(await ask('PUT', `${alice}/github`, { value: canary }));
  await asOwner(db, (owner) => sql`alter table mcp_proxy.away rename to user_credentials`.execute(owner));

  await asOwner(db, async (owner) => {
    const { rows: tables } = await sql<{ name: string }>`
      select table_name as name from information_schema.tables where table_schema = 'mcp_proxy'`.execute(
      owner,
    );
    for (const { name } of tables)
      seen.push(
        (await sql`select t::text as row from ${sql.table(`mcp_proxy.${name}`)} t`.execute(owner)).rows,
      );
  });
  const text = inspect(seen, { depth: 20, maxStringLength: null, maxArrayLength: null, showHidden: true });
  expect(text).toContain('credential.set');
  expect(text).toContain('internal_error');
  for (const form of [
    canary,
    Buffer.from(canary).toString('base64').slice(0, 20),
    Buffer.from(canary).toString('hex'),
  ]) {
    expect(text).not.toContain(form);
  }
});
