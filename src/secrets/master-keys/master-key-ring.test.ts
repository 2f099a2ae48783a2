import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../../platform/log.ts';
import type { KeySource } from './sources/contract.ts';
import { keyStoreRefused } from './master-key-errors.ts';
import { type KeyRing, loadKeyRing } from './master-key-ring.ts';

async function setup() {
  const root = await mkdtemp(path.join(tmpdir(), 'toolgate-key-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const dataDir = path.join(root, 'data');
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const asked: string[] = [];
  const load = (value?: string, file?: string) =>
    loadKeyRing({
      value,
      file,
      dataDir,
      log,
      openSource: async (name) => (name === 'fake' ? fake(asked) : undefined),
    });
  return { root, dataDir, file: path.join(dataDir, 'master.key'), lines, load, asked };
}

/** Unwraps `fake:<hex of the key>`, as long as it is not asked to fail. */
function fake(asked: string[]): KeySource {
  return {
    isEntry: (entry) => /^fake:(?:[0-9a-f]{64}|away)$/.test(entry),
    async unwrap(entry) {
      asked.push(entry);
      if (entry === 'fake:away') throw keyStoreRefused('The fake store is away.');
      return Buffer.from(entry.slice('fake:'.length), 'hex');
    },
    wrap: async (_place, key) => `fake:${key.toString('hex')}`,
  };
}

const newKey = () => randomBytes(32).toString('base64');
const ids = (ring: KeyRing) => ring.held().map(({ key }) => key.id);
const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

test('a key from the environment is taken, as base64 and as base64url, and no file is made', async () => {
  const { load, dataDir } = await setup();
  const bytes = Buffer.from('fbff'.repeat(16), 'hex'); // Holds "+" and "/" in base64.
  const rings = await Promise.all([
    load(bytes.toString('base64')),
    load(bytes.toString('base64url')),
    load(` ${bytes.toString('base64')}\n`),
  ]);
  expect(new Set(rings.flatMap(ids)).size).toBe(1);
  expect(ids(rings[0])[0]).toMatch(/^[0-9a-f]{8}$/);
  expect(rings[0].kind).toBe('environment');
  await expect(stat(dataDir)).rejects.toThrow('ENOENT');
});

test.each([', ', ',', ' ', '\n', '\n\n\t,'])(
  'several are separated by %j, and keep their order',
  async (between) => {
    const { load } = await setup();
    const texts = [newKey(), newKey(), newKey()];
    const single = await Promise.all(texts.map((text) => load(text)));
    expect(ids(await load(texts.join(between)))).toEqual(single.flatMap(ids));
    expect(ids(await load([...texts, ...texts].join(between)))).toEqual(single.flatMap(ids));
  },
);

test.each([
  'x',
  'not base64!',
  randomBytes(31).toString('base64'),
  randomBytes(33).toString('base64'),
  randomBytes(32).toString('hex'),
  `${newKey()}, canary`,
  'fake:canary',
  'unknown:canary',
])('the key %j is refused with how to make one, and is not repeated', async (value) => {
  const { load, lines } = await setup();
  const error = await load(value).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'master_key_invalid' });
  expect(String(error)).toContain('openssl rand -base64 32');
  const printed = inspect(error) + lines.join();
  for (const part of value.split(', ')) if (part.length > 5) expect(printed).not.toContain(part);
});

test('a wrong one among several is named by its place', async () => {
  const { load } = await setup();
  await expect(load(`${newKey()} ${newKey()} x`)).rejects.toThrow(
    'TOOLGATE_MASTER_KEY is not a master key in entry 3',
  );
});

test('without one a key is made once, readable by its owner only, with one warning', async () => {
  const { load, file, dataDir, lines } = await setup();
  const first = await load();
  const second = await load('');
  expect(ids(second)).toEqual(ids(first));
  expect(first.kind).toBe('data-directory');
  expect(await modeOf(file)).toBe(0o600);
  expect(await modeOf(dataDir)).toBe(0o700);
  expect(await readdir(dataDir)).toEqual(['master.key']);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain((await readFile(file, 'utf8')).trim());
});

test('programs that start at once agree on one key', async () => {
  const { load } = await setup();
  const rings = await Promise.all(Array.from({ length: 8 }, () => load()));
  expect(new Set(rings.flatMap(ids)).size).toBe(1);
});

test('a key is added to our own file, behind the others, and other processes find it there', async () => {
  const { load, file, dataDir, lines } = await setup();
  const [ring, other] = [await load(), await load()];
  const [first] = ids(ring);
  const added = await ring.add();
  expect(ids(ring)).toEqual([first, added?.id]);
  expect(await modeOf(file)).toBe(0o600);
  expect(await readdir(dataDir)).toEqual(['master.key']);
  expect(ids(other)).toEqual([first]);
  await other.reload();
  expect(ids(other)).toEqual([first, added?.id]);
  expect(ids(await load())).toEqual([first, added?.id]);
  for (const entry of (await readFile(file, 'utf8')).split('\n')) {
    if (entry !== '') expect(lines.join()).not.toContain(entry);
  }
});

test('no key is added to the environment, nor to a file that is not ours', async () => {
  const { load, root } = await setup();
  const file = path.join(root, 'given');
  await writeFile(file, `${newKey()}\n`, { mode: 0o400 });
  const before = await readFile(file, 'utf8');
  const rings = [await load(newKey()), await load(undefined, file)];
  expect(await Promise.all(rings.map((ring) => ring.add()))).toEqual([null, null]);
  expect(rings.map(({ kind }) => kind)).toEqual(['environment', 'file']);
  expect(await readFile(file, 'utf8')).toBe(before);
});

test('a file that is not ours is read, left as it is, and read again when it has changed', async () => {
  const { load, root, lines, dataDir } = await setup();
  const file = path.join(root, 'given');
  const texts = [newKey(), newKey()];
  await writeFile(file, `${texts[0]}\n`);
  await chmod(file, 0o444);
  const ring = await load(undefined, file);
  expect(lines.join()).toContain('open to every user');
  expect(await modeOf(file)).toBe(0o444);
  await rm(file);
  await writeFile(file, texts.join('\n'));
  await ring.reload();
  expect(ids(ring)).toHaveLength(2);
  await writeFile(file, 'damaged');
  await ring.reload();
  await rm(file);
  await ring.reload();
  expect(ids(ring)).toHaveLength(2);
  await expect(stat(dataDir)).rejects.toThrow('ENOENT');
});

test('the environment comes before a file, and a file before the data directory', async () => {
  const { load, root } = await setup();
  const file = path.join(root, 'given');
  await writeFile(file, newKey());
  const kinds = [await load(newKey(), file), await load(undefined, file), await load()].map(
    ({ kind }) => kind,
  );
  expect(kinds).toEqual(['environment', 'file', 'data-directory']);
  await expect(load(undefined, path.join(root, 'nothing'))).rejects.toMatchObject({
    code: 'master_key_unusable',
  });
});

test('a key file that others may read is tightened and warned about', async () => {
  const { load, file, lines } = await setup();
  await load();
  await chmod(file, 0o644);
  await load();
  expect(await modeOf(file)).toBe(0o600);
  expect(lines).toHaveLength(2);
});

test('a damaged key file is an error and stays as it is', async () => {
  const { load, file } = await setup();
  await load();
  await writeFile(file, 'damaged');
  await expect(load()).rejects.toMatchObject({ code: 'master_key_invalid' });
  expect(await readFile(file, 'utf8')).toBe('damaged');
});

test('a data folder that cannot be used is one clear error', async () => {
  const { dataDir, load } = await setup();
  await writeFile(dataDir, 'a file');
  await expect(load()).rejects.toMatchObject({ code: 'master_key_unusable' });
});

test('a key store is asked once for each entry, however often the file is read', async () => {
  const { load, root, asked } = await setup();
  const file = path.join(root, 'given');
  const wrapped = `fake:${randomBytes(32).toString('hex')}`;
  await writeFile(file, wrapped);
  const ring = await load(undefined, file);
  expect(ring.held().map(({ source }) => source)).toEqual(['fake']);
  await writeFile(file, `${newKey()}\n${wrapped}\n`);
  await ring.reload();
  expect(ring.held().map(({ source }) => source)).toEqual([null, 'fake']);
  expect(asked).toEqual([wrapped]);
});

test('a key store that is away leaves the other keys, and alone it is an error that says why', async () => {
  const { load, lines } = await setup();
  const ring = await load(`fake:away ${newKey()}`);
  expect(ids(ring)).toHaveLength(1);
  expect(ring.problems()).toEqual(['The fake store is away.']);
  expect(lines.join()).toContain('The fake store is away.');
  const alone = load('fake:away');
  await expect(alone).rejects.toMatchObject({ code: 'master_key_unusable' });
  await expect(alone).rejects.toThrow('The fake store is away.');
});
