import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, onTestFinished, test } from 'vitest';
import {
  apiKey,
  type FakeOpenWebUi,
  type FakeOptions,
  startFakeOpenWebUi,
} from '../test/fakes/open-webui-admin.ts';
import { adminToken, type FakeToolgate, startFakeToolgate } from '../test/fakes/toolgate-admin.ts';
import { run } from './main.ts';

let gate: FakeToolgate;
let owui: FakeOpenWebUi;

beforeEach(async () => {
  gate = await startFakeToolgate();
  owui = await startFakeOpenWebUi({ verify: () => 0 });
});

afterEach(async () => {
  await owui.close();
  await gate.close();
});

async function fake(options: FakeOptions): Promise<void> {
  await owui.close();
  owui = await startFakeOpenWebUi({ verify: () => 0, ...options });
}

async function install(line = '', env: Record<string, string> = {}) {
  let out = '';
  let errors = '';
  const writeError = (text: string) => void (errors += text);
  const args = `openwebui install --url ${owui.url} ${line}`.trim().split(' ');
  const code = await run(args, {
    env: { PUBLIC_URL: gate.origin, TOOLGATE_ADMIN_TOKEN: adminToken, OPEN_WEBUI_TOKEN: owui.token, ...env },
    write: (text) => void (out += text),
    writeError,
    complain: (message) => writeError(`toolgate: ${message}\n`),
  });
  // Whatever happens, nothing that opens a door is printed.
  for (const secret of [owui.token, apiKey, 'tg_key', 'Bearer']) expect(out + errors).not.toContain(secret);
  return { code, out, errors };
}

const rows = (out: string) =>
  Object.fromEntries(out.split('\n').map((line) => [line.split(/ {2,}/)[0], line.split(/ {2,}/)]));

test('a first run makes a key, a connection for everybody and the Tool file', async () => {
  const { code, out, errors } = await install();
  expect({ code, errors }).toEqual({ code: 0, errors: '' });
  expect(gate.keys).toMatchObject([{ service: 'open-webui', mayForwardUsers: 'signed', tenant: null }]);
  const everyone = [{ principal_type: 'user', principal_id: '*', permission: 'read' }];
  expect(owui.toolServers).toMatchObject([
    {
      ...{ type: 'mcp', url: `${gate.origin}/mcp`, path: '', auth_type: 'bearer', key: 'tg_key1' },
      ...{ config: { enable: true, access_grants: everyone }, info: { id: 'toolgate', name: 'Toolgate' } },
    },
  ]);
  expect(owui.tools.get('toolgate')).toMatchObject({
    ...{ name: 'Toolgate', content: expect.stringContaining('class Tools:'), access_grants: everyone },
    valves: { gateway_url: gate.origin, mcp_path: '/mcp' },
  });
  expect(rows(out)).toMatchObject({
    'MCP connection "toolgate"': [
      expect.anything(),
      'added',
      expect.stringContaining('gives each person their own tools'),
    ],
    'Tool file "toolgate"': [expect.anything(), 'added', expect.anything()],
  });
});

test('a second run changes nothing', async () => {
  await install('--mode all --group G');
  const before = owui.writes.length;
  const { out } = await install('--mode all --group G');
  expect(owui.writes.length).toBe(before);
  expect([gate.keys.length, gate.links]).toEqual([2, [{ group: 'G' }]]);
  expect(out.match(/ unchanged /g)).toHaveLength(3);
});

test('connections of others, and what an administrator changed in this one, stay as they are', async () => {
  const other = {
    url: 'http://x',
    path: '',
    type: 'mcp',
    auth_type: 'none',
    key: '',
    config: { enable: true },
    info: { id: 'x' },
    more: 1,
  };
  await install();
  const [ours] = owui.toolServers;
  const changed = {
    ...ours,
    headers: { 'X-Chat': '{{CHAT_ID}}' },
    config: { enable: false, access_grants: [], function_name_filter_list: '!delete' },
    info: { id: 'toolgate', name: 'Our tools' },
  };
  owui.toolServers.splice(0, 1, other, changed);
  owui.tools.get('toolgate')!.valves['timeout_seconds'] = 5;
  await install(`--gateway-url http://gate:8085`);
  expect(owui.toolServers).toEqual([
    other,
    {
      ...changed,
      url: 'http://gate:8085/mcp',
      config: { ...changed.config, enable: true },
      info: { ...changed.info, description: expect.any(String) },
    },
  ]);
  expect(owui.tools.get('toolgate')?.valves).toEqual({
    ...{ gateway_url: 'http://gate:8085', mcp_path: '/mcp', timeout_seconds: 5 },
  });
});

test('an API key does as well as a session', async () => {
  const { code, out } = await install('', { OPEN_WEBUI_TOKEN: apiKey });
  expect(code).toBe(0);
  expect(owui.toolServers).toHaveLength(1);
  expect(rows(out)['WEBUI_SECRET_KEY']?.[1]).toBe('not seen');
});

test('a key that Toolgate does not know any more is replaced; one that was brought is used', async () => {
  await install();
  owui.toolServers[0]!['key'] = 'revoked';
  await install();
  expect(owui.toolServers[0]).toMatchObject({ key: 'tg_key2' });
  const file = path.join(mkdtempSync(path.join(tmpdir(), 'toolgate-key-')), 'key');
  onTestFinished(() => rmSync(path.dirname(file), { recursive: true }));
  writeFileSync(file, 'mine\n');
  await install(`--connection-key-file ${file}`);
  expect(owui.toolServers[0]).toMatchObject({ key: 'mine' });
  expect(gate.keys).toHaveLength(2);
});

test('a dry run changes nothing anywhere', async () => {
  const { code, out } = await install('--mode all --group G --dry-run');
  expect({ code, writes: owui.writes, keys: gate.keys }).toEqual({ code: 0, writes: [], keys: [] });
  expect(out).toMatch(/^Nothing was changed/);
  expect(out.match(/ would be added /g)).toHaveLength(3);
});

test('tenant, server and group choose the address; ids leave room for tool names', async () => {
  const { out } = await install('--mode mcp,openapi --tenant acme --group G --dry-run');
  expect(out).toContain(`${gate.origin}/t/acme/g/G/mcp`);
  expect(out).toContain(`${gate.origin}/t/acme/g/G/tools`);
  const group = await install('--mode mcp --group Tenant-AcmeCorp --server files --dry-run --json');
  const [step] = JSON.parse(group.out).steps;
  expect(step.detail).toContain(`${gate.origin}/g/Tenant-AcmeCorp/mcp/files`);
  expect(/"(.*)"/.exec(step.what)?.[1]).toMatch(/^[a-z0-9-]{1,16}$/);
});

test('an OpenAPI connection reads its description through a link, made again when it does not count any more', async () => {
  await install('--mode openapi --group G');
  expect(owui.toolServers).toMatchObject([
    { type: 'openapi', url: `${gate.origin}/g/G/tools`, path: 'openapi.json?spec=sealed1', key: 'tg_key1' },
  ]);
  owui.toolServers[0]!['path'] = 'openapi.json?spec=old';
  await install('--mode openapi --group G');
  expect(owui.toolServers).toMatchObject([{ path: 'openapi.json?spec=sealed2', key: 'tg_key1' }]);
});

test('a connection that Open WebUI cannot use is told, and how to mend it', async () => {
  await fake({ verify: () => undefined });
  const { code, out } = await install();
  expect(code).toBe(1);
  expect(rows(out)['MCP connection "toolgate"']).toMatchObject([
    ...[expect.anything(), 'failed'],
    expect.stringMatching(/Failed to create MCP client.*give --gateway-url/),
  ]);
});

test('when Toolgate itself cannot describe the tools, its reason is told', async () => {
  await fake({ verify: () => undefined });
  gate.complaint = 'The server "crm" needs a key.';
  const { out } = await install('--mode openapi --group G');
  expect(out).toContain('Saved, but not usable: The server "crm" needs a key.');
});

/** Open WebUI asks Toolgate once for the administrator; this is the record of it. */
async function sees(record: object): Promise<Record<string, readonly string[]>> {
  await fake({
    listAsMe: async () => {
      gate.records.unshift({
        ...{
          id: 'new',
          timestamp: '2026-01-01T00:00:00Z',
          requestId: 'r',
          user: 'admin@acme.com',
          tenant: null,
        },
        ...{ authSource: null, face: 'stream', method: 'POST', endpoint: '/mcp', rpcMethod: 'tools/list' },
        ...{ server: null, tool: null, outcome: 'ok', reason: null, statusCode: 200, responseTimeMs: 1 },
        ...{ bytesIn: 1, bytesOut: 1, userAgent: null, clientIp: null, credentialId: null, arguments: null },
        ...record,
      });
      return true;
    },
  });
  return rows((await install()).out);
}

test.each([
  ['signed', { authSource: 'connection-key+signed' }, 'right', 'right'],
  ['plain', { authSource: 'connection-key+plain' }, 'right', 'MISSING'],
  ['unsigned or wrongly signed', { user: null, outcome: 'unauthenticated' }, 'right', 'MISSING'],
  ['not at all', { user: 'service:open-webui', authSource: 'connection-key' }, 'MISSING', 'not seen'],
])('whether people are named is seen in what arrives: %s', async (_how, record, forward, secret) => {
  expect(await sees(record)).toMatchObject({
    ENABLE_FORWARD_USER_INFO_HEADERS: [expect.anything(), forward, expect.anything()],
    FORWARD_USER_INFO_HEADER_JWT_SECRET: [expect.anything(), secret, expect.anything()],
  });
});

test('each setting is right, missing, not used or not to be seen', async () => {
  const state = async (options: FakeOptions) => {
    await fake(options);
    const { settings } = JSON.parse((await install('--json')).out);
    return Object.fromEntries(settings.map((one: { name: string; state: string }) => [one.name, one.state]));
  };
  expect(await state({})).toMatchObject({
    ...{ version: 'right', WEBUI_SECRET_KEY: 'right', ENABLE_OAUTH_SIGNUP: 'unused' },
    ...{ ENABLE_FORWARD_USER_INFO_HEADERS: 'unseen', AIOHTTP_CLIENT_TIMEOUT_TOOL_SERVER: 'unseen' },
  });
  const right = {
    ...{ ENABLE_OAUTH_SIGNUP: true, ENABLE_OAUTH_GROUP_MANAGEMENT: true, ENABLE_OAUTH_GROUP_CREATION: true },
    ...{
      OAUTH_GROUP_CLAIM: 'groups',
      ENABLE_OAUTH_ROLE_MANAGEMENT: true,
      OAUTH_ADMIN_ROLES: 'admin,MCP-Admin',
    },
  };
  const names = Object.keys(right);
  const all = (word: string) => Object.fromEntries(names.map((name) => [name, word]));
  expect(await state({ signOn: right })).toMatchObject(all('right'));
  const wrong = { OAUTH_GROUP_CLAIM: 'memberOf', OAUTH_ADMIN_ROLES: 'MCP-Administrators' };
  expect(await state({ signOn: wrong })).toMatchObject(all('missing'));
  expect(
    await state({ secret: 't0p-s3cr3t', version: '0.9.6', features: { enable_tools: false } }),
  ).toMatchObject({ version: 'missing', WEBUI_SECRET_KEY: 'missing', ENABLE_TOOLS: 'missing' });
});

test.each([
  ['--mode nonsense', 2, 'there is no --mode nonsense'],
  ['--mode openapi', 2, 'say whose, with --group or --server'],
  ['--server No/Name', 2, '--server is not a valid name'],
  ['--server nowhere', 1, 'There is no server with this id.'],
  ['--gateway-url gate', 1, '--gateway-url must begin with http'],
  ['--token-file /nowhere/token', 1, '/nowhere/token cannot be read: there is no such file'],
  ['--token secret', 2, 'a token is not taken from the command line'],
  ['--url http://127.0.0.1:1', 1, 'Open WebUI does not answer at http://127.0.0.1:1; check --url.'],
])('"%s" ends with exit code %i and one sentence', async (line, code, sentence) => {
  const ended = await install(line);
  expect(ended).toMatchObject({ code, errors: expect.stringContaining(sentence) });
  expect(ended.errors.trim().split('\n')).toHaveLength(1);
  expect(owui.writes).toEqual([]);
});

test('something that is not Open WebUI, or somebody who is no administrator, is told apart', async () => {
  const { errors } = await install(`--url ${gate.origin}/elsewhere`);
  expect(errors).toMatch(/^toolgate: Open WebUI refuses the token/);
  const wrong = await install('', { OPEN_WEBUI_TOKEN: 'wrong' });
  expect(wrong.errors).toContain('Open WebUI refuses the token (Invalid token); give the session token');
  await fake({ role: 'user' });
  expect((await install()).errors).toContain('admin@acme.com is no administrator of this Open WebUI');
});

test('a far address without encryption is pointed out', async () => {
  const { out } = await install('--gateway-url http://gate.acme.com --dry-run');
  expect(out).toContain('http://gate.acme.com is not encrypted');
  expect((await install('--gateway-url https://gate.acme.com --dry-run')).out).not.toContain('not encrypted');
});

test('the Tool file begins with what Open WebUI reads, and imports only what it ships', async () => {
  await install();
  const { content } = owui.tools.get('toolgate')!;
  expect(content).toMatch(/^"""\ntitle: Toolgate\n(\w+: .+\n)*version: \d+\.\d+\.\d+\n(\w+: .+\n)*"""\n/);
  const imported = [...content.matchAll(/^\s*(?:from (\w+)[\w.]* import|import (\w+)$)/gm)];
  const standard = ['asyncio', 'base64', 'hashlib', 'json', 'logging', 're', 'time'];
  const more = ['collections', 'difflib', 'typing', 'urllib', 'aiohttp', 'pydantic', 'open_webui'];
  expect(imported.map(([, from, whole]) => from ?? whole ?? '').sort()).toEqual(
    [...standard, ...more].sort(),
  );
});
