import { existsSync, mkdirSync, readdirSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { asAnotherUser } from '../../../test/another-user.ts';
import { temporaryFolder } from '../../../test/temporary-folder.ts';
import { createLog } from '../../platform/log.ts';
import { directoryName, makeOwnDirectories, newestUse, removeTemporary } from './data-directory.ts';
import { steadyTime, sweep, type SweeperOptions } from './sweeper.ts';

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

test.skipIf(process.getuid?.() !== 0)('what cannot be removed keeps nothing else there', () => {
  const root = temporaryFolder({ 'a/kept/': '', 'b/home/file': 'x', 'c/home/': '' });
  const said = asAnotherUser(root, {
    module: new URL('./sweeper.ts', import.meta.url),
    script: `
      const said = [];
      const log = { info: () => {}, error: ({ err }) => said.push(err.code) };
      const o = { root: process.cwd(), keepDays: 90, packages: undefined, log, processes: { inUse: () => new Set() } };
      await module.sweep(o, Date.now() + 100 * 24 * 3_600_000);
      console.log(JSON.stringify([said, fs.readdirSync('.').length]));`,
    others: ['a/kept'],
  });
  expect(JSON.parse(said)).toEqual([['EPERM'], 1]);
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

test('packages that cannot be looked through keep nobody’s old files there', async () => {
  const { root, options } = await left();
  const packages = { sweep: () => Promise.reject(new Error('EIO')) };
  await sweep({ ...options, packages }, Date.now());
  expect(readdirSync(root)).toEqual([]);
});

test('a time that goes on by itself: a clock that is set makes nothing old', async () => {
  const { root, age } = await left();
  age(directoryName(bob), 3 * days);
  const newest = (await newestUse(root)) ?? 0;
  const wall = Date.now();
  expect(wall - newest).toBeGreaterThan(2 * days);
  const near = (time: number) => Math.round((time - wall) / days);
  expect(near(steadyTime(wall, newest)())).toBe(0);
  expect(near(steadyTime(wall, undefined)())).toBe(0);
  // Set a year ahead, before the start: not even what has been unused for 89 days is as old as 96.
  expect(near(steadyTime(wall + 365 * days, newest)())).toBe(4);
});
