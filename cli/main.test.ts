import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { adminListener } from '../test/admin-listener.ts';
import { api as access, type Principal } from '../src/access/contract.ts';
import type { ApplyOptions, ConfigChange } from '../src/admin/contract.ts';
import { configRoutes, createAdminApp } from '../src/admin/index.ts';
import { api as gateway } from '../src/gateway/contract.ts';
import { api as identity } from '../src/identity/contract.ts';
import { route } from '../src/platform/contract.ts';
import { AppError } from '../src/platform/errors.ts';
import { createLog } from '../src/platform/log.ts';
import { run } from './main.ts';

const tokenId = '7b0b6c1e-3d5a-4a86-9c5f-0d6c1b1f7a01';
const principal: Principal = {
  kind: 'service',
  id: 'admin-token',
  assertedGroups: [],
  assertedBy: null,
  tokenTenant: null,
  authSource: 'admin-token',
  credentialId: 'admin-token',
};
const token = {
  id: tokenId,
  name: 'laptop\u001b[2J',
  user: 'alice@acme.com',
  service: null,
  tenant: null,
  mayForwardUsers: null,
  prefix: 'tg_abc',
  createdAt: '2026-01-01T00:00:00Z',
  createdBy: 'admin-token',
  expiresAt: null,
  lastUsedAt: null,
  revokedAt: null,
};

const seen: unknown[] = [];
const state: { changes: ConfigChange[]; ready: unknown } = { changes: [], ready: {} };

async function apply(options: ApplyOptions): Promise<readonly ConfigChange[]> {
  seen.push(options);
  return state.changes;
}

const app = createAdminApp({
  log: createLog('silent'),
  version: '0',
  publicUrl: 'http://localhost',
  authenticate: async (request) => {
    if (request.headers.get('authorization') !== 'Bearer right')
      throw new AppError('unauthenticated', 401, 'This token is not valid.');
    return { principal, isAdmin: true };
  },
  routes: [
    ...configRoutes({ apply }),
    route(access.explain, async ({ query }) => {
      seen.push(query);
      return { allowed: query.tool !== 'write_file', reasons: [`${query.user} is in MCP-Filesystem`] };
    }),
    route(identity.createToken, async ({ body }) => {
      seen.push(body);
      return { id: tokenId, token: 'tg_secret' };
    }),
    route(identity.listTokens, async ({ query }) =>
      query.cursor === undefined
        ? { items: [token], nextCursor: 'c' }
        : { items: [{ ...token, name: 'second' }], nextCursor: null },
    ),
    route(gateway.getRunner, async () => ({
      ...{ mode: 'child' as const, answers: true, message: 'The runner answers.', processes: 1 },
      awaySince: null,
      inForce: [
        { feature: 'memory', state: 'on' as const, how: 'control groups' },
        { feature: 'disk', state: 'partly' as const, how: 'measured' },
        { feature: 'files', state: 'off' as const, how: 'whatever the user may read' },
      ],
    })),
    route(identity.revokeToken, async ({ params }) => {
      seen.push(params);
      return undefined;
    }),
  ],
});

const directory = mkdtempSync(path.join(tmpdir(), 'toolgate-cli-'));
const { url } = adminListener(app, (_request, response) => {
  response.setHeader('content-type', 'application/json').end(JSON.stringify(state.ready));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function toolgate(line: string, env: Record<string, string> = {}) {
  let out = '';
  let errors = '';
  seen.length = 0;
  const writeError = (text: string) => void (errors += text);
  const code = await run(line.split(' '), {
    env: { PUBLIC_URL: url(), TOOLGATE_ADMIN_TOKEN: 'right', TOOLGATE_DATA_DIR: directory, ...env },
    write: (text) => void (out += text),
    writeError,
    complain: (message) => writeError(`toolgate: ${message}\n`),
  });
  return { code, out, errors, seen: [...seen] };
}

test('apply prints the changes as a table, and a dry run says that it was one', async () => {
  state.changes = [{ kind: 'update', record: 'server', id: 'github', fields: ['url', 'headers'] }];
  const dry = await toolgate('apply --dry-run');
  expect(dry).toMatchObject({ code: 0, seen: [{ dryRun: true, prune: false }] });
  expect(dry.out).toBe(
    'CHANGE  RECORD  ID      FIELDS\nupdate  server  github  url, headers\nNothing was changed: this was a dry run.\n',
  );
  state.changes = [{ kind: 'orphan', record: 'group', id: 'Old' }];
  expect((await toolgate('apply')).out).toContain('--prune removes them');
  state.changes = [];
  expect(await toolgate('apply --prune')).toMatchObject({
    out: 'Nothing to change.\n',
    seen: [{ dryRun: false, prune: true }],
  });
});

test('explain answers in words, or as JSON', async () => {
  const denied = await toolgate('explain alice@acme.com files write_file --tenant acme');
  expect(denied.out).toBe('Not allowed:\n  - alice@acme.com is in MCP-Filesystem\n');
  expect(denied.seen).toEqual([
    { user: 'alice@acme.com', server: 'files', tool: 'write_file', tenant: 'acme' },
  ]);
  const allowed = await toolgate('explain alice@acme.com files --json');
  expect(JSON.parse(allowed.out)).toMatchObject({ allowed: true });
});

test('a token is made, and its value goes to standard output alone', async () => {
  const made = await toolgate('token create --service chat --may-forward-users signed');
  expect(made).toMatchObject({
    code: 0,
    out: 'tg_secret\n',
    seen: [{ user: null, service: 'chat', mayForwardUsers: 'signed' }],
  });
  expect(made.errors).not.toContain('tg_secret');
});

test('tokens are listed from every page, and their names cannot steer the terminal', async () => {
  const { out } = await toolgate('token list');
  expect(out).toContain('second');
  expect(out).toContain('laptop [2J');
});

test('a token is revoked by its id', async () => {
  expect(await toolgate(`token revoke ${tokenId}`)).toMatchObject({
    code: 0,
    seen: [{ id: tokenId }],
    out: `Token ${tokenId} is revoked.\n`,
  });
});

test('the token and the address come from the options first, and the token from the data directory last', async () => {
  writeFileSync(path.join(directory, 'admin-token'), 'right\n');
  expect(await toolgate('apply', { TOOLGATE_ADMIN_TOKEN: '' })).toMatchObject({ code: 0 });
  const file = path.join(directory, 'another-token');
  writeFileSync(file, 'wrong\n');
  expect(await toolgate(`apply --token-file ${file}`)).toMatchObject({ code: 1 });
  expect(await toolgate(`--url ${url()}/ apply`, { PUBLIC_URL: '' })).toMatchObject({ code: 0 });
  expect(await toolgate('apply', { PUBLIC_URL: '', PORT: url().split(':')[2] ?? '' })).toMatchObject({
    code: 0,
  });
});

test.each([
  ['apply', { TOOLGATE_ADMIN_TOKEN: 'wrong' }, 'toolgate: This token is not valid.\n'],
  ['token create --user nobody', {}, 'toolgate: body.user: must be an e-mail address.\n'],
  [
    'apply',
    { PUBLIC_URL: 'http://127.0.0.1:1' },
    'toolgate: Toolgate does not answer at http://127.0.0.1:1; start it with "npm start", or say where it is with --url.\n',
  ],
  [
    'apply',
    { TOOLGATE_ADMIN_TOKEN: '', TOOLGATE_DATA_DIR: '/nowhere' },
    'toolgate: There is no admin token: give --token-file or TOOLGATE_ADMIN_TOKEN, or run this where /nowhere/admin-token is.\n',
  ],
])('%s with %j fails with one sentence and exit code 1', async (line, env, errors) => {
  expect(await toolgate(line, env)).toMatchObject({ code: 1, errors, out: '' });
});

test.each([
  'apply --nonsense',
  'apply --token right',
  'explain alice@acme.com',
  'token create',
  'token create --user a@b.c --service d',
  'nonsense',
  'token create --service a --may-forward-users all',
])('"toolgate %s" is used wrongly: exit code 2', async (line) => {
  const { code, errors } = await toolgate(line);
  expect(code).toBe(2);
  expect(errors).toMatch(/^error: /);
});

test('help is no failure', async () => {
  expect(await toolgate('--help')).toMatchObject({ code: 0, out: expect.stringContaining('apply') });
});

test('doctor finds a healthy machine healthy', async () => {
  state.ready = { status: 'ready', degraded: [] };
  state.changes = [];
  const { code, out } = await toolgate('doctor --json');
  expect(
    JSON.parse(out).findings.map(({ check, state }: { check: string; state: string }) => [check, state]),
  ).toEqual([
    ['node', 'ok'],
    ['data directory', 'ok'],
    ['server', 'ok'],
    ['config file', 'ok'],
    ['runner', 'ok'],
    ['runner: memory', 'ok'],
    ['runner: disk', 'ok'],
    ['runner: files', 'warn'],
  ]);
  expect(code).toBe(0);
});

test('doctor names what is degraded, what is not applied and what cannot be reached', async () => {
  state.ready = {
    status: 'degraded',
    degraded: [{ part: 'database', since: null, meaning: 'Nothing can be changed.' }],
  };
  state.changes = [{ kind: 'create', record: 'group', id: 'g', fields: [] }];
  const degraded = await toolgate('doctor');
  expect(degraded.out).toContain('database: Nothing can be changed.');
  expect(degraded.out).toContain('valid, but 1 to change');
  expect(degraded.code).toBe(0);
  expect(await toolgate('doctor', { PUBLIC_URL: 'http://127.0.0.1:1' })).toMatchObject({ code: 1 });
});

test('doctor says when the data directory cannot be used', async () => {
  writeFileSync(path.join(directory, 'file'), '');
  const { code, out } = await toolgate('doctor', {
    TOOLGATE_DATA_DIR: path.join(directory, 'file', 'inside'),
  });
  expect(out).toContain('cannot be written');
  expect(code).toBe(1);
});

test.each([
  { mcpServers: { 'a\u001b[2J': { command: 'x', 'timeout\u001b[2J': 1 } } },
  { 'crm\u001b[2J': { mcp_endpoint: 'https://crm.acme.com/mcp', allowed_groups: ['\u001b[2J'] } },
])('a file of another program cannot steer the terminal when it is imported', async (content) => {
  const file = path.join(directory, 'foreign.json');
  writeFileSync(file, JSON.stringify(content));
  const { out, errors } = await toolgate(`import ${file} --config ${path.join(directory, 'none.json')}`);
  expect(out + errors).toContain('[2J');
  expect(out + errors).not.toContain('\u001b');
});

test('an error that quotes what a file holds cannot steer the terminal, and keeps its lines', async () => {
  const file = path.join(directory, 'foreign.json');
  const servers = { a: { command: 'x', disabledTools: ['\u001b[2J '.repeat(200)] } };
  writeFileSync(file, JSON.stringify({ mcpServers: servers }));
  const { code, errors } = await toolgate(`import ${file} --config ${path.join(directory, 'none.json')}`);
  expect(code).toBe(1);
  expect(errors).toMatch(/^toolgate: Nothing was written.*:\n/);
  expect(errors).not.toContain('\u001b');
});
