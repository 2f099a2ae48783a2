import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { loadConfig } from './config.ts';

const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

async function load(entry: Record<string, unknown>) {
  const file = path.join(folder, 'mcp-servers.json');
  const whole = { name: 'Ours', description: 'Our tools', ...entry };
  writeFileSync(file, JSON.stringify({ catalog: [whole] }, null, 2));
  const env = { TOOLGATE_CONFIG: file, SECRET: 'canary' };
  return loadConfig(env, folder).then(
    ({ file: { catalog } }) => catalog,
    (error: Error) => error.message,
  );
}

const remote = {
  type: 'streamable-http',
  url: 'https://{host}/mcp',
  variables: [{ name: 'host', description: 'Host' }],
};

test('entries of the config file are read, with what they leave out filled in', async () => {
  expect(await load({ id: 'ours', transports: [remote] })).toEqual([
    expect.objectContaining({ id: 'ours', category: 'other', replaces: false, maintainer: 'community' }),
  ]);
});

test.each<[string, Record<string, unknown>, string]>([
  ['a shipped id', { id: 'github', transports: [remote] }, 'catalog[0].id: is the id of a shipped entry'],
  ['a key that nobody knows', { id: 'ours', transports: [remote], command: 'sh' }, 'catalog[0].command'],
  [
    'a variable of the environment in an argument',
    { id: 'ours', transports: [{ type: 'stdio', runtime: 'npx', package: 'x', args: ['${env:SECRET}'] }] },
    'catalog[0].transports[0].args[0]: must not hold "${"',
  ],
  [
    'a variable of the environment in a description',
    { id: 'ours', description: '${env:SECRET}', transports: [remote] },
    'catalog[0].description: must not hold "${"',
  ],
  [
    'a field without a place',
    { id: 'ours', transports: [{ ...remote, url: 'https://a.acme.com' }] },
    'is filled in nowhere',
  ],
])('%s is a mistake with its place, and quotes no secret', async (_, entry, expected) => {
  const message = await load(entry);
  expect(message).toMatch(/^The configuration has (a mistake|2 mistakes):\n.*:\d+:\d+: /);
  expect(message).toContain(expected);
  expect(message).not.toContain('canary');
});
