import { expect, test } from 'vitest';
import { serverDefinition } from '../../src/access/contract.ts';
import { accessFile } from '../../src/access/contract.ts';
import type { Format } from './plan.ts';
import { readPlan } from './read-plan.ts';

function plan(file: unknown, format?: Format, taken: string[] = []) {
  return readPlan(typeof file === 'string' ? file : JSON.stringify(file), format, new Set(taken));
}

function only(file: unknown, format?: Format) {
  const found = plan(file, format);
  expect(found.servers).toHaveLength(1);
  return { ...found, ...found.servers[0]! };
}

const told = (file: unknown) => plan(file).notes.map(({ kind, about, text }) => `${kind} ${about}: ${text}`);

test.each<[Format, unknown]>([
  ['claude', { mcpServers: { files: { command: 'npx', args: ['-y', 'x'] } } }],
  ['vscode', { servers: { files: { type: 'stdio', command: 'npx' } } }],
  ['vscode', { mcp: { servers: { files: { command: 'npx' } } } }],
  ['cursor', { mcpServers: { files: { command: 'npx', envFile: '.env' } } }],
  ['mcpo', { mcpServers: { files: { command: 'npx', disabledTools: ['rm'] } } }],
  ['metamcp', { mcpServers: { files: { type: 'STDIO', command: 'npx' } } }],
  ['tenants', { files: { tenant_id: 'files', mcp_endpoint: 'https://mcp.acme.com/mcp' } }],
])('a file of %s is recognized', (format, file) => {
  expect(plan(file).format).toBe(format);
});

test('comments and trailing commas are read, and a file that is no JSON names the line', () => {
  expect(only('{ // mine\n "servers": { "a": { "command": "x", }, } }').id).toBe('a');
  expect(() => plan('{\n"servers": {\n"a": }')).toThrow(/line 3/);
  expect(() => plan('{"other": 1}')).toThrow(/No servers were found/);
  expect(() => plan('[]')).toThrow(/no JSON object/);
});

test('a secret leaves the file: the entry holds a placeholder, the key its value', () => {
  const { entry, keys } = only({
    mcpServers: {
      github: {
        command: 'docker',
        args: ['run', '-i', '--rm', '-e', 'GITHUB_PERSONAL_ACCESS_TOKEN', 'ghcr.io/github/github-mcp-server'],
        env: { GITHUB_PERSONAL_ACCESS_TOKEN: 'ghp_0123456789', GITHUB_TOOLSETS: 'issues' },
      },
    },
  });
  expect(entry['env']).toEqual({
    GITHUB_PERSONAL_ACCESS_TOKEN: '${credential}',
    GITHUB_TOOLSETS: 'issues',
  });
  expect(keys).toEqual([{ name: 'default', value: 'ghp_0123456789' }]);
});

test('two secrets get names of their own, one that stands twice is one key', () => {
  const { entry, keys } = only({
    mcpServers: {
      datadog: {
        url: 'https://mcp.datadoghq.com/v1/mcp',
        headers: { DD_API_KEY: 'aaa111', DD_APPLICATION_KEY: 'bbb222', 'X-Api-Key': 'aaa111' },
      },
    },
  });
  expect(keys).toEqual([
    { name: 'DD_API_KEY', value: 'aaa111' },
    { name: 'DD_APPLICATION_KEY', value: 'bbb222' },
    { name: 'X-Api-Key', value: 'aaa111' },
  ]);
  expect(entry['headers']).toEqual({
    DD_API_KEY: '${credential:DD_API_KEY}',
    DD_APPLICATION_KEY: '${credential:DD_APPLICATION_KEY}',
    'X-Api-Key': '${credential:X-Api-Key}',
  });
});

test.each([
  ['Bearer abc', 'Bearer ${credential}', 'abc'],
  ['Token token=abc', 'Token token=${credential}', 'abc'],
  ['Sentry-Bearer abc', 'Sentry-Bearer ${credential}', 'abc'],
  ['abc', '${credential}', 'abc'],
])('the scheme of the header %s stays', (value, template, secret) => {
  const { entry, keys } = only({
    mcpServers: { a: { url: 'https://a.acme.com/mcp', headers: { Authorization: value } } },
  });
  expect(entry['headers']).toEqual({ Authorization: template });
  expect(keys).toEqual([{ name: 'default', value: secret }]);
});

test('secrets in arguments, in URLs and in connection strings are found', () => {
  const args = only({ mcpServers: { a: { command: 'x', args: ['--api-key=s3cret', '--region', 'eu'] } } });
  expect(args.entry['args']).toEqual(['--api-key=${credential}', '--region', 'eu']);
  const next = only({ mcpServers: { a: { command: 'x', args: ['--token', 's3cret'] } } });
  expect(next.entry['args']).toEqual(['--token', '${credential}']);
  const database = only({ mcpServers: { a: { command: 'x', args: ['postgres://me:pw@db/x'] } } });
  expect(database.entry['args']).toEqual(['${credential}']);
  const url = only({ mcpServers: { a: { url: 'https://a.acme.com/mcp?apiKey=s3cret&mode=ro' } } });
  expect(url.entry['url']).toBe('https://a.acme.com/mcp?apiKey=${credential}&mode=ro');
  for (const { entry, keys } of [args, next, database, url]) {
    expect(JSON.stringify(entry)).not.toMatch(/s3cret|:pw@/);
    expect(keys).toHaveLength(1);
  }
});

test('what documentation puts in place of a secret is not stored, and is told', () => {
  const { keys, notes } = only({ mcpServers: { a: { command: 'x', env: { API_KEY: '<your key>' } } } });
  expect(keys).toEqual([]);
  expect(notes).toContainEqual(expect.objectContaining({ kind: 'todo', about: 'a' }));
});

test('inputs of VS Code become keys and variables', () => {
  const { entry, keys, notes } = only({
    inputs: [
      { id: 'pat', type: 'promptString', description: 'Token', password: true },
      { id: 'host', type: 'promptString', description: 'Host', default: 'gitlab.com' },
    ],
    servers: {
      gitlab: {
        type: 'http',
        url: 'https://${input:host}/api/v4/mcp',
        headers: { Authorization: 'Bearer ${input:pat}' },
      },
    },
  });
  expect(entry).toMatchObject({
    url: 'https://${variable:host}/api/v4/mcp',
    headers: { Authorization: 'Bearer ${credential}' },
    variables: { host: 'gitlab.com' },
  });
  expect(keys).toEqual([]);
  expect(notes.some(({ text }) => text.includes('"pat"'))).toBe(true);
});

test.each([
  ['${HOME_DIR}', '${env:HOME_DIR}'],
  ['${env:HOME_DIR}', '${env:HOME_DIR}'],
  ['${userHome}/x', '${env:HOME}/x'],
  ['${workspaceFolder}/data', './data'],
  ['${REGION:-eu}', '${variable:REGION}'],
])('the placeholder %s becomes %s', (text, expected) => {
  const { entry } = only({ mcpServers: { a: { command: 'x', args: [text] } } });
  expect(entry['args']).toEqual([expected]);
});

test('a server behind mcp-remote is reached directly', () => {
  const { entry, keys } = only({
    mcpServers: {
      linear: {
        command: 'npx',
        args: [
          '-y',
          'mcp-remote@latest',
          'https://mcp.linear.app/sse',
          '--header',
          'Authorization: Bearer ${T}',
        ],
        env: { T: 'lin_api_1234' },
      },
    },
  });
  expect(entry).toEqual({
    type: 'sse',
    url: 'https://mcp.linear.app/sse',
    headers: { Authorization: 'Bearer ${credential}' },
  });
  expect(keys).toEqual([{ name: 'default', value: 'lin_api_1234' }]);
});

test('one that wants a sign-in gets accounts of users', () => {
  const remote = only({
    mcpServers: { a: { command: 'npx', args: ['mcp-remote', 'https://a.acme.com/mcp'] } },
  });
  expect(remote.entry['account']).toEqual({ kind: 'oauth' });
  const cursor = only({
    mcpServers: {
      a: {
        url: 'https://a.acme.com/mcp',
        auth: { CLIENT_ID: 'id1', CLIENT_SECRET: 'cs-secret', scopes: ['read'] },
      },
    },
  });
  expect(cursor.entry['account']).toEqual({ kind: 'oauth', clientId: 'id1', scopes: ['read'] });
  expect(cursor.keys).toEqual([{ name: 'oauth-client-secret', value: 'cs-secret' }]);
});

test('an export of MetaMCP keeps its bearer token as a key', () => {
  const { entry, keys } = only({
    mcpServers: {
      Exa: {
        type: 'STREAMABLE_HTTP',
        url: 'https://mcp.exa.ai/mcp',
        bearerToken: 'exa-1',
        description: 'Search',
      },
    },
  });
  expect(entry).toEqual({
    type: 'http',
    url: 'https://mcp.exa.ai/mcp',
    headers: { Authorization: 'Bearer ${credential}' },
    description: 'Search',
  });
  expect(keys).toEqual([{ name: 'default', value: 'exa-1' }]);
});

test('tools that are switched off, and servers that are, stay so', () => {
  const { entry } = only({
    mcpServers: { a: { command: 'x', disabled: true, disabledTools: ['rm'], includeTools: ['ls', 'rm'] } },
  });
  expect(entry).toMatchObject({ enabled: false, tools: ['ls', 'rm', '!rm'] });
});

test('everything that is not carried over is told', () => {
  const notes = told({
    mcpServers: {
      a: { command: 'x', autoApprove: ['*'], timeout: 30, envFile: '.env', whatever: 1 },
      b: { description: 'nothing' },
      c: 7,
    },
  });
  for (const word of [
    'autoApprove',
    'timeout',
    'envFile',
    'whatever',
    'neither a command nor a URL',
    'no object',
  ])
    expect(notes.join('\n')).toContain(word);
});

test('ids fit, and never take the place of a server that is there', () => {
  const { servers } = plan(
    {
      mcpServers: {
        'My Server (prod)': { command: 'a' },
        my_server_prod: { command: 'b' },
        'A very long name that no id could ever hold': { command: 'c' },
        日本: { command: 'd' },
        github: { command: 'e' },
      },
    },
    undefined,
    ['github'],
  );
  expect(servers.map(({ id }) => id)).toEqual([
    'my-server-prod',
    'my-server-prod-2',
    'a-very-long-name-that-no',
    'server',
    'github-2',
  ]);
});

test('tenants.json of the first system becomes servers and grants; nobody gets more than was allowed', () => {
  const { servers, groups, users, notes } = plan({
    google: {
      tenant_id: 'google',
      display_name: 'Google tools',
      mcp_endpoint: 'http://google-mcp:8001/mcp',
      enabled: true,
      allowed_users: ['*@google.com', 'Bob@acme.com', '*'],
      allowed_groups: ['MCP-Google'],
    },
    off: { tenant_id: 'off', mcp_endpoint: 'https://off.acme.com/sse', enabled: false },
    wrong: { tenant_id: 'wrong', mcp_endpoint: 'stdio' },
  });
  expect(servers.map(({ id, entry }) => [id, entry])).toEqual([
    ['google', { type: 'http', url: 'http://google-mcp:8001/mcp', displayName: 'Google tools' }],
    ['off', { type: 'sse', url: 'https://off.acme.com/sse', enabled: false }],
  ]);
  expect([...groups]).toEqual([['MCP-Google', ['google']]]);
  expect([...users]).toEqual([
    ['*@google.com', ['google']],
    ['bob@acme.com', ['google']],
  ]);
  expect(notes.map(({ about, kind }) => `${kind} ${about}`)).toEqual([
    'lost google',
    'todo off',
    'lost wrong',
  ]);
});

test('whatever comes out is valid in our config file', () => {
  const { servers } = plan({
    mcpServers: {
      a: { type: 'STREAMABLE_HTTP', url: 'https://a.acme.com/mcp', bearerToken: 't' },
      b: { type: 'SSE', url: 'https://b.acme.com/x', headers: { 'X-Key': 'k' } },
      c: { command: 'npx', args: [1, true, 'x'], env: { A: 1 } },
      d: { command: 'npx', args: ['mcp-remote', 'https://d.acme.com/mcp'] },
    },
  });
  const file = accessFile.parse({
    mcpServers: Object.fromEntries(servers.map(({ id, entry }) => [id, entry])),
  });
  for (const definition of Object.values(file.mcpServers)) serverDefinition.parse(definition);
  expect(Object.keys(file.mcpServers)).toEqual(['a', 'b', 'c', 'd']);
});
