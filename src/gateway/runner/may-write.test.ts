import { symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { commandsIn } from './allowed-commands.ts';
import { anyMayWrite } from './may-write.ts';

const folder = temporaryFolder({
  '.npmrc': '',
  'data/file': '',
  'program.mjs': '',
  'elsewhere/npmrc': '',
});
symlinkSync(folder, path.join(folder, 'elsewhere', 'link'));

const mayWrite = (server: object, file = '.npmrc') => {
  const text = JSON.stringify({
    mcpServers: { other: { command: 'npx' }, one: { command: 'x', ...server } },
  });
  const commands = commandsIn(text, folder);
  if (commands?.size !== 2) throw new Error('an entry is wrong');
  return anyMayWrite(path.join(folder, file), commands);
};

test.each<[string, object]>([
  ['the folder', { args: ['.'] }],
  ['what is above it', { args: ['--root=..'] }],
  ['what is above it, in an option', { args: ['--root=../'] }],
  ['the file itself', { args: ['.npmrc'] }],
  ['the folder by a link', { args: ['elsewhere/link'] }],
  ['the folder in a variable', { env: { ROOT: folder } }],
  ['the folder among what it writes', { limits: { writes: ['.'] } }],
  ['the directory that it starts in', { cwd: '.' }],
  ['what only the gate knows', { args: ['${env:ROOT}'] }],
  ['what only the gate knows, in an option', { args: ['--root=${env:ROOT}/x'] }],
  ['what only the gate knows, in a variable', { env: { ROOT: '${env:ROOT}' } }],
  ['a directory that only the gate knows', { cwd: '${env:ROOT}' }],
])('a server that names %s may write there', async (what, server) => {
  // A bare word after the equals sign is no path: no server is shown it either.
  expect(await mayWrite(server)).toBe(what !== 'what is above it');
});

test.each<[string, object]>([
  ['nothing', {}],
  ['a directory below', { args: ['./data'] }],
  ['a program beside it', { args: ['program.mjs'] }],
  ['a directory to start in below', { cwd: './data' }],
  ['a key of the gate', { env: { API_KEY: '${env:API_KEY}', GITHUB_TOKEN: '${env:TOKEN}' } }],
  ['what somebody else fills in', { args: ['${credential}'], env: { ROOT: '${credential}' } }],
  ['what may be read', { limits: { reads: ['.'] } }],
])('a server that names %s may not write there', async (_what, server) => {
  expect(await mayWrite(server)).toBe(false);
});

test('a link may be written where it leads', async () => {
  symlinkSync(path.join(folder, 'elsewhere', 'npmrc'), path.join(folder, 'data', '.npmrc'));
  expect(await mayWrite({ args: ['./elsewhere'] }, 'data/.npmrc')).toBe(true);
  expect(await mayWrite({ args: ['./elsewhere'] })).toBe(false);
});
