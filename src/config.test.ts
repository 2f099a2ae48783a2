import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Environment, loadConfig, readConfigFile } from './config.ts';
import type { AppError } from './platform/errors.ts';

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'toolgate-config-'));
  file = path.join(directory, 'mcp-servers.json');
});

afterEach(() => {
  rmSync(directory, { recursive: true });
});

/** Every mistake, with the name of the file cut to `file`. */
async function mistakes(env: Environment = {}): Promise<string[]> {
  const error: AppError = await loadConfig(env, directory).then(
    () => expect.unreachable('this configuration is wrong'),
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: 'config_invalid' });
  return error.message
    .split('\n')
    .slice(1)
    .map((line) => line.replace(file, 'file'));
}

const secret = Buffer.alloc(32, 7).toString('base64');

test('without any setting everything has its default, and a missing file is a warning', async () => {
  const config = await loadConfig({ PORT: '', TOOLGATE_ADMIN_TOKEN: '' }, directory);
  expect(config).toMatchObject({
    PORT: 8085,
    HOST: '127.0.0.1',
    PUBLIC_URL: 'http://localhost:8085',
    TOOLGATE_CONFIG: file,
    TOOLGATE_DATA_DIR: path.join(directory, '.toolgate'),
    RATE_LIMIT_PER_MINUTE: 100,
    RATE_LIMIT_PER_IP: 1000,
    RATE_LIMIT_ENABLED: true,
    META_TOOLS_MODE: false,
    CORS_ALLOWED_ORIGINS: [],
    fileFingerprint: null,
    file: { mcpServers: {}, groups: {}, tenants: {}, users: {}, network: { allow: [] } },
  });
  expect(config.TOOLGATE_ADMIN_TOKEN).toBeUndefined();
  expect(config.warnings).toEqual([expect.stringMatching(/^There is no .*mcp-servers\.json/)]);
});

test('every variable is read', async () => {
  writeFileSync(path.join(directory, 'other.json'), '{}');
  const config = await loadConfig(
    {
      PORT: '0',
      HOST: '0.0.0.0',
      PUBLIC_URL: 'https://gate.acme.com/',
      DATABASE_URL: 'postgres://u:p@db/toolgate',
      REDIS_URL: 'rediss://cache:6379',
      TOOLGATE_CONFIG: 'other.json',
      TOOLGATE_DATA_DIR: 'data',
      TOOLGATE_MASTER_KEY: secret,
      TOOLGATE_MASTER_KEY_FILE: 'keys',
      TOOLGATE_ADMIN_TOKEN: 'x'.repeat(32),
      OPEN_WEBUI_URL: 'http://webui:8080',
      WEBUI_SECRET_KEY: 'w',
      FORWARD_USER_INFO_HEADER_JWT_SECRET: 'f',
      RATE_LIMIT_PER_MINUTE: '5',
      RATE_LIMIT_PER_IP: '6',
      RATE_LIMIT_ENABLED: 'no',
      ENABLE_API_ANALYTICS: '0',
      META_TOOLS_MODE: 'YES',
      API_GATEWAY_MODE: '1',
      CORS_ALLOWED_ORIGINS: 'https://a.acme.com, http://localhost:3000',
      DEBUG: 'true',
    },
    directory,
  );
  expect(config).toMatchObject({
    PORT: 0,
    PUBLIC_URL: 'https://gate.acme.com',
    TOOLGATE_CONFIG: path.join(directory, 'other.json'),
    TOOLGATE_DATA_DIR: path.join(directory, 'data'),
    TOOLGATE_MASTER_KEY_FILE: path.join(directory, 'keys'),
    RATE_LIMIT_ENABLED: false,
    ENABLE_API_ANALYTICS: false,
    META_TOOLS_MODE: true,
    API_GATEWAY_MODE: true,
    DEBUG: true,
    CORS_ALLOWED_ORIGINS: ['https://a.acme.com', 'http://localhost:3000'],
    warnings: [],
  });
  expect(config.TOOLGATE_MASTER_KEY).toBe(secret);
});

test.each([
  [{ PORT: '65536' }, 'PORT: must be a whole number from 0 to 65535'],
  [{ PORT: '80a' }, 'PORT: must be a whole number from 0 to 65535'],
  [{ PUBLIC_URL: 'gate.acme.com' }, 'PUBLIC_URL: must be an http:// or https:// URL'],
  [{ DATABASE_URL: 'mysql://x' }, 'DATABASE_URL: must be a postgres:// URL'],
  [{ REDIS_URL: 'cache:6379' }, 'REDIS_URL: must be a redis:// or rediss:// URL'],
  [
    { TOOLGATE_MASTER_KEY: 'c2hvcnQ=' },
    'TOOLGATE_MASTER_KEY: must be 32 bytes in base64 (make them with: openssl rand -base64 32) or what "toolgate keys wrap" prints; several are separated by commas',
  ],
  [{ RATE_LIMIT_PER_MINUTE: '0' }, 'RATE_LIMIT_PER_MINUTE: must be a whole number from 1 to 1000000'],
  [{ RATE_LIMIT_ENABLED: 'maybe' }, 'RATE_LIMIT_ENABLED: must be true, false, 1, 0, yes or no'],
  [
    { CORS_ALLOWED_ORIGINS: 'a.acme.com' },
    'CORS_ALLOWED_ORIGINS: must be origins such as https://chat.acme.com, separated by commas, or *',
  ],
])('%j is refused', async (env, line) => {
  expect(await mistakes(env)).toEqual([line]);
});

test('several master keys, and those of a key store, are taken', async () => {
  const stored = 'azure:https://acme.vault.azure.net/keys/toolgate/1#abc';
  for (const value of [`${secret},${secret}`, `${secret}\n${stored}`, stored])
    expect((await loadConfig({ TOOLGATE_MASTER_KEY: value }, directory)).TOOLGATE_MASTER_KEY).toBe(value);
});

test('the master key is never filled in where the file asks for it', async () => {
  writeFileSync(
    file,
    '{ "mcpServers": { "a": { "type": "http", "url": "https://a.acme.com", "headers": { "X": "${env:TOOLGATE_MASTER_KEY}" } } } }',
  );
  expect(await mistakes({ TOOLGATE_MASTER_KEY: secret })).toEqual([
    expect.stringContaining('"TOOLGATE_MASTER_KEY", which is not set'),
  ]);
  writeFileSync(file, '{}');
  expect(
    JSON.stringify((await loadConfig({ TOOLGATE_MASTER_KEY: secret }, directory)).variables),
  ).not.toContain(secret);
});

test('the key that old Open WebUI versions shipped with is refused', async () => {
  expect(await mistakes({ WEBUI_SECRET_KEY: 't0p-s3cr3t' })).toEqual([
    expect.stringContaining('WEBUI_SECRET_KEY: is the value that'),
  ]);
});

test('no mistake quotes a value, because it may be a secret', async () => {
  writeFileSync(
    file,
    '{ "mcpServers": { "a": { "type": "http", "url": "${env:CANARY}", "isolation": "${env:CANARY}" } } }',
  );
  const text = (
    await mistakes({
      CANARY: 'canary',
      TOOLGATE_MASTER_KEY: 'canary',
      DATABASE_URL: 'canary',
      PORT: 'canary',
    })
  ).join('\n');
  expect(text.split('\n')).toHaveLength(5);
  expect(text).not.toContain('canary');
});

test('an unknown TOOLGATE_ variable is a warning with a hint', async () => {
  writeFileSync(file, '{}');
  const { warnings } = await loadConfig(
    { TOOLGATE_CONFG: 'x', TOOLGATE_PARENT_PIPE: '3', TOOLGATE_ADMIN_TOKEN: 'short' },
    directory,
  );
  expect(warnings).toEqual([
    'TOOLGATE_CONFG is not a variable that Toolgate knows; did you mean "TOOLGATE_CONFIG"?',
    'TOOLGATE_ADMIN_TOKEN is short enough to be guessed; use 32 random characters.',
  ]);
});

test('a file that was asked for by name must exist', async () => {
  expect(await mistakes({ TOOLGATE_CONFIG: 'mcp-servers.json' })).toEqual([
    'file: does not exist; TOOLGATE_CONFIG says where the config file is',
  ]);
});

const wrongFiles: [string, string[]][] = [
  [
    '{\n  "mcpServers": {\n    "a": { "command": "x" }\n    "b": {}\n  }\n}',
    ['file:4:5: a comma is missing before this'],
  ],
  ['{ "groups": {},\n  "groups": {} }', ['file:2:3: the key "groups" is given twice']],
  ['[]', ['file:1:1: must be an object, not a list']],
  ['{\n  "mcpServer": {}\n}', ['file:2:3: mcpServer: is not a known key; did you mean "mcpServers"?']],
  [
    '{ "mcpServers": {\n  "github": {\n    "type": "http",\n    "urll": "https://x.acme.com" } } }',
    [
      'file:2:3: mcpServers.github.url: must be an http:// or https:// URL',
      'file:4:5: mcpServers.github.urll: is not a known key; did you mean "url"?',
    ],
  ],
  [
    '{ "mcpServers": { "My Server": { "command": "x" } } }',
    [
      'file:1:19: mcpServers["My Server"]: must be 1 to 24 characters of a-z, 0-9 and "-", and begin with a letter or a digit',
    ],
  ],
  [
    '{ "mcpServers": { "a": { "type": "websocket" } } }',
    ['file:1:26: mcpServers.a.type: must be "stdio", "http" or "sse"'],
  ],
  [
    '{ "mcpServers": { "a": { "command": "x", "timeoutMs": "5s" } } }',
    ['file:1:42: mcpServers.a.timeoutMs: must be a number, not a string'],
  ],
  [
    '{ "network": { "allow": ["10.0.0.0/8",\n "10.0.0.0/33"] } }',
    ['file:2:2: network.allow[1]: must be an address range such as 10.1.0.0/16'],
  ],
  [
    '{ "mcpServers": { "a": { "command": "x",\n  "args": ["a", "${env:MISSING}"] } } }',
    ['file:2:17: mcpServers.a.args[1]: needs the environment variable "MISSING", which is not set'],
  ],
];

test.each(wrongFiles)('%s is refused with file, line and key', async (text, lines) => {
  writeFileSync(file, text);
  expect(await mistakes()).toEqual(lines);
});

test('references that lead nowhere are found beside every other mistake, in the order of the file', async () => {
  writeFileSync(
    file,
    `{
  "mcpServers": {
    "broken": { "comand": "x" },
    "fine": { "command": "x", "env": { "A": "\${env:NOT_SET}" } }
  },
  "groups": {
    "Staff": { "servers": { "broken": ["*"], "fine": ["*"], "gone": ["*"] }, "tenant": "nowhere" },
  },
  "users": {
    "alice@acme.com": { "groups": ["Staff", "Stuff"], "localToken": "yes" },
  },
}`,
  );
  const found = (await mistakes({ PORT: 'x' })).map((line) => line.replace(/(: [^:]*: ).*$/, '$1').trim());
  expect(found).toEqual([
    'PORT: must be a whole number from 0 to 65535',
    'file:3:5: mcpServers.broken.command:',
    'file:3:17: mcpServers.broken.comand:',
    'file:4:40: mcpServers.fine.env.A:',
    'file:7:61: groups.Staff.servers.gone:',
    'file:7:78: groups.Staff.tenant:',
    'file:10:45: users["alice@acme.com"].groups[1]:',
    'file:10:55: users["alice@acme.com"].localToken:',
  ]);
});

test('what a server is told keeps its placeholders, because it is stored; everything else is filled in', async () => {
  writeFileSync(
    file,
    `{ "mcpServers": {
      "a": { "url": "https://a.acme.com/\${env:PATH_KEY}", "headers": { "x": "Bearer \${env:KEY} \${credential}" }, "displayName": "\${env:NAME}" },
      "b": { "url": "\${env:BASE}/mcp" },
      "c": { "command": "x", "args": ["\${env:KEY}"], "env": { "DIR": "\${env:TOOLGATE_DATA_DIR}" } } },
    "tenants": { "acme": { "displayName": "\${env:NAME}", "endpoints": { "a": "https://b.acme.com/\${env:KEY}" } } } }`,
  );
  const variables = { BASE: 'https://b.acme.com', KEY: 'canary', PATH_KEY: 'canary', NAME: 'Acme' };
  const config = await loadConfig(variables, directory);
  expect(config.variables).toEqual({ ...variables, TOOLGATE_DATA_DIR: path.join(directory, '.toolgate') });
  expect(JSON.stringify(config.file)).not.toContain('canary');
  expect(config.file).toEqual(await readConfigFile(file, variables));
  expect(config.file).toMatchObject({
    mcpServers: {
      a: {
        url: 'https://a.acme.com/${env:PATH_KEY}',
        headers: { x: 'Bearer ${env:KEY} ${credential}' },
        displayName: 'Acme',
      },
      b: { url: 'https://b.acme.com/mcp' },
      c: { args: ['${env:KEY}'], env: { DIR: '${env:TOOLGATE_DATA_DIR}' } },
    },
    tenants: { acme: { displayName: 'Acme', endpoints: { a: 'https://b.acme.com/${env:KEY}' } } },
  });
});
