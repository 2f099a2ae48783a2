import { sql } from 'kysely';
import { beforeEach, expect, test } from 'vitest';
import { accessWorld } from '../../test/access-routes.ts';
import { applyFile } from './apply-file.ts';
import { accessFile } from './contract.ts';
import { filledFor } from './filled.ts';

const world = accessWorld();
const { call, refusal, audited, checked } = world;
const inside = '169.254.169.254';

const crm = { id: 'crm', type: 'http', url: 'https://${variable:host}/${variable:tenant}/mcp' };

beforeEach(async () => {
  for (const id of ['acme', 'globex']) await call('POST /tenants', { id });
  await call('POST /servers', crm);
  checked.length = 0;
});

function urlFor(tenant: string, server = 'crm'): unknown {
  const snapshot = world.snapshot();
  const filled = filledFor(snapshot, snapshot.servers.get(server)!, snapshot.tenants.get(tenant)!);
  return filled.ok ? filled.url : filled.kind;
}

test('values are set, shown, replaced as a whole and taken away, each with its audit entry', async () => {
  expect(urlFor('acme')).toBe('missing');
  await call('PUT /tenants/acme/variables/crm', { values: { host: 'crm.acme.com', region: 'eu' } });
  await call('PUT /tenants/acme/variables/*', { values: { host: 'acme.com' } });
  expect([urlFor('acme'), urlFor('globex')]).toEqual(['https://crm.acme.com/acme/mcp', 'missing']);
  expect(await call('GET /tenants/acme')).toMatchObject({
    variables: { '*': { host: 'acme.com' }, crm: { host: 'crm.acme.com', region: 'eu' } },
  });
  expect(await call('GET /tenants/acme/variables/crm')).toEqual({
    values: { host: 'crm.acme.com', region: 'eu' },
  });
  await call('PUT /tenants/acme/variables/crm', { values: { host: 'crm2.acme.com' } });
  expect(await call('GET /tenants/acme/variables/crm')).toEqual({ values: { host: 'crm2.acme.com' } });
  await call('DELETE /tenants/acme/variables/crm');
  expect(urlFor('acme')).toBe('https://acme.com/acme/mcp');
  expect(await refusal('GET /tenants/acme/variables/crm')).toBe('404 variables_not_found');
  expect(await refusal('DELETE /tenants/acme/variables/crm')).toBe('404 variables_not_found');
  const actions = (await audited()).map(({ action }) => action);
  expect(actions.filter((action) => action.includes('variables'))).toEqual([
    'tenant.set_variables',
    'tenant.set_variables',
    'tenant.set_variables',
    'tenant.remove_variables',
  ]);
});

test('of tenants and servers that are not there nothing is kept', async () => {
  const body = { values: { host: 'a.com' } };
  expect(await refusal('PUT /tenants/nowhere/variables/crm', body)).toBe('404 tenant_not_found');
  expect(await refusal('PUT /tenants/acme/variables/nothing', body)).toBe('404 server_not_found');
  expect(await refusal('GET /tenants/nowhere/variables/*')).toBe('404 tenant_not_found');
  await call('PUT /tenants/acme/variables/crm', body);
  await call('DELETE /servers/crm');
  expect(await call('GET /tenants/acme')).toMatchObject({ variables: {} });
});

test.each([{ host: 'evil.com/path' }, { host: 'user@evil.com' }, { host: 'evil.com:0' }])(
  'values that do not fit are refused where they would stand: %j',
  async (values) => {
    expect(await refusal('PUT /tenants/acme/variables/crm', { values })).toBe('400 variable_not_allowed');
    expect(await refusal('PUT /tenants/acme/variables/*', { values })).toBe('400 variable_not_allowed');
    expect(urlFor('acme')).toBe('missing');
  },
);

test.each([{ tenant: 'globex' }, { a: '${env:HOME}' }, { a: 'x\u0000' }, { a: '' }])(
  'values that no variable may have are refused: %j',
  async (values) => {
    await expect(call('PUT /tenants/acme/variables/crm', { values })).rejects.toThrow();
  },
);

test('the address that values make is looked at when they are set', async () => {
  await call('PUT /tenants/acme/variables/crm', { values: { host: 'crm.acme.com' } });
  expect(checked).toEqual(['https://crm.acme.com/acme/mcp']);
  expect(await refusal('PUT /tenants/acme/variables/crm', { values: { host: inside } })).toBe(
    '400 url_forbidden',
  );
  expect(urlFor('acme')).toBe('https://crm.acme.com/acme/mcp');
});

test('values for every server are looked at in each server that has none of its own', async () => {
  await call('POST /servers', { id: 'wiki', type: 'http', url: 'https://wiki.${variable:host}/' });
  await call('POST /servers', { id: 'plain', type: 'http', url: 'https://plain.example.com/' });
  await call('PUT /tenants/acme/variables/crm', { values: { host: 'crm.acme.com' } });
  checked.length = 0;
  await call('PUT /tenants/acme/variables/*', { values: { host: 'acme.com' } });
  expect(checked.sort()).toEqual(['https://crm.acme.com/acme/mcp', 'https://wiki.acme.com/']);
});

test('a tenant’s address is looked at with the tenant’s values', async () => {
  await call('PUT /tenants/acme/variables/*', { values: { host: 'acme.com', inside } });
  checked.length = 0;
  await call('PUT /tenants/acme/endpoints/crm', { url: 'https://eu.${variable:host}/mcp' });
  expect(checked).toEqual(['https://eu.acme.com/mcp']);
  expect(await refusal('PUT /tenants/acme/endpoints/crm', { url: 'http://${variable:inside}/mcp' })).toBe(
    '400 url_forbidden',
  );
  expect(urlFor('acme')).toBe('https://eu.acme.com/mcp');
});

test('a new URL, or new values of the server, are looked at with every tenant’s values', async () => {
  await call('PUT /tenants/acme/variables/*', { values: { host: 'acme.com', path: 'a' } });
  await call('PUT /tenants/globex/variables/*', { values: { host: 'globex.com' } });
  checked.length = 0;
  await call('PATCH /servers/crm', { url: 'https://v2.${variable:host}/mcp' });
  expect(checked.sort()).toEqual(['https://v2.acme.com/mcp', 'https://v2.globex.com/mcp']);
  expect(await refusal('PATCH /servers/crm', { url: `http://${inside}/\${variable:path}` })).toBe(
    '400 url_forbidden',
  );
  const url = 'http://${variable:host}/';
  expect(await refusal('PATCH /servers/crm', { url, variables: { host: inside } })).toBe('400 url_forbidden');
  expect(await refusal('PATCH /servers/crm', { variables: { host: 'a/b' } })).toBe(
    '400 variable_not_allowed',
  );
  expect(urlFor('acme')).toBe('https://v2.acme.com/mcp');
});

test.each([
  { url: 'https://${credential}.acme.com/' },
  { url: 'https://user:${credential}@acme.com/' },
  { url: 'https://acme.com/${variable}' },
  { url: 'https://acme.com/', headers: { a: '${variables:x}' } },
])('%j cannot be saved', async (change) => {
  expect(await refusal('POST /servers', { id: 'new', type: 'http', ...change })).toBe(
    '400 placeholder_not_allowed',
  );
  expect(await refusal('PATCH /servers/crm', change)).toBe('400 placeholder_not_allowed');
  if (change.headers === undefined)
    expect(await refusal('PUT /tenants/acme/endpoints/crm', change)).toBe('400 placeholder_not_allowed');
});

test('values from the API take the operator’s trust away, those of the file keep it', async () => {
  const trust = () => {
    const snapshot = world.snapshot();
    const filled = filledFor(snapshot, snapshot.servers.get('own')!, snapshot.tenants.get('initech')!);
    return filled.ok && filled.trusted;
  };
  const file = accessFile.parse({
    mcpServers: { own: { url: 'http://${variable:host}/mcp', variables: { host: '' } } },
    tenants: { initech: { variables: { own: { host: '10.0.0.1' } } } },
  });
  const apply = () => applyFile(world.db(), file, { prune: false, actor: 'file' });
  await apply();
  await world.reload();
  expect([urlFor('initech', 'own'), trust()]).toEqual(['http://10.0.0.1/mcp', true]);
  await call('PUT /tenants/initech/variables/own', { values: { host: '10.0.0.2' } });
  expect(checked).toEqual(['http://10.0.0.2/mcp']);
  expect(trust()).toBe(false);
  // An entry that has not changed leaves what an administrator has set since.
  expect(await apply()).toEqual([]);
  await call('DELETE /tenants/initech/variables/own');
  await call('PATCH /servers/own', { variables: { host: '10.0.0.3' } });
  expect([urlFor('initech', 'own'), trust()]).toEqual(['http://10.0.0.3/mcp', false]);
});

test('the file brings its values in, changes them and takes them back; others stay beside them', async () => {
  const apply = async (variables?: Record<string, Record<string, string>>) => {
    const changes = await applyFile(
      world.db(),
      accessFile.parse({
        mcpServers: { wiki: { url: 'https://wiki.example.com/' } },
        tenants: { initech: { ...(variables && { variables }) } },
      }),
      { prune: false, actor: 'file' },
    );
    await world.reload();
    return changes.filter(({ record }) => record === 'tenant').flatMap(({ fields = [] }) => fields);
  };
  const shown = async () => (await call('GET /tenants/initech')) as unknown as { variables: unknown };
  await apply({ wiki: { host: 'a', region: 'eu' }, '*': { host: 'b' } });
  await call('PUT /tenants/initech/variables/crm', { values: { host: 'c.com' } });
  expect((await shown()).variables).toEqual({
    '*': { host: 'b' },
    crm: { host: 'c.com' },
    wiki: { host: 'a', region: 'eu' },
  });
  expect(await apply({ wiki: { host: 'a2' } })).toEqual(['variables']);
  expect((await shown()).variables).toEqual({ crm: { host: 'c.com' }, wiki: { host: 'a2' } });
  expect(await apply()).toEqual(['variables']);
  expect((await shown()).variables).toEqual({ crm: { host: 'c.com' } });
});

test('what a command of the config file is started with is not changed here', async () => {
  await sql`insert into mcp_proxy.servers (id, definition, managed_by) values
    ('tool', '{"type":"stdio","command":"tool","args":["\${variable:x}"]}', 'file')`.execute(world.db());
  expect(await refusal('PATCH /servers/tool', { variables: { x: '--evil' } })).toBe('409 kept_in_file');
});
