// Servers that are installed from the catalog, through the program as it is started: a remote one with keys and values of
// its tenants, a real stdio server from npm, a program that the operator named, and what somebody would do to run another.
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ask, textOf } from './clients.ts';
import { eventually, query, startGate } from './gate.ts';
import type { Json } from './program.ts';
import { startUpstream, toolsNamed } from './upstream.ts';

const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-catalog-'));
afterAll(() => rm(folder, { recursive: true, force: true }));

const upstream = await startUpstream({ tools: {} }, toolsNamed(['ping']));
const { port } = new URL(upstream.url);

const entries = [
  {
    ...{ id: 'desk', name: 'Acme Desk', description: 'Tickets of our own desk', category: 'crm-support' },
    transports: [
      {
        ...{ type: 'streamable-http', url: `http://{desk_host}:${port}/mcp`, auth: ['api-key', 'none'] },
        variables: [
          { name: 'desk_host', description: 'Host of the desk', format: 'host' },
          { name: 'region', description: 'Region', required: false, query: true },
        ],
      },
    ],
    auth: {
      headers: [
        { name: 'X-Desk-Key', description: 'Key of the desk', required: false, valueTemplate: 'Desk {key}' },
        { name: 'X-Desk-Secret', description: 'Second key', required: false },
      ],
    },
  },
  {
    ...{ id: 'own-program', name: 'Own program', description: 'A program of the machine' },
    transports: [{ type: 'stdio', runtime: 'binary', package: 'mcp-server-everything', args: [] }],
  },
  {
    ...{ id: 'mail', name: 'Acme Mail', description: 'Post of our own' },
    transports: [{ type: 'streamable-http', url: upstream.url, auth: ['oauth'] }],
    auth: { kind: 'oauth', oauth: { dcr: false, note: 'register an app at the mail desk' } },
  },
];
const config = {
  catalog: entries,
  tenants: { north: {}, south: {} },
  groups: { North: { tenant: 'north' }, South: { tenant: 'south' }, Readers: {} },
  users: {
    'ann@north.example': { groups: ['North', 'Readers'] },
    'bob@south.example': { groups: ['South', 'Readers'] },
  },
  network: { allow: ['127.0.0.0/8'] },
};
const gate = await startGate({
  folder,
  config,
  env: {
    NPM_CONFIG_REGISTRY: 'http://127.0.0.1:1',
    UV_DEFAULT_INDEX: 'http://127.0.0.1:1',
  },
});
const configFile = path.join(folder, 'mcp-servers.json');
const token = {
  ann: await gate.tokenFor('ann@north.example'),
  bob: await gate.tokenFor('bob@south.example'),
};
const canary = 'canary-7d1f4c60a9';
/** Everything that the admin API said. */
const said: string[] = [];

async function admin(request: string, body?: unknown): Promise<{ status: number; body: Json }> {
  const [method = '', address = ''] = request.split(' ');
  const answer = await gate.admin(method, address, body);
  said.push(JSON.stringify(answer.body));
  return answer;
}

async function code(request: string, body?: unknown): Promise<string> {
  const { status, body: answer } = await admin(request, body);
  return `${status} ${answer?.error?.code}`;
}

const install = (id: string, body: object) => admin(`POST /catalog/${id}/install`, body);

async function call(who: keyof typeof token, name: string, args: object = {}) {
  const { message } = await ask({ url: `${gate.url}/mcp`, token: token[who] }, 'tools/call', {
    name,
    arguments: args,
  });
  return message.error ? { text: message.error.message as string, isError: true } : textOf(message.result);
}

const desk = {
  transport: 'http',
  auth: 'api-key',
  values: { desk_host: '127.0.0.1', key: `${canary}-north`, 'X-Desk-Secret': `${canary}-second` },
};

test('the catalog is searched, counted and read', async () => {
  const found = await admin('GET /catalog?search=github&limit=5');
  expect(found.body.items[0]).toMatchObject({ id: 'github', installedAs: [], isPrivate: false });
  const counts = await admin('GET /catalog/categories');
  expect(counts.body.total).toBe(213);
  expect(counts.body.categories).toContainEqual({ value: 'crm-support', count: 14 });
  const first = await admin('GET /catalog?transport=sse&auth=oauth&limit=3');
  const next = await admin(`GET /catalog?transport=sse&auth=oauth&limit=3&cursor=${first.body.nextCursor}`);
  expect(first.body.items).toHaveLength(3);
  expect(next.body.items[0].id).not.toBe(first.body.items[0].id);
  const details = await admin('GET /catalog/desk');
  expect(details.body.forms[0]).toMatchObject({ transport: 'http', auth: 'api-key', pinned: null });
  expect(
    details.body.forms[0].fields.map((field: Json) => [field.name, field.required, field.keptAs]),
  ).toEqual([
    ['desk_host', true, { kind: 'variable', name: 'desk_host' }],
    ['region', false, { kind: 'variable', name: 'region' }],
    ['key', true, { kind: 'credential', name: 'default' }],
    ['X-Desk-Secret', true, { kind: 'credential', name: 'X-Desk-Secret' }],
  ]);
  expect(await code('GET /catalog/nothing')).toBe('404 catalog_entry_not_found');
  expect(await code('GET /catalog?cursor=x')).toBe('400 cursor_invalid');
});

test('trying keeps nothing, and says step by step how far it came', async () => {
  const { body } = await admin('POST /catalog/desk/try', desk);
  expect(body).toMatchObject({
    ok: true,
    tools: 1,
    name: 'written-down',
    message: expect.stringContaining('1 tool'),
  });
  expect(body.steps.map(({ step, ok }: Json) => [step, ok])).toEqual([
    ['address', true],
    ['connection', true],
    ['sign-in', true],
    ['protocol', true],
    ['tools', true],
  ]);
  expect(upstream.seen.at(-1)?.headers['x-desk-key']).toBe(`Desk ${canary}-north`);
  expect((await admin('GET /servers')).body.items).toEqual([]);
  const elsewhere = { ...desk, values: { ...desk.values, desk_host: '169.254.169.254' } };
  const refused = await admin('POST /catalog/desk/try', elsewhere);
  expect(refused.body).toMatchObject({ ok: false, steps: [{ step: 'address', ok: false }] });
});

test('wrong values are refused, each by the name of its field, and nothing is made', async () => {
  const wrong = { ...desk, values: { desk_host: 'https://x', key: 'a\r\nb', other: 'x' } };
  const { status, body } = await install('desk', wrong);
  expect([status, body.error.code]).toEqual([400, 'catalog_values_invalid']);
  for (const name of ['desk_host', 'key', '"other"', 'X-Desk-Secret'])
    expect(body.error.message).toContain(name);
  expect(body.error.message).not.toContain('https://x');
  const at = { ...desk, values: { ...desk.values, desk_host: '10.1.2.3' } };
  expect(await code('POST /catalog/desk/install', at)).toBe('400 url_not_allowed');
  expect(await code('POST /catalog/desk/install', { ...desk, transport: 'npx' })).toBe(
    '400 catalog_form_not_found',
  );
  expect(await code('POST /catalog/desk/install', { ...desk, auth: 'oauth' })).toBe(
    '400 catalog_form_not_found',
  );
  expect(await code('POST /catalog/desk/install', { ...desk, version: '1.0.0' })).toBe(
    '400 catalog_version_invalid',
  );
  expect((await admin('GET /servers')).body.items).toEqual([]);
});

test.each([
  ['a group that is not there', { groups: ['Readers', 'Nobody'] }, '404 group_not_found'],
  ['a tenant that is not there', { for: { tenant: 'west' } }, '404 tenant_not_found'],
])('%s leaves nothing behind', async (_, part, expected) => {
  expect(await code('POST /catalog/desk/install', { ...desk, ...part })).toBe(expected);
  expect((await admin('GET /servers')).body.items).toEqual([]);
  expect((await admin('GET /keys')).body.items).toEqual([]);
  const groups = (await admin('GET /groups')).body.items.map(({ servers }: Json) => servers);
  expect(groups).toEqual([[], [], []]);
});

test('a server is installed for a tenant: its keys, its values, its group, one audit entry', async () => {
  const { status, body } = await install('desk', { ...desk, for: { tenant: 'north' }, groups: ['Readers'] });
  expect(status).toBe(201);
  expect(body).toMatchObject({
    created: true,
    credentials: ['default', 'X-Desk-Secret'],
    variables: ['desk_host'],
    server: { id: 'desk', url: `http://\${variable:desk_host}:${port}/mcp`, origin: { entry: 'desk' } },
  });
  expect(body.next.join(' ')).toContain('Only the tenant north');
  expect(await call('ann', 'desk__ping')).toEqual({ text: 'I am ping', isError: false });
  const { headers } = upstream.seen.at(-1)!;
  expect([headers['x-desk-key'], headers['x-desk-secret']]).toEqual([
    `Desk ${canary}-north`,
    `${canary}-second`,
  ]);
  expect(await call('bob', 'desk__ping')).toMatchObject({ isError: true });
  const audit = await admin('GET /audit?limit=50');
  const actions = audit.body.items
    .filter((one: Json) => one.targetId === 'desk')
    .map((one: Json) => one.action);
  expect(actions).toEqual(['server.install']);
  expect((await admin('GET /catalog/desk')).body.installedAs).toEqual(['desk']);
});

test('another tenant gets values of its own, and nothing else changes', async () => {
  const before = (await admin('GET /servers/desk')).body;
  await admin('PUT /groups/Readers/servers/desk', { tools: ['pi*'] });
  const values = { desk_host: '127.0.0.1', key: `${canary}-south`, 'X-Desk-Secret': 'second' };
  const { body } = await install('desk', { ...desk, values, for: { tenant: 'south' }, groups: ['Readers'] });
  expect(body).toMatchObject({ created: false });
  expect(await call('bob', 'desk__ping')).toMatchObject({ isError: false });
  expect(upstream.seen.at(-1)?.headers['x-desk-key']).toBe(`Desk ${canary}-south`);
  expect(await call('ann', 'desk__ping')).toMatchObject({ isError: false });
  expect(upstream.seen.at(-1)?.headers['x-desk-key']).toBe(`Desk ${canary}-north`);
  expect((await admin('GET /servers/desk')).body).toEqual(before);
  const readers = (await admin('GET /groups/Readers')).body;
  expect(readers.servers).toEqual([{ server: 'desk', tools: ['pi*'] }]);
});

test('what was installed without a field has no place for it, until it is made anew', async () => {
  const more = { ...desk, values: { ...desk.values, region: 'eu' } };
  expect(await code('POST /catalog/desk/install', more)).toBe('409 catalog_fields_not_installed');
  const { body } = await install('desk', { ...more, replace: true, for: { tenant: 'north' } });
  expect(body.server).toMatchObject({ url: expect.stringContaining('?region=${variable:region}') });
  expect(await call('ann', 'desk__ping')).toMatchObject({ isError: false });
});

test('a client that was registered by hand is stored for its tenant, and people are told to connect', async () => {
  const client = { 'oauth-client-id': 'gate-1', 'oauth-client-secret': `${canary}-client` };
  const mail = { transport: 'http', for: { tenant: 'north' }, groups: ['Readers'] };
  const without = await install('mail', mail);
  expect([without.status, without.body.error.message]).toEqual([
    400,
    expect.stringContaining('oauth-client-id'),
  ]);
  const unknown = await install('mail', { ...mail, values: client });
  expect(unknown.status).toBeGreaterThanOrEqual(400);
  expect((await admin('GET /servers/mail')).status).toBe(404);
  const values = { ...client, 'oauth-issuer': 'https://sign-in.acme.com' };
  const { status, body } = await install('mail', { ...mail, values });
  expect([status, body.credentials, body.variables]).toEqual([201, [], []]);
  expect(body.next.join(' ')).toMatch(/connects an account.*\/gateway\/connect\/callback/);
  const clients = await admin('GET /tenants/north/oauth-clients');
  expect(clients.body.items).toEqual([
    expect.objectContaining({
      server: 'mail',
      clientId: 'gate-1',
      issuer: 'https://sign-in.acme.com',
      hasSecret: true,
    }),
  ]);
  const tried = await admin('POST /catalog/mail/try', { transport: 'http' });
  expect(tried.body.steps).toContainEqual(expect.objectContaining({ step: 'sign-in', ok: null }));
});

test('an id that another server has is not taken', async () => {
  await admin('POST /servers', { id: 'mine', type: 'http', url: upstream.url });
  expect(await code('POST /catalog/desk/install', { ...desk, as: 'mine' })).toBe('409 server_exists');
  expect(await code('POST /catalog/desk/install', { ...desk, as: 'mine', replace: true })).toBe(
    '409 server_exists',
  );
  expect(await code('POST /catalog/desk/install', { ...desk, auth: 'none', values: {} })).toBe(
    '409 server_exists',
  );
  const { status } = await install('desk', { ...desk, as: 'desk-2' });
  expect(status).toBe(201);
});

test('a stdio server of npm is installed, pinned, and called', async () => {
  const tried = await admin('POST /catalog/everything/try', { transport: 'npx' });
  expect(tried.body).toMatchObject({ ok: true, steps: [{ step: 'version', ok: true }, {}, {}, {}] });
  const { status, body } = await install('everything', { transport: 'npx', groups: ['Readers'] });
  expect(status).toBe(201);
  expect(body.server).toMatchObject({
    type: 'stdio',
    args: ['-y', '@modelcontextprotocol/server-everything@2026.8.31'],
    origin: { version: '2026.8.31', pinned: 'verified' },
  });
  expect(await call('ann', 'everything__echo', { message: 'hello' })).toEqual({
    text: 'Echo: hello',
    isError: false,
  });
});

test('what is not verified needs its registry, or a version that somebody gives', async () => {
  const time = { transport: 'uvx' };
  const { status, body } = await install('time', time);
  expect([status, body.error.code]).toEqual([503, 'registry_unavailable']);
  expect(body.error.message).toContain('"version"');
  expect(await code('POST /catalog/time/install', { ...time, version: 'latest' })).toBe(
    '400 catalog_version_invalid',
  );
  const given = await install('time', { ...time, version: '2026.1.26', enabled: false });
  expect(given.body.server).toMatchObject({
    enabled: false,
    origin: { version: '2026.1.26', pinned: 'given' },
  });
});

test('the command of an installed server cannot be changed, and the API still takes none', async () => {
  expect(await code('PATCH /servers/everything', { command: 'sh' })).toBe('400 invalid_request');
  expect(await code('PATCH /servers/everything', { args: ['-c', 'id'] })).toBe('400 invalid_request');
  expect(await code('PATCH /servers/everything', { url: upstream.url })).toBe('400 not_a_remote_server');
  expect(await code('POST /servers', { id: 'sh', type: 'stdio', command: 'sh' })).toBe('400 invalid_request');
  expect(await code('POST /catalog/everything/install', { transport: 'npx', as: 'x', args: ['-c'] })).toBe(
    '400 invalid_request',
  );
  expect(await code('POST /catalog/semgrep/install', { transport: 'binary' })).toBe('409 catalog_not_pinned');
});

test.each([
  ['an option for a path', { allowed_path: '--help' }],
  ['a path elsewhere', { allowed_path: '/' }],
  ['a way out', { allowed_path: '../..' }],
  ['a second line', { allowed_path: 'a\nb' }],
  ['a variable of the environment', { allowed_path: '${env:HOME}' }],
  ['a field that is not there', { allowed_path: '.', args: '--help' }],
])('%s is refused as a value', async (_, values) => {
  expect(await code('POST /catalog/filesystem/install', { transport: 'npx', values })).toBe(
    '400 catalog_values_invalid',
  );
});

test('a server works in a directory of its own, wherever a value is changed later', async () => {
  const groups = ['Readers'];
  await install('filesystem', { transport: 'npx', values: { allowed_path: '.' }, as: 'files', groups });
  const allowed = await call('ann', 'files__list_allowed_directories');
  expect(allowed.text).toContain(path.join('data', 'runner', 'files'));
  const seen = await call('ann', 'files__read_text_file', { path: configFile });
  expect(seen).toMatchObject({ isError: true });
  await admin('PUT /tenants/north/variables/files', { values: { allowed_path: '../../../..' } });
  const moved = await eventually('the value counts', async () => {
    const answer = await call('ann', 'files__list_allowed_directories');
    return answer.isError && answer;
  });
  expect(moved.text).toMatch(/is not run/);
});

test('an older version that somebody wrote into the database is held back, until an administrator installs it', async () => {
  const change = (what: string) =>
    query(gate.databaseUrl ?? '', `update mcp_proxy.servers set ${what} where id = 'everything'`);
  const echo = () => call('ann', 'everything__echo', { message: 'x' });
  const older = ['-y', '@modelcontextprotocol/server-everything@2025.1.1'];
  const shown = await admin('GET /servers/everything');
  expect(JSON.stringify(shown.body)).not.toContain('seal');
  // The very row that would be there had it been installed so, with the seal of the one that was.
  await change(
    `definition = jsonb_set(definition, '{args}', '${JSON.stringify(older)}'), origin = origin || '{"version":"2025.1.1"}'`,
  );
  const refused = await eventually('the change is seen', async () => {
    const answer = await echo();
    return answer.isError && answer;
  });
  expect(refused.text).toContain('is not run');
  expect(refused.text).toContain('toolgate add everything --as everything --replace');
  const { status } = await install('everything', { transport: 'npx', replace: true });
  expect(status).toBe(201);
  await eventually('it runs again', async () => (await echo()).text === 'Echo: x');
  await change(`origin = origin - 'seal'`);
  await admin('PATCH /servers/everything', { maxResultChars: 2000 });
  expect(await echo(), 'what the catalog itself names needs no seal').toMatchObject({ isError: false });
});

test('a row that somebody changed in the database is never run', async () => {
  const mark = path.join(folder, 'was-here');
  const args = JSON.stringify(['-c', `touch ${mark}`]);
  const change = (what: string) =>
    query(gate.databaseUrl ?? '', `update mcp_proxy.servers set ${what} where id = 'everything'`);
  await change(`definition = definition || '{"command":"sh","args":${args}}'`);
  await eventually('the change is seen, and refused', async () => {
    const answer = await call('ann', 'everything__echo', { message: 'x' });
    // At first it may be said that the process of before has gone.
    return answer.isError && /is not run/.test(answer.text);
  });
  expect(existsSync(mark)).toBe(false);
  await admin('DELETE /servers/everything');
});

test('a program of the operator is run as long as its entry is in the config file', async () => {
  const { status, body } = await install('own-program', { transport: 'binary', groups: ['Readers'] });
  expect([status, body.server?.command]).toEqual([201, 'mcp-server-everything']);
  expect(body.next.join(' ')).toContain('whatever version is installed');
  expect(await call('ann', 'own-program__echo', { message: 'hi' })).toMatchObject({ text: 'Echo: hi' });
  await writeFile(
    configFile,
    JSON.stringify({ ...config, catalog: entries.filter(({ id }) => id !== 'own-program') }),
  );
  await eventually('the entry is gone', async () => (await admin('GET /catalog/own-program')).status === 404);
  await admin('PATCH /servers/own-program', { maxResultChars: 1000 });
  const refused = await eventually('it is not run any more', async () => {
    const answer = await call('ann', 'own-program__echo', { message: 'hi' });
    return answer.isError && answer;
  });
  expect(refused.text).toMatch(/is not run/);
});

test('an entry that asks for a variable of the environment is refused with its place', async () => {
  const url = 'https://tools.acme.com/${env:TOOLGATE_ADMIN_TOKEN}';
  const hostile = { id: 'bad', name: 'Bad', description: 'x', transports: [{ type: 'sse', url }] };
  await writeFile(configFile, JSON.stringify({ ...config, catalog: [hostile] }, null, 2));
  await eventually('it is refused', () => gate.logs().includes('config file is wrong'));
  expect(gate.logs()).toMatch(/catalog\[0\]\.transports\[0\]\.url: must not hold \\"\$\{\\"/);
  expect((await admin('GET /catalog/bad')).status).toBe(404);
});

test('no secret is in an answer, in the log, or in what was recorded', async () => {
  const audit = await admin('GET /audit?limit=200');
  expect(audit.body.items.length).toBeGreaterThan(5);
  const rows = await query(
    gate.databaseUrl ?? '',
    'select definition::text, origin::text from mcp_proxy.servers',
  );
  for (const text of [...said, gate.logs(), JSON.stringify(rows)]) expect(text).not.toContain(canary);
});
