import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from './config.ts';

const directory = mkdtempSync(path.join(tmpdir(), 'toolgate-config-'));
const file = path.join(directory, 'mcp-servers.json');
afterAll(() => rmSync(directory, { recursive: true }));

async function mistakes(text: string, env: Record<string, string> = {}): Promise<string[]> {
  writeFileSync(file, text);
  const error: unknown = await loadConfig(env, directory).then(
    () => new Error('fine'),
    (thrown: unknown) => thrown,
  );
  const [, ...lines] = error instanceof Error ? error.message.split('\n') : [];
  return lines.map((line) => line.replaceAll(file, 'file'));
}

test('variables that lead nowhere, and values that do not fit, are told with file, line and key', async () => {
  const text = `{
  "mcpServers": {
    "crm": { "url": "https://\${variable:hots}/mcp",
             "headers": { "x-org": "\${variable}" } },
    "wiki": { "url": "https://\${variable:host}/", "variables": { "host": "" } },
    "key": { "url": "https://\${credential}.acme.com/" }
  },
  "tenants": { "acme": {
    "variables": { "wiki": { "host": "wiki.acme.com/canary" },
                   "wikki": { "host": "x" },
                   "*": { "tenant": "x" } } } }
}`;
  expect(await mistakes(text.replace('"*": { "tenant": "x" }', '"*": { "other": "x" }'))).toEqual([
    'file:3:14: mcpServers.crm.url: asks for the variable "hots", which neither "variables" of the server nor a tenant names',
    'file:4:27: mcpServers.crm.headers.x-org: holds a variable that is not spelled ${variable:NAME}',
    expect.stringMatching(
      /^file:6:14: mcpServers\.key\.url: may hold only \$\{variable:NAME\} where its host/,
    ),
    expect.stringMatching(
      /^file:9:30: tenants\.acme\.variables\.wiki\.host: does not fit: the server wiki has/,
    ),
    expect.stringMatching(/^file:10:20: tenants\.acme\.variables\.wikki: names the server "wikki"/),
  ]);
  expect(await mistakes(text)).toEqual(
    expect.arrayContaining([
      'file:11:27: tenants.acme.variables["*"].tenant: is the id of the active tenant, whatever a value says',
    ]),
  );
});

test('values may come from the environment, and a URL keeps its variables', async () => {
  writeFileSync(
    file,
    `{ "mcpServers": { "crm": { "url": "https://\${variable:host}:8443/\${env:KEY}" } },
       "tenants": { "acme": { "variables": { "crm": { "host": "\${env:CRM_HOST}" } } } } }`,
  );
  const { file: read } = await loadConfig({ CRM_HOST: 'crm.acme.com', KEY: 'canary' }, directory);
  expect(read).toMatchObject({
    mcpServers: { crm: { url: 'https://${variable:host}:8443/${env:KEY}' } },
    tenants: { acme: { variables: { crm: { host: 'crm.acme.com' } } } },
  });
});
