import { mkdtemp, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, test } from 'vitest';
import { makeDirectory } from './make-directory.ts';

test('a directory is made with everything above it, for its owner alone, and once is enough', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'toolgate-dir-'));
  const deep = path.join(root, 'a', 'b', 'c');
  await makeDirectory(deep);
  await makeDirectory(deep);
  expect((await stat(deep)).mode & 0o777).toBe(0o700);
});

test('where no directory can be made, that is said at once', async () => {
  const root = await mkdtemp(path.join(tmpdir(), 'toolgate-dir-'));
  await writeFile(path.join(root, 'file'), '');
  await expect(makeDirectory(path.join(root, 'file', 'below', 'deep'))).rejects.toMatchObject({
    code: 'ENOTDIR',
  });
  if (process.platform === 'linux')
    await expect(makeDirectory('/proc/toolgate/data')).rejects.toMatchObject({ code: 'ENOENT' });
});
