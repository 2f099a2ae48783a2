import {
  chmodSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { FileChanged, replaceFile } from './replace-file.ts';

let directory: string;
let file: string;
beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'toolgate-replace-'));
  file = path.join(directory, 'mcp-servers.json');
});
afterEach(() => rmSync(directory, { recursive: true }));

const modeOf = (name: string) => statSync(name).mode & 0o777;

test('a file that is made here is for its owner alone', async () => {
  await replaceFile(file, null, '{}');
  expect(modeOf(file)).toBe(0o600);
  expect(readdirSync(directory)).toEqual(['mcp-servers.json']);
});

test('a file that is there keeps its rights, and a link to it stays a link', async () => {
  writeFileSync(file, 'old');
  chmodSync(file, 0o664);
  const link = path.join(directory, 'link.json');
  symlinkSync(file, link);
  await replaceFile(link, Buffer.from('old'), 'new');
  expect([readFileSync(file, 'utf8'), modeOf(file)]).toEqual(['new', 0o664]);
  expect(readdirSync(directory)).toEqual(['link.json', 'mcp-servers.json']);
});

test('links that somebody has laid out beside it are not followed', async () => {
  const victim = path.join(directory, 'victim');
  writeFileSync(victim, 'untouched');
  for (const name of ['.mcp-servers.json.import', '.mcp-servers.json.draft'])
    symlinkSync(victim, path.join(directory, name));
  await replaceFile(file, null, '{}');
  expect(readFileSync(victim, 'utf8')).toBe('untouched');
});

test.each([
  ['was changed', Buffer.from('old'), 'of somebody else'],
  ['has come', null, 'of somebody else'],
])('a file that %s meanwhile is left as it is', async (_what, before, now) => {
  writeFileSync(file, now);
  await expect(replaceFile(file, before, 'mine')).rejects.toBeInstanceOf(FileChanged);
  expect(readFileSync(file, 'utf8')).toBe(now);
  expect(readdirSync(directory)).toEqual(['mcp-servers.json']);
});

test('a file that went away meanwhile does not come back', async () => {
  await expect(replaceFile(file, Buffer.from('old'), 'mine')).rejects.toBeInstanceOf(FileChanged);
  expect(readdirSync(directory)).toEqual([]);
});
