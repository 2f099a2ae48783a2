import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startCollector } from '../fakes/collector.ts';
import { type HttpKind, startHostileHttp } from '../fakes/hostile-http.ts';
import { listenOnLoopback } from '../fakes/loopback.ts';
import { ask, bearer, closeLater, openSession, postModern, answerOf, textOf } from './clients.ts';
import { eventually, query, startGate } from './gate.ts';
import { freePort } from './program.ts';

const plant = (name: string) => `canary-${name}-${randomBytes(12).toString('hex')}`;

/** Secrets by where they were put. */
const canaries = {
  northKey: plant('north'),
  southKey: plant('south'),
  sharedKey: plant('shared'),
  stdioKey: plant('stdio-north'),
  envHeader: plant('env-header'),
  envOfStdio: plant('env-stdio'),
  urlKey: plant('url'),
  jwtSecret: plant('jwt'),
  adminToken: plant('admin'),
  wrongToken: plant('wrong-token'),
  rejectedKey: plant('rejected'),
  headerOfAdmin: plant('header-of-admin'),
  userKey: plant('user'),
  groupKey: plant('group'),
  importedKey: plant('imported'),
} as const;
const masterKey = randomBytes(32).toString('base64');

const upstream = closeLater(await startHostileHttp());
// Everybody who is told what happens.
const collector = closeLater(await startCollector());
const sentToSiem: string[] = [];
const siem = closeLater(
  await listenOnLoopback((req, res) => {
    void text(req).then((body) => {
      sentToSiem.push(body);
      res.writeHead(204).end();
    });
  }),
);
const stdio = fileURLToPath(new URL('../fakes/hostile-stdio.ts', import.meta.url));
const nowhere = `http://127.0.0.1:${await freePort()}/mcp`;
const withKey = { Authorization: 'Bearer ${credential}' };
const hostileKinds = [
  'http-500',
  'html',
  'redirect',
  'closes',
  'exits',
  'invalid-json',
  'wrong-id',
  'never-call',
  'huge',
] as const satisfies readonly HttpKind[];

const servers: Record<string, object> = {
  crm: { type: 'http', url: upstream.url('ok'), headers: withKey, recordArguments: true },
  envy: { type: 'http', url: upstream.url('counts-sessions'), headers: { 'X-Key': '${env:CANARY_HEADER}' } },
  away: { type: 'http', url: nowhere, headers: withKey, timeoutMs: 1_000 },
  query: { type: 'http', url: `${nowhere}?key=\${credential}`, timeoutMs: 1_000 },
  local: {
    command: process.execPath,
    args: [stdio, 'ok'],
    env: { KEY: '${credential}', OTHER: '${env:CANARY_STDIO}' },
  },
  mine: { type: 'http', url: upstream.url('ok'), headers: withKey },
  team: { type: 'http', url: upstream.url('ok'), headers: { Authorization: 'Basic ${credential.basic}' } },
  dies: { command: process.execPath, args: [stdio, 'exits'], env: { KEY: '${credential}' } },
  missing: { command: '/nowhere/at/all', env: { KEY: '${credential}' } },
  ...Object.fromEntries(
    hostileKinds.map((kind) => [
      kind,
      { type: 'http', url: upstream.url(kind), headers: withKey, timeoutMs: 1_000 },
    ]),
  ),
};
const grants = Object.keys(servers);
const gate = await startGate({
  config: {
    mcpServers: servers,
    groups: {
      North: { tenant: 'north', servers: grants },
      South: { tenant: 'south', servers: grants },
      Third: { tenant: 'third', servers: grants },
    },
    tenants: { north: {}, south: {}, third: {} },
    users: Object.fromEntries(
      ['North', 'South', 'Third'].map((group) => [`ann@${group.toLowerCase()}.example`, { groups: [group] }]),
    ),
    network: { allow: ['127.0.0.0/8'] },
    audit: { push: [{ name: 'siem', kind: 'http', url: siem.origin }] },
  },
  env: {
    DEBUG: 'true',
    ACCESS_LOG: 'true',
    TRACE_PEOPLE: 'true',
    OTEL_EXPORTER_OTLP_ENDPOINT: collector.url,
    OTEL_BSP_SCHEDULE_DELAY: '100',
    TOOLGATE_MASTER_KEY: masterKey,
    TOOLGATE_ADMIN_TOKEN: canaries.adminToken,
    CANARY_HEADER: canaries.envHeader,
    CANARY_STDIO: canaries.envOfStdio,
    FORWARD_USER_INFO_HEADER_JWT_SECRET: canaries.jwtSecret,
  },
});

/** Everything that came out over HTTP, but for what is let through on purpose. */
const said: string[] = [];
const apiTokens: string[] = [];
const token = { north: '', south: '', third: '' };
type Tenant = keyof typeof token;

async function admin(method: string, at: string, body?: unknown) {
  const answer = await gate.admin(method, at, body);
  const isToken = method === 'POST' && at === '/tokens' && answer.status === 201;
  if (!isToken) said.push(JSON.stringify([answer.body, [...answer.headers]]));
  return answer;
}

async function call(who: Tenant, server: string, tool = 'echo', args: object = { text: 'hello' }) {
  const answer = await answerOf(
    await postModern({ url: `${gate.url}/mcp`, token: token[who] }, 'tools/call', {
      name: `${server}__${tool}`,
      arguments: args,
    }),
  );
  const own = tool === 'whoami';
  if (!own) said.push(answer.text + JSON.stringify([...answer.headers]));
  return textOf(answer.message.result);
}

beforeAll(async () => {
  for (const who of ['north', 'south', 'third'] as const) {
    token[who] = (await admin('POST', '/tokens', { user: `ann@${who}.example`, name: 'e2e' })).body.token;
    apiTokens.push(token[who]);
  }
  const values: [string, string][] = [
    ...grants.map((server): [string, string] => [`/tenants/north/keys/${server}`, canaries.northKey]),
    ...grants.map((server): [string, string] => [`/tenants/south/keys/${server}`, canaries.southKey]),
    ...grants.map((server): [string, string] => [`/keys/${server}`, canaries.sharedKey]),
    ['/tenants/north/keys/local', canaries.stdioKey],
    ['/tenants/north/keys/query', canaries.urlKey],
    ['/users/ann@north.example/keys/mine', canaries.userKey],
    ['/groups/North/keys/team', `team:${canaries.groupKey}`],
  ];
  for (const [at, value] of values) expect((await admin('PUT', at, { value })).status).toBe(200);
});

test('each tenant’s server gets that tenant’s key, and the others do not', async () => {
  const seen = async (who: Tenant, server: string) => {
    const { text } = await eventually('an answer', async () => {
      const answer = await call(who, server, 'whoami', {});
      return !answer.isError && answer;
    });
    return JSON.parse(text).seen as Record<string, string>;
  };
  expect((await seen('north', 'crm'))['authorization']).toBe(`Bearer ${canaries.northKey}`);
  expect((await seen('south', 'crm'))['authorization']).toBe(`Bearer ${canaries.southKey}`);
  expect((await seen('third', 'crm'))['authorization']).toBe(`Bearer ${canaries.sharedKey}`);
  expect((await seen('north', 'envy'))['x-key']).toBe(canaries.envHeader);
  expect((await seen('north', 'mine'))['authorization']).toBe(`Bearer ${canaries.userKey}`);
  expect((await seen('south', 'mine'))['authorization']).toBe(`Bearer ${canaries.southKey}`);
  const basic = Buffer.from(`team:${canaries.groupKey}`).toString('base64');
  expect((await seen('north', 'team'))['authorization']).toBe(`Basic ${basic}`);
  const environments = {
    north: await seen('north', 'local'),
    south: await seen('south', 'local'),
    third: await seen('third', 'local'),
  };
  const keys = { north: canaries.stdioKey, south: canaries.southKey, third: canaries.sharedKey };
  for (const who of ['north', 'south', 'third'] as const) {
    expect(environments[who]).toMatchObject({ KEY: keys[who], OTHER: canaries.envOfStdio });
    const foreign = [...Object.values(canaries), masterKey, ...apiTokens].filter(
      (one) => one !== keys[who] && one !== canaries.envOfStdio,
    );
    const text = JSON.stringify(environments[who]);
    expect(foreign.filter((secret) => text.includes(secret))).toEqual([]);
    expect(
      Object.keys(environments[who]).filter((name) => /TOOLGATE|DATABASE_URL|CANARY/.test(name)),
    ).toEqual([]);
  }
});

test('every failure is told without a secret', async () => {
  for (const who of ['north', 'third'] as const) {
    for (const server of ['away', 'query', 'dies', 'missing', ...hostileKinds]) {
      expect(await call(who, server), server).toMatchObject({
        isError: true,
        text: expect.stringMatching(/\.$/),
      });
    }
    await call(who, 'crm', 'echo', { text: 'recorded' });
    await call(who, 'crm', 'crash', {});
    await call(who, 'nothing');
  }
  for (const server of ['mine', 'team']) {
    await admin('POST', `/servers/${server}/test?user=ann@north.example`);
    await call('north', server, 'crash', {});
    // Its key has no colon, so it is no basic sign-in.
    await call('south', server);
  }
  const rows = [
    'level,owner,server,value',
    `shared,,crm,${canaries.importedKey}`,
    `user,nobody,crm,${canaries.rejectedKey}`,
  ];
  for (const more of [{ dryRun: true }, {}, { allOrNothing: false }])
    await admin('POST', '/keys/import', { format: 'csv', text: rows.join('\n'), ...more });
  for (const text of [`KEY=${canaries.importedKey}`, `${canaries.rejectedKey}`, `X="${canaries.rejectedKey}`])
    await admin('POST', '/keys/import', { format: 'env', text, tenant: 'third' });
  for (const server of grants) {
    await admin('POST', `/servers/${server}/test?tenant=north`);
    await admin('GET', `/servers/${server}/tools?tenant=south`);
    await admin('GET', `/servers/${server}`);
  }
  const rejected: [string, string, unknown][] = [
    ['PUT', '/tenants/north/keys/crm', { value: { secret: canaries.rejectedKey } }],
    ['PUT', '/tenants/north/keys/crm', { value: canaries.rejectedKey, name: 'not a name!' }],
    ['PUT', '/tenants/north/keys/nothing', { value: canaries.rejectedKey }],
    ['PUT', '/tenants/nowhere/keys/crm', { value: canaries.rejectedKey }],
    ['PUT', '/keys/crm', { valeu: canaries.rejectedKey }],
    ['PUT', '/users/ann@north.example/keys/crm?tennant=north', { value: canaries.rejectedKey }],
    ['PUT', '/groups/Nobody/keys/crm', { value: canaries.rejectedKey }],
    ['POST', '/servers', { id: 'x', type: 'http', url: 'nonsense', headers: { A: canaries.rejectedKey } }],
    [
      'POST',
      '/servers',
      { id: 'y', type: 'http', url: upstream.url('ok'), headers: { 'bad name': canaries.rejectedKey } },
    ],
  ];
  for (const [method, at, body] of rejected)
    expect((await admin(method, at, body)).status).toBeGreaterThanOrEqual(400);
  await admin('POST', '/servers', {
    id: 'added',
    type: 'http',
    url: upstream.url('ok'),
    headers: { 'X-Key': canaries.headerOfAdmin },
  });
  await admin('PATCH', '/servers/added', { headers: { 'X-Key': `${canaries.headerOfAdmin}2` } });
  const broken = await fetch(`${gate.url}/mcp-admin/api/keys/crm`, {
    method: 'PUT',
    headers: { ...bearer(canaries.adminToken), 'content-type': 'application/json' },
    body: `{"value":"${canaries.rejectedKey}",`,
  });
  said.push(await broken.text());
  for (const at of [
    '/users',
    '/groups',
    '/servers',
    '/tenants',
    '/tenants/north',
    '/tenants/north/keys',
    '/keys',
    '/keys/missing',
    '/users/ann@north.example/keys',
    '/groups/North/keys',
    '/servers/mine/credential?user=ann@north.example',
    '/tokens',
    '/audit?limit=100',
    '/analytics?limit=100',
    '/explain?user=ann@north.example&server=crm',
    '/openapi.json',
  ]) {
    expect((await admin('GET', at)).status, at).toBe(200);
  }
});

test('a wrong credential of a caller is not repeated', async () => {
  const url = `${gate.url}/mcp`;
  const jwt = `eyJhbGciOiJub25lIn0.${Buffer.from(JSON.stringify({ iss: 'https://nobody.example', sub: canaries.wrongToken })).toString('base64url')}.${canaries.wrongToken}`;
  for (const wrong of [canaries.wrongToken, `tg_${canaries.wrongToken}`, jwt]) {
    const answer = await ask({ url, token: wrong }, 'tools/list');
    expect(answer.status).toBe(401);
    said.push(answer.text + JSON.stringify([...answer.headers]));
  }
  const forged = await ask(
    {
      url,
      token: token.north,
      headers: { 'x-openwebui-user-jwt': canaries.wrongToken, 'x-user-email': canaries.wrongToken },
    },
    'tools/list',
  );
  said.push(forged.text);
  const session = await openSession(url, token.north);
  const stolen = await ask({ ...session, token: token.south }, 'tools/list');
  expect(stolen.status).toBe(404);
  said.push(stolen.text);
  const inQuery = await fetch(`${url}?access_token=${canaries.wrongToken}`, { method: 'POST' });
  said.push(await inQuery.text());
  const ready = await fetch(`${gate.url}/gateway/ready`);
  said.push(await ready.text());
});

/** Secrets found in a text, plain or in base64. */
function leaksIn(text: string, allowed: readonly string[] = []): string[] {
  const all = {
    ...canaries,
    masterKey,
    ...Object.fromEntries(apiTokens.map((one, at) => [`apiToken${at}`, one])),
  };
  return Object.entries(all)
    .filter(([, secret]) => !allowed.includes(secret))
    .filter(
      ([, secret]) =>
        text.includes(secret) || text.includes(Buffer.from(secret).toString('base64').slice(4, -4)),
    )
    .map(([name]) => name);
}

test('no answer, log line, process list, database row or file holds a secret', async () => {
  await eventually('records are written', async () => {
    const rows = await query(
      gate.databaseUrl!,
      `select 1 from mcp_proxy.api_analytics where arguments::text like '%recorded%'`,
    );
    return rows.length > 0;
  });
  expect(said.length).toBeGreaterThan(80);
  expect(leaksIn(said.join('\n'))).toEqual([]);
  expect(leaksIn(gate.logs())).toEqual([]);
  expect(gate.logs()).toContain('"level":"debug"');
  expect(leaksIn(commandLines())).toEqual([]);
  const rows = await allRows();
  expect(rows).toContain('ann@north.example');
  // A header that an admin typed in as it is, instead of as a credential, is part of the server's definition.
  expect(leaksIn(rows, [canaries.headerOfAdmin])).toEqual([]);
  expect(
    leaksIn(
      filesUnder(gate.folder)
        .filter((file) => !file.endsWith('mcp-servers.json'))
        .map((file) => readFileSync(file, 'latin1'))
        .join('\n'),
    ),
  ).toEqual([]);
  expect(upstream.stats('redirect-target').requests).toBe(0);
});

afterAll(() => {
  // What is written while it shuts down counts, too.
  expect(leaksIn(gate.logs())).toEqual([]);
});

test('neither metrics, traces, nor what is sent to a SIEM hold a secret', async () => {
  await eventually('changes are sent', () => sentToSiem.join('').includes('token.create'));
  await eventually('spans are sent', () => collector.bodies.join('').includes('tools/call'));
  const metrics = await (await fetch(`${gate.url}/metrics`)).text();
  expect(metrics).toContain('toolgate_calls_total');
  for (const told of [metrics, ...collector.bodies, ...sentToSiem])
    expect(leaksIn(told, [canaries.headerOfAdmin])).toEqual([]);
});

async function allRows(): Promise<string> {
  const tables = await query(
    gate.databaseUrl!,
    `select table_name as name from information_schema.tables where table_schema = 'mcp_proxy'`,
  );
  const texts = await Promise.all(
    tables.map(({ name }) =>
      query(gate.databaseUrl!, `select t::text as row from mcp_proxy."${String(name)}" t`),
    ),
  );
  return texts.flatMap((rows) => rows.map(({ row }) => String(row))).join('\n');
}

function commandLines(): string {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
      } catch {
        return ''; // It has ended meanwhile.
      }
    })
    .join('\n');
}

function filesUnder(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .map((name) => path.join(folder, name))
    .filter((file) => statSync(file).isFile());
}
