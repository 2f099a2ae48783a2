// Config files of mcpo, as its README shows them, are config files of Toolgate.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { loadConfig } from './config.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'toolgate-mcpo-'));
});
afterEach(() => {
  rmSync(directory, { recursive: true });
});

async function load(text: string) {
  const file = path.join(directory, 'mcp-servers.json');
  writeFileSync(file, text);
  const { file: config, warnings } = await loadConfig({}, directory);
  return { servers: config.mcpServers, notes: warnings.map((note) => note.replace(file, 'file')) };
}

async function mistakes(text: string): Promise<string[]> {
  const error: unknown = await load(text).catch((thrown: unknown) => thrown);
  return String(error)
    .split('\n')
    .slice(1)
    .map((line) => line.replace(path.join(directory, 'mcp-servers.json'), 'file'));
}

const example = `{
  "mcpServers": {
    "memory": {
      "command": "npx",
      "args": ["-y", "@modelcontextprotocol/server-memory"]
    },
    "time": {
      "command": "uvx",
      "args": ["mcp-server-time", "--local-timezone=America/New_York"],
      "disabledTools": ["convert_time"] // Disable specific tools if needed
    },
    "mcp_sse": {
      "type": "sse", // Explicitly define type
      "url": "http://127.0.0.1:8001/sse",
      "headers": {
        "Authorization": "Bearer token",
        "X-Custom-Header": "value"
      }
    },
    "mcp_streamable_http": {
      "type": "streamable-http",
      "url": "http://127.0.0.1:8002/mcp"
    } // Streamable HTTP MCP Server
  }
}`;

test('the example of its README works, and says which servers have another name', async () => {
  const { servers, notes } = await load(example);
  expect(servers).toMatchObject({
    memory: { type: 'stdio', command: 'npx' },
    time: { tools: ['*', '!convert_time'] },
    'mcp-sse': { type: 'sse', url: 'http://127.0.0.1:8001/sse', headers: { Authorization: 'Bearer token' } },
    'mcp-streamable-http': { type: 'http', url: 'http://127.0.0.1:8002/mcp' },
  });
  expect(Object.keys(servers)).toHaveLength(4);
  expect(notes).toEqual([
    'file:12:5: mcpServers.mcp_sse: is the server "mcp-sse" here; URLs of the OpenAPI face take either name',
    'file:20:5: mcpServers.mcp_streamable_http: is the server "mcp-streamable-http" here; URLs of the OpenAPI face take either name',
  ]);
});

test('OAuth and forwarded headers are taken with a note, because they mean nothing here', async () => {
  const { servers, notes } = await load(`{ "mcpServers": {
    "oauth-protected-server": {
      "type": "streamable-http", "url": "http://localhost:8000/mcp",
      "oauth": { "server_url": "http://localhost:8000" },
      "client_header_forwarding": { "enabled": true, "whitelist": ["Authorization"] } },
    "quiet": { "command": "x", "client_header_forwarding": { "enabled": false } } } }`);
  expect(servers).toMatchObject({
    'oauth-protected-server': { type: 'http', headers: {} },
    quiet: { command: 'x' },
  });
  expect(JSON.stringify(servers)).not.toMatch(/oauth"|forwarding/);
  expect(notes).toEqual([
    expect.stringMatching(/^file:4:7: mcpServers\.oauth-protected-server\.oauth: is not carried over: /),
    expect.stringMatching(
      /^file:5:7: mcpServers\.oauth-protected-server\.client_header_forwarding: is not carried over: /,
    ),
  ]);
});

test.each([
  ['"type": "sse", "url": "http://a.acme.com/mcp"', 'sse'],
  ['"url": "http://a.acme.com/sse"', 'sse'],
  ['"url": "http://a.acme.com/sse/"', 'sse'],
  ['"url": "http://a.acme.com/mcp"', 'http'],
  ['"type": "streamable_http", "url": "http://a.acme.com/sse"', 'http'],
  ['"type": "streamablehttp", "url": "http://a.acme.com/x"', 'http'],
])('a server with %s is reached by %s', async (entry, type) => {
  const { servers } = await load(`{ "mcpServers": { "a": { ${entry} } } }`);
  expect(servers).toMatchObject({ a: { type } });
});

test('tools are disabled in both spellings, beside patterns of our own, by those of the first', async () => {
  const { servers } = await load(`{ "mcpServers": {
    "a": { "command": "x", "disabled_tools": ["one", "two"] },
    "b": { "command": "x", "disabledTools": ["one"], "disabled_tools": ["two"], "tools": ["get_*"] },
    "c": { "command": "x", "disabledTools": [] } } }`);
  expect(servers).toMatchObject({
    a: { tools: ['*', '!one', '!two'] },
    b: { tools: ['get_*', '!one'] },
    c: { command: 'x' },
  });
  expect(servers).not.toHaveProperty('c.tools');
});

test('mistakes name file, line and key', async () => {
  expect(
    await mistakes(`{ "mcpServers": {
    "a": { "command": "x", "disabledTools": "one" },
    "b": { "command": "x", "disabled_tools": [1] },
    "c": { "command": "x", "oauth": true },
    "d_e": { "command": "x" },
    "d-e": { "command": "y" },
    "too_long_a_name_for_a_server": { "command": "x" } } }`),
  ).toEqual([
    'file:2:28: mcpServers.a.disabledTools: must be a list of names of tools',
    'file:3:28: mcpServers.b.disabled_tools: must be a list of names of tools',
    'file:4:28: mcpServers.c.oauth: must be an object',
    'file:6:5: mcpServers.d-e: is the same server as "d_e": both stand for "d-e"',
    'file:7:5: mcpServers.too_long_a_name_for_a_server: must be 1 to 24 characters of a-z, 0-9 and "-", and begin with a letter or a digit',
  ]);
});

test('groups and tenants may name a server as the file does', async () => {
  const { servers } = await load(`{ "mcpServers": { "My_Server": { "command": "x" } },
    "groups": { "a": { "servers": ["My_Server"] }, "b": { "servers": { "my-server": ["*"] } } },
    "tenants": { "t": { "endpoints": { "My_Server": "http://a.acme.com" } } } }`);
  expect(servers).toHaveProperty('my-server');
});
