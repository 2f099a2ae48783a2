import { execFileSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { asAnotherUser } from '../../../test/another-user.ts';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { removeTree } from './remove-tree.ts';

test('a tree goes whose paths are longer than the system takes', async () => {
  const root = temporaryFolder({ 'a/file': 'x' });
  const dig =
    "const name = 'd'.repeat(200); for (let n = 0; n < 200; n++) { fs.mkdirSync(name); process.chdir(name); }";
  execFileSync(process.execPath, ['-e', dig], { cwd: path.join(root, 'a') });
  await removeTree(path.join(root, 'a'));
  expect(readdirSync(root)).toEqual([]);
});

test('links go, and what they lead to stays as it is', async () => {
  const root = temporaryFolder({ 'a/b/': '', 'outside/file': 'x' });
  const outside = path.join(root, 'outside');
  chmodSync(outside, 0o755);
  symlinkSync(outside, path.join(root, 'a', 'b', 'link'));
  symlinkSync(outside, path.join(root, 'link'));
  await removeTree(path.join(root, 'a'));
  await removeTree(path.join(root, 'link'));
  expect(readdirSync(root)).toEqual(['outside']);
  expect(existsSync(path.join(outside, 'file'))).toBe(true);
  expect(statSync(outside).mode & 0o777).toBe(0o755);
});

test('names go that are no text, and what is not there is gone already', async () => {
  const root = temporaryFolder();
  const name = Buffer.concat([Buffer.from(`${root}/a/`), Buffer.from([0xff, 0xfe])]);
  mkdirSync(path.join(root, 'a'));
  mkdirSync(name);
  writeFileSync(Buffer.concat([name, Buffer.from('/file')]), 'x');
  await Promise.all([removeTree(path.join(root, 'a')), removeTree(path.join(root, 'b'))]);
  expect(readdirSync(root)).toEqual([]);
});

test('somebody else may remove a part of it meanwhile', async () => {
  const files = Object.fromEntries([...Array(50).keys()].map((n) => [`a/${n}/${n}/file`, 'x']));
  const root = temporaryFolder(files);
  await Promise.all(['a/7', 'a', 'a/9/9'].map((name) => removeTree(path.join(root, name))));
  expect(readdirSync(root)).toEqual([]);
});

test('directories go that their owner has closed to itself', () => {
  const root = temporaryFolder({ 'a/b/c/file': 'x', 'a/d/file': 'x' });
  asAnotherUser(root, {
    module: new URL('./remove-tree.ts', import.meta.url),
    script: `
      for (const name of ['a/b/c', 'a/b', 'a/d', 'a']) fs.chmodSync(name, 0o111);
      await module.removeTree(process.cwd() + '/a');`,
  });
  expect(readdirSync(root)).toEqual([]);
});
