import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { createLog } from '../../platform/log.ts';
import { directoryName, makeOwnDirectories, removeTemporary } from './data-directory.ts';
import { sweep, type SweeperOptions } from './sweeper.ts';

const days = 24 * 3_600_000;
const alice = { server: 'notes', tenant: 'acme', scope: 'user:alice@acme.com' };
const bob = { server: 'notes', tenant: 'acme', scope: 'user:bob@acme.com' };
const everybody = { server: 'notes', tenant: null, scope: '' };

/** What three owners have left, whose last processes ended a hundred days ago. */
async function left() {
  const folder = temporaryFolder({ 'runner/': '' });
  const root = path.join(folder, 'runner');
  for (const owner of [alice, bob, everybody]) {
    const own = await makeOwnDirectories(root, owner, { id: 'x', user: null });
    writeFileSync(path.join(own.home, 'notes.txt'), 'kept');
    await removeTemporary(own);
  }
  const age = (name: string, ms: number) => {
    const then = new Date(Date.now() - ms);
    utimesSync(path.join(root, name), then, then);
  };
  for (const name of readdirSync(root)) age(name, 100 * days);
  const options: SweeperOptions = {
    ...{ root, keepDays: 90, packages: undefined, log: createLog('silent') },
    processes: { inUse: () => new Set() },
  };
  return { folder, root, age, options };
}

test('what owners keep goes when they had no process for as long as the operator says', async () => {
  const { root, age, options } = await left();
  age(directoryName(bob), 89 * days);
  await sweep(options, Date.now());
  expect(readdirSync(root)).toEqual([directoryName(bob)]);
});

test('a process that starts, and one that ends, begins the time anew', async () => {
  const { root, age, options } = await left();
  const own = await makeOwnDirectories(root, alice, { id: 'y', user: null });
  await sweep(options, Date.now());
  expect(readdirSync(root)).toEqual([directoryName(alice)]);
  age(directoryName(alice), 100 * days);
  await removeTemporary(own);
  await sweep(options, Date.now());
  expect(existsSync(path.join(own.home, 'notes.txt'))).toBe(true);
});

test('what a process uses stays, however old it is', async () => {
  const { root, options } = await left();
  const inUse = () => new Set([directoryName(alice)]);
  await sweep({ ...options, processes: { inUse } }, Date.now());
  expect(readdirSync(root)).toEqual([directoryName(alice)]);
});

test('with 0 days nothing ever goes', async () => {
  const { root, options } = await left();
  await sweep({ ...options, keepDays: 0 }, Date.now() + 1_000 * days);
  expect(readdirSync(root)).toHaveLength(3);
});

test('links lead nowhere: neither one among the directories nor one that a server has left', async () => {
  const { folder, root, options } = await left();
  mkdirSync(path.join(folder, 'outside'));
  writeFileSync(path.join(folder, 'outside', 'file'), 'x');
  symlinkSync(path.join(folder, 'outside'), path.join(root, 'linked'));
  symlinkSync(path.join(folder, 'outside'), path.join(root, directoryName(alice), 'home', 'link'));
  await sweep(options, Date.now());
  expect(readdirSync(root)).toEqual(['linked']);
  expect(existsSync(path.join(folder, 'outside', 'file'))).toBe(true);
});
