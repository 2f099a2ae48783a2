import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { z } from 'zod';
import { generatedFiles, staleFiles } from '../scripts/docs.ts';
import { loadConfig } from '../src/config.ts';
import { parseJsonc } from '../src/platform/jsonc.ts';

const root = path.resolve(import.meta.dirname, '..');
const editor = z.fromJSONSchema(JSON.parse(generatedFiles()['docs/mcp-servers.schema.json'] ?? ''));

test('the generated pages are current', () => {
  expect(staleFiles()).toEqual([]);
});

test('the shipped file is valid here and for editors, and makes tokens for its three users', async () => {
  const { file, warnings } = await loadConfig({}, root);
  expect(warnings).toEqual([]);
  expect(Object.keys(file.mcpServers)).toEqual(['everything', 'files', 'memory', 'thinking']);
  const tokens = Object.entries(file.users).map(([email, { localToken }]) => [email, localToken]);
  expect(tokens).toEqual([
    ['alice@acme.com', true],
    ['bob@acme.com', true],
    ['admin@acme.com', true],
  ]);
  const text = readFileSync(path.join(root, 'mcp-servers.json'), 'utf8');
  expect(editor.safeParse(parseJsonc(text).value).error).toBeUndefined();
});

test.each([
  [true, 'a URL without a type', { url: 'https://a.acme.com' }],
  [true, 'a URL from the environment', { url: '${env:URL}' }],
  [true, 'another spelling of http', { type: 'streamable-http', url: 'https://a.acme.com' }],
  [false, 'a misspelled key', { urll: 'https://a.acme.com' }],
  [false, 'neither command nor URL', {}],
])('editors are told %s about %s', (fine, _name, server) => {
  expect(editor.safeParse({ mcpServers: { a: server } }).success).toBe(fine);
});
