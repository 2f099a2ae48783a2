import { expect, test } from 'vitest';
import { keysWorld } from '../../../test/keys-world.ts';
import type { EnvPlace } from '../needs.ts';

const head = 'level,owner,tenant,server,name,value';
const csv = (...rows: readonly string[]) => ({ format: 'csv', text: [head, ...rows].join('\n') });

/** Of each row what becomes of it, and what is said. */
function outcome({ body }: { body: { rows: { line: number; action: string; message: string | null }[] } }) {
  return body.rows.map(({ line, action, message }) => [line, action, message]);
}

const everyLevel = csv(
  'shared,,,github,,shared-key-0000',
  'tenant,acme,,github,,acme-key-1111',
  'group,Developers,,github,,developers-2222',
  'group,/dept/Acme,acme,github,default,"dept, key-3333"',
  'user,Alice@acme.com,,github,,alice-key-4444',
  'user,alice@acme.com,globex,github,,alice-globex-5555',
  'tenant,,globex,crm,user,globex-user-6666',
);

test('a CSV sets keys of every level, after a look that stores nothing', async () => {
  const { ask, stored, audits, changes } = await keysWorld();
  await ask('PUT', '/tenants/acme/keys/github', { value: 'replaced-9999' });
  const preview = await ask('POST', '/keys/import', { ...everyLevel, dryRun: true });
  expect(preview.status).toBe(200);
  expect(preview.body).toMatchObject({ dryRun: true, stored: 7, errors: 0 });
  expect(preview.body.rows[3]).toEqual({
    ...{ line: 5, action: 'create', level: 'group', owner: '/dept/Acme', tenant: 'acme' },
    ...{ server: 'github', name: 'default', lastFour: '3333', message: null },
  });
  expect(preview.body.rows.map(({ action }: { action: string }) => action)).toEqual([
    ...['create', 'replace', 'create', 'create', 'create', 'create', 'create'],
  ]);
  expect([Object.keys(await stored()).length, changes()]).toEqual([1, 1]);

  const done = await ask('POST', '/keys/import', everyLevel);
  expect(done.body).toEqual({ ...preview.body, dryRun: false });
  expect(await stored()).toEqual({
    'shared - - github default': 'shared-key-0000',
    'tenant acme acme github default': 'acme-key-1111',
    'group Developers - github default': 'developers-2222',
    'group /dept/Acme acme github default': 'dept, key-3333',
    'user alice@acme.com - github default': 'alice-key-4444',
    'user alice@acme.com globex github default': 'alice-globex-5555',
    'tenant globex globex crm user': 'globex-user-6666',
  });
  expect(changes()).toBe(2);
  const [, , replaced, ...more] = await audits();
  expect(replaced).toMatchObject({
    ...{ action: 'credential.set', tenant_id: 'acme', before: { lastFour: '9999' } },
    after: { lastFour: '1111', via: 'import' },
  });
  expect(more).toHaveLength(5);
});

test('one row that is wrong keeps all of them out, unless the good ones are wanted', async () => {
  const { ask, stored, changes } = await keysWorld();
  const mixed = csv(
    'shared,,,github,,shared-key-0000',
    'tenant,nobody,,github,,x',
    'shared,,,crm,user,shared-user',
  );
  const refused = await ask('POST', '/keys/import', mixed);
  expect(refused.body).toMatchObject({ stored: 0, errors: 1 });
  expect([await stored(), changes()]).toEqual([{}, 0]);
  const partly = await ask('POST', '/keys/import', { ...mixed, allOrNothing: false });
  expect(partly.body).toMatchObject({ stored: 2, errors: 1 });
  expect(Object.keys(await stored())).toEqual(['shared - - github default', 'shared - - crm user']);
});

test.each([
  ['tenant,nobody,,github,,canary-secret', 'names a tenant that there is not'],
  ['tenant,,,github,,canary-secret', 'names none; write its id into the column owner'],
  ['tenant,acme,globex,github,,canary-secret', 'names two tenants'],
  ['group,Nobody,,github,,canary-secret', 'no group that there is'],
  ['group,/dept/Acme,globex,github,,canary-secret', 'another tenant than acme'],
  ['group,Developers,acme,github,,canary-secret', 'its group belongs to none'],
  ['user,nobody@acme.com,,github,,canary-secret', 'add the user first'],
  ['user,*@acme.com,,github,,canary-secret', 'add the user first'],
  ['user,alice@acme.com,nobody,github,,canary-secret', 'names a tenant that there is not'],
  ['shared,acme,,github,,canary-secret', 'is shared and names an owner'],
  ['everyone,,,github,,canary-secret', 'has no level'],
  [',alice@acme.com,,github,,canary-secret', 'has no level'],
  ['shared,,,canary-secret,,x', 'has a server that there is not'],
  ['shared,,,github,canary secret,x', 'has a name that no key can have'],
  ['shared,,,github,,', 'has no value'],
  [`shared,,,github,,canary-secret${'x'.repeat(20_000)}`, 'too long'],
  ['shared,,,github,canary-secret', 'has 5 columns where the first line has 6'],
  ['shared,,,github,,canary,secret', 'must stand in quotes'],
  ['shared,,,github,,1.23457E+15', 'a spreadsheet has rounded'],
  ['shared,,,github,,canary-secret-\uFFFD', 'was not UTF-8'],
  ['canary"secret', 'has a quote inside a cell'],
])('the row %s %s, which is told without repeating it', async (row, message) => {
  const { ask, stored } = await keysWorld();
  const answer = await ask('POST', '/keys/import', csv(row));
  expect(outcome(answer)).toEqual([[2, 'error', expect.stringContaining(message)]]);
  expect(JSON.stringify(answer.body)).not.toMatch(/canary|secret/);
  expect(await stored()).toEqual({});
});

test.each([
  ['server,name\ngithub,default'],
  ['server,value,colour\ngithub,x,red'],
  ['server,value,value\ngithub,x,y'],
  ['canary-secret'],
])('a first line that does not name the columns is a mistake: %j', async (text) => {
  const { ask } = await keysWorld();
  const answer = await ask('POST', '/keys/import', { format: 'csv', text });
  expect(outcome(answer)).toEqual([[1, 'error', expect.stringContaining('must name the columns')]]);
  expect(JSON.stringify(answer.body)).not.toContain('canary');
});

test('the same key twice is a mistake, because nobody knows which one is meant', async () => {
  const { ask } = await keysWorld();
  const rows = ['tenant,acme,,github,,first-value', 'tenant,,acme,github,default,second-value'];
  expect(outcome(await ask('POST', '/keys/import', csv(...rows)))).toEqual([
    [2, 'create', null],
    [3, 'error', 'Line 3 sets the same key as line 2; leave one of them out.'],
  ]);
});

test('a file for one tenant reaches nothing of another, and nothing shared', async () => {
  const { ask, stored } = await keysWorld();
  const answer = await ask('POST', '/keys/import', {
    ...{ tenant: 'acme', allOrNothing: false },
    ...csv(
      ',,,github,,first-of-acme',
      'user,alice@acme.com,,crm,user,alice-in-acme',
      'group,/dept/Acme,,github,,dept-in-acme',
      'shared,,,github,,x',
      'tenant,globex,,github,,x',
      'group,Developers,,github,,x',
      'user,alice@acme.com,globex,github,,x',
    ),
  });
  expect(answer.body).toMatchObject({ stored: 3, errors: 4 });
  expect(Object.keys(await stored())).toEqual([
    ...['tenant acme acme github default', 'group /dept/Acme acme github default'],
    'user alice@acme.com acme crm user',
  ]);
  expect((await ask('POST', '/keys/import', { tenant: 'nobody', ...csv(',,,github,,x') })).body.errors).toBe(
    1,
  );
});

test('what may be a mistake is told beside a row that is stored', async () => {
  const { ask } = await keysWorld();
  const answer = await ask('POST', '/keys/import', csv('shared,,,github,defualt,"some-value-1 "'));
  expect(outcome(answer)).toEqual([
    [2, 'create', expect.stringMatching(/did you mean "default"\?.*white space/)],
  ]);
});

const place = (env: string, server: string, more: Partial<EnvPlace> = {}): EnvPlace => ({
  ...{ env, server, name: 'default', before: '', after: '', note: null, exists: true },
  ...more,
});
const envPlaces = [
  place('GITHUB_TOKEN', 'github'),
  place('CRM_USER', 'crm', { name: 'user' }),
  place('BOTH', 'github', { name: 'both' }),
  place('BOTH', 'crm', { name: 'both' }),
  place('HEADERS', 'files', { name: 'path', before: '{"Authorization": "Bearer ', after: '"}' }),
  place('LINEAR_API_KEY', 'linear', { exists: false }),
  place('FROM_ENV', 'files', { name: 'FROM_ENV', note: 'Write ${credential:FROM_ENV} there.' }),
];

test('a .env file becomes keys of the servers that use its names', async () => {
  const { ask, stored } = await keysWorld({ envPlaces });
  const text = [
    '# the old system',
    'export GITHUB_TOKEN="ghp_0123456789"',
    'CRM_USER=',
    'BOTH=both-012345678',
    `HEADERS='{"Authorization": "Bearer abc-0123456789"}'`,
    'LINEAR_API_KEY=lin_0123456789',
    'DATABASE_URL=postgres://canary',
    'FROM_ENV=from-env-0123',
    'Y2FuYXJ5LXNlY3JldA==',
  ].join('\n');
  const answer = await ask('POST', '/keys/import', { format: 'env', text, tenant: 'acme' });
  expect(outcome(answer)).toEqual([
    [2, 'create', null],
    [3, 'skip', 'Line 3 CRM_USER has no value.'],
    [4, 'create', expect.stringContaining('asks for no key "both"')],
    [4, 'create', expect.stringContaining('asks for no key "both"')],
    [5, 'create', null],
    [6, 'skip', 'Line 6 LINEAR_API_KEY belongs to linear, which is not added yet.'],
    [7, 'skip', 'Line 7 DATABASE_URL: no server takes it as a key.'],
    [8, 'create', expect.stringContaining('Write ${credential:FROM_ENV} there.')],
    [9, 'skip', 'Line 9 a name: no server takes it as a key.'],
  ]);
  expect(answer.body).toMatchObject({ stored: 5, errors: 0 });
  expect(JSON.stringify(answer.body)).not.toMatch(/canary|0123456789|Y2Fu/);
  expect(await stored()).toMatchObject({
    'tenant acme acme github default': 'ghp_0123456789',
    'tenant acme acme files path': 'abc-0123456789',
  });
  const shared = await ask('POST', '/keys/import', { format: 'env', text: 'GITHUB_TOKEN=x' });
  expect(shared.body.rows).toMatchObject([{ level: 'shared', owner: null, tenant: null, server: 'github' }]);
});

test('a value that does not look like the text around its key is a mistake', async () => {
  const { ask } = await keysWorld({ envPlaces });
  for (const value of ['canary', '{"Authorization": "Bearer "}', '{"X": "canary"}']) {
    const answer = await ask('POST', '/keys/import', { format: 'env', text: `HEADERS='${value}'` });
    expect(outcome(answer)).toEqual([[1, 'error', expect.stringContaining('set the key by itself')]]);
    expect(JSON.stringify(answer.body)).not.toContain('canary');
  }
});

test('more rows than one import takes are refused as a whole', async () => {
  const { ask, stored } = await keysWorld();
  const rows = Array.from({ length: 5_001 }, (_, at) => `shared,,,github,k${at},value`);
  const answer = await ask('POST', '/keys/import', { ...csv(...rows), allOrNothing: false });
  expect(answer.body).toMatchObject({ stored: 0, errors: 1 });
  expect(await stored()).toEqual({});
});

test('thousands of rows go in with one import', async () => {
  const { ask, stored } = await keysWorld();
  const rows = Array.from({ length: 2_000 }, (_, at) => `shared,,,github,k${at},value-${at}`);
  expect((await ask('POST', '/keys/import', csv(...rows))).body).toMatchObject({ stored: 2_000, errors: 0 });
  expect(Object.keys(await stored())).toHaveLength(2_000);
});

test('an import is for administrators, and what it is given is checked', async () => {
  const { ask } = await keysWorld();
  expect((await ask('POST', '/keys/import', everyLevel, null)).status).toBe(401);
  expect((await ask('POST', '/keys/import', everyLevel, 'somebody')).status).toBe(403);
  for (const body of [{ ...everyLevel, format: 'xlsx' }, { format: 'csv' }, { ...everyLevel, dryrun: true }])
    expect((await ask('POST', '/keys/import', body)).status).toBe(400);
});
