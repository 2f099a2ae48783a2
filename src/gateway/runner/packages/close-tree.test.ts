import { execFileSync } from 'node:child_process';
import { chmodSync, chownSync, existsSync, lstatSync, statSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../../test/temporary-folder.ts';
import { closeTree } from './close-tree.ts';

const mode = (file: string) => (lstatSync(file).mode & 0o7777).toString(8);
const isRoot = process.getuid?.() === 0;

test('everybody may read and run what was installed, and its owner alone may write', async () => {
  const folder = temporaryFolder({ 'files/a/run': 'x'.repeat(10_000), 'files/a/text': 'x', 'files/b/': '' });
  const at = (name: string) => path.join(folder, 'files', name);
  chmodSync(at('a/run'), 0o6777);
  chmodSync(at('a/text'), 0o600);
  chmodSync(at('b'), 0o1777);
  expect(await closeTree(at('.'))).toBeGreaterThanOrEqual(10_000);
  expect(['a', 'a/run', 'a/text', 'b'].map((name) => mode(at(name)))).toEqual(['755', '755', '644', '755']);
});

test('links are left alone with what they lead to, and pipes go', async () => {
  const folder = temporaryFolder({ 'outside/secret': 'x', 'files/': '' });
  const at = (name: string) => path.join(folder, name);
  for (const one of ['outside', 'outside/secret']) chmodSync(at(one), 0o700);
  symlinkSync(at('outside'), at('files/directory'));
  symlinkSync(at('outside/secret'), at('files/file'));
  symlinkSync(at('nowhere'), at('files/nothing'));
  execFileSync('/bin/sh', ['-c', 'mkfifo "$1"', 'sh', at('files/pipe')]);
  await closeTree(at('files'));
  expect(['outside', 'outside/secret'].map((name) => mode(at(name)))).toEqual(['700', '700']);
  expect(lstatSync(at('files/directory')).isSymbolicLink()).toBe(true);
  expect(existsSync(at('files/pipe'))).toBe(false);
});

test.skipIf(!isRoot)('what another user has installed is not that user’s any more', async () => {
  const folder = temporaryFolder({ 'files/a/x': '', outside: '' });
  const at = (name: string) => path.join(folder, name);
  symlinkSync(at('outside'), at('files/link'));
  for (const one of ['files', 'files/a', 'files/a/x', 'outside']) chownSync(at(one), 12_345, 12_345);
  await closeTree(at('files'));
  expect(['files', 'files/a', 'files/a/x'].map((one) => statSync(at(one)).uid)).toEqual([0, 0, 0]);
  expect(statSync(at('outside')).uid).toBe(12_345);
});
