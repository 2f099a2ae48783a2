import { existsSync, mkdirSync, readdirSync, utimesSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { asAnotherUser } from '../../../../test/another-user.ts';
import { temporaryFolder } from '../../../../test/temporary-folder.ts';
import { createLog } from '../../../platform/log.ts';
import type { InstallJob } from './install.ts';
import { PackageShelf } from './shelf.ts';

const searched = [temporaryFolder({ npm: '', uv: '' })];
const mayBeWritten = () => Promise.resolve(false);
const days = 24 * 3_600_000;
const open: PackageShelf[] = [];
afterEach(async () => {
  for (const shelf of open.splice(0)) await shelf.close();
});

/** What npm would leave of a package with one program. */
async function pretend({ asked: { name }, files }: InstallJob): Promise<number> {
  const bin = path.join(files, 'node_modules', '.bin');
  mkdirSync(path.join(files, 'node_modules', name), { recursive: true });
  mkdirSync(bin);
  const manifest = { name, version: '1.0.0', bin: { [name]: 'x' } };
  writeFileSync(path.join(files, 'node_modules', name, 'package.json'), JSON.stringify(manifest));
  writeFileSync(path.join(bin, name), '');
  return 100;
}

function shelfOf(o: {
  readonly install?: (job: InstallJob) => Promise<number>;
  readonly mostBytes?: number;
  readonly patience?: number;
  readonly root?: string;
}) {
  const root = o.root ?? temporaryFolder();
  const installed: string[] = [];
  const shelf = new PackageShelf({
    ...{ searched, log: createLog('silent'), patience: 30_000, ...o, root },
    install: (job) => {
      installed.push(job.asked.spec);
      return (o.install ?? pretend)(job);
    },
  });
  open.push(shelf);
  const take = (spec: string, more = {}) =>
    shelf.take({
      ...{ server: 'srv', command: 'npx', args: ['-y', spec], env: {}, cwd: null, mayBeWritten },
      ...more,
    });
  return { shelf, root, installed, take };
}

/** As if it had last been used that long ago. */
function age(root: string, name: string, ms: number): void {
  const key = readdirSync(root).find((one) => one.startsWith(`${name}.`)) ?? '';
  const then = new Date(Date.now() - ms);
  utimesSync(path.join(root, key, 'made.json'), then, then);
}
const names = (root: string) => readdirSync(root).map((one) => one.replace(/\..*$/, ''));

test('a package is fetched once, however many ask and however often', async () => {
  const { take, installed } = shelfOf({});
  const all = await Promise.all([1, 2, 3, 4, 5].map(() => take('a@1.0.0')));
  expect(new Set(all.map((one) => one?.program)).size).toBe(1);
  expect(existsSync((await take('a@1.0.0'))?.program ?? '')).toBe(true);
  expect(installed).toEqual(['a@1.0.0']);
});

test('it outlives the runner; what was begun and not ended is begun anew', async () => {
  const { take, root, shelf } = shelfOf({});
  await take('a@1.0.0');
  await shelf.close();
  const next = shelfOf({ root });
  await next.take('a@1.0.0');
  expect(next.installed).toEqual([]);
  mkdirSync(path.join(root, 'half.123', 'files'), { recursive: true });
  await next.shelf.sweep(Date.now());
  expect(names(root)).toEqual(['a']);
});

test('other versions, and other settings of npm, are other packages', async () => {
  const { take, installed } = shelfOf({});
  const cwd = temporaryFolder({ '.npmrc': 'registry=https://npm.acme.com/' });
  const all = [await take('a@1.0.0'), await take('a@1.0.1'), await take('a@1.0.0', { cwd })];
  expect(new Set(all.map((one) => one?.files)).size).toBe(3);
  expect(installed).toEqual(['a@1.0.0', 'a@1.0.1', 'a@1.0.0']);
});

test('settings of npm that are nobody else’s keep a package from being everybody’s', async () => {
  const { take, installed } = shelfOf({});
  const cwd = temporaryFolder({ '.npmrc': 'registry=https://npm.acme.com/' });
  expect(await take('a@1.0.0', { cwd, mayBeWritten: () => Promise.resolve(true) })).toBeUndefined();
  expect(installed).toEqual([]);
});

test('a package is fetched with the settings that it is kept under, though they change meanwhile', async () => {
  const cwd = temporaryFolder({ '.npmrc': 'registry=https://npm.acme.com/' });
  const used: (string | undefined)[] = [];
  const { take } = shelfOf({
    install: async (job) => {
      writeFileSync(path.join(cwd, '.npmrc'), 'registry=https://evil.acme.com/');
      used.push(job.npmrc);
      return pretend(job);
    },
  });
  await take('a@1.0.0', { cwd });
  expect(used).toEqual(['registry=https://npm.acme.com/']);
});

test('one that takes long is told, and is there later', async () => {
  const { promise: until, resolve: finish } = Promise.withResolvers<void>();
  const { take, installed } = shelfOf({
    patience: 1,
    install: async (job) => {
      await until;
      return pretend(job);
    },
  });
  const told = 'The package a@1.0.0 of the server "srv" is being fetched for the first time';
  await expect(take('a@1.0.0')).rejects.toThrow(told);
  await expect(take('a@1.0.0')).rejects.toMatchObject({ kind: 'busy' });
  finish();
  await expect.poll(() => take('a@1.0.0').catch(() => undefined)).toBeDefined();
  expect(installed).toEqual(['a@1.0.0']);
});

test('one that cannot be fetched is told to everybody, and tried again later, not at once', async () => {
  const { take, installed } = shelfOf({ install: () => Promise.reject(new Error('404')) });
  for (let n = 0; n < 3; n++) await expect(take('a@1.0.0')).rejects.toMatchObject({ kind: 'unreachable' });
  expect(installed).toEqual(['a@1.0.0']);
});

test('what could not be fetched is told of the server of whoever asks, never of another one’s', async () => {
  const { promise: until, resolve: fail } = Promise.withResolvers<void>();
  const { take } = shelfOf({ install: () => until.then(() => Promise.reject(new Error('404'))) });
  const told = (server: string) => take('a@1.0.0', { server }).then(() => 'fetched', String);
  const waiting = ['one', 'two'].map(told);
  fail();
  const all = [...(await Promise.all(waiting)), await told('three')];
  expect(all.map((text) => /server "(\w+)"/.exec(text)?.[1])).toEqual(['one', 'two', 'three']);
});

test('nothing is left of what could not be fetched', async () => {
  const { take, root } = shelfOf({
    install: async (job) => {
      await pretend(job);
      throw new Error('the network went');
    },
  });
  await expect(take('a@1.0.0')).rejects.toThrow('could not be fetched');
  expect(readdirSync(root)).toEqual([]);
});

test('what an installation has closed to its owner keeps the package from nobody, and goes', () => {
  const said = asAnotherUser(temporaryFolder(), {
    module: new URL('./shelves.ts', import.meta.url),
    script: `
      const said = [];
      const log = { info: () => {}, error: ({ err }) => said.push(err.code) };
      const shelves = new module.Shelves(process.cwd(), log);
      const place = shelves.place('a.1');
      const release = shelves.hold('a.1');
      for (let n = 0; n < 2; n++) {
        await shelves.begin(place);
        fs.mkdirSync(place.files + '/closed/deeper', { recursive: true });
        for (const one of [place.files + '/closed', place.files]) fs.chmodSync(one, 0o111);
      }
      release();
      fs.mkdirSync('b.1');
      await shelves.sweep(Date.now());
      console.log(JSON.stringify([said, fs.readdirSync('.')]));`,
  });
  expect(JSON.parse(said)).toEqual([[], []]);
});

test('one whose program nobody can name is left to its fetcher, and not fetched again', async () => {
  const { take, installed } = shelfOf({ install: () => Promise.resolve(1) });
  expect(await take('a@1.0.0')).toBeUndefined();
  expect(await take('a@1.0.0')).toBeUndefined();
  expect(installed).toEqual(['a@1.0.0']);
});

test('without npm, or with another command, there is nothing to share', async () => {
  const { take, installed } = shelfOf({});
  expect(await take('a', {})).toBeUndefined();
  expect(await take('', { command: 'docker', args: ['run', '-i', 'a:1.0.0'] })).toBeUndefined();
  const bare = new PackageShelf({
    ...{ root: temporaryFolder(), searched: [temporaryFolder()], log: createLog('silent'), install: pretend },
  });
  open.push(bare);
  const wish = { server: 'srv', args: ['a@1.0.0'], env: {}, cwd: null, mayBeWritten };
  expect(await bare.take({ ...wish, command: 'npx' })).toBeUndefined();
  expect(installed).toEqual([]);
});

test('there is no more on the disk than there may be: the one that nobody has used longest goes', async () => {
  const { take, root } = shelfOf({ mostBytes: 250 });
  for (const name of ['a', 'b', 'c']) (await take(`${name}@1.0.0`))?.release();
  age(root, 'a', 1 * days);
  age(root, 'b', 3 * days);
  age(root, 'c', 2 * days);
  (await take('d@1.0.0'))?.release();
  expect(names(root).sort()).toEqual(['a', 'c', 'd']);
});

test('no more than there is room for is fetched, however many are asked for at once', async () => {
  const { take, installed } = shelfOf({ mostBytes: 250 });
  const all = await Promise.all([...Array(20).keys()].map((n) => take(`p${n}@1.0.0`)));
  // Two at a time may each take the last room.
  expect(installed.length).toBeLessThanOrEqual(4);
  expect(all.filter(Boolean)).toHaveLength(installed.length);
});

test('where everything is in use and there is no room, the next one is left to its fetcher', async () => {
  const { take, root, installed } = shelfOf({ mostBytes: 150 });
  await take('a@1.0.0');
  const b = await take('b@1.0.0');
  expect(await take('c@1.0.0')).toBeUndefined();
  expect(names(root)).toEqual(['a', 'b']);
  b?.release();
  expect(await take('c@1.0.0')).toBeDefined();
  expect(installed).toEqual(['a@1.0.0', 'b@1.0.0', 'c@1.0.0']);
});

test('what nobody has started for a month goes, what somebody runs does not, however old', async () => {
  const { take, root, shelf } = shelfOf({});
  (await take('old@1.0.0'))?.release();
  const running = await take('running@1.0.0');
  (await take('young@1.0.0'))?.release();
  for (const name of ['old', 'running']) age(root, name, 31 * days);
  age(root, 'young', 29 * days);
  await shelf.sweep(Date.now());
  expect(names(root).sort()).toEqual(['running', 'young']);
  running?.release();
  running?.release();
  await shelf.sweep(Date.now());
  expect(names(root)).toEqual(['young']);
});

test('a runner that ends does not wait for what it fetches', async () => {
  const { take, shelf } = shelfOf({
    install: ({ signal }) =>
      new Promise((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  const waiting = expect(take('a@1.0.0')).rejects.toThrow('could not be fetched');
  await Promise.resolve();
  await shelf.close();
  await waiting;
});
