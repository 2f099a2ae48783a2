import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { inspect } from 'node:util';
import { expect, onTestFinished, test } from 'vitest';
import { createLog } from '../platform/log.ts';
import { deriveKey, loadMasterKey } from './master-key.ts';

async function setup() {
  const root = await mkdtemp(path.join(tmpdir(), 'toolgate-key-'));
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  const dataDir = path.join(root, 'data');
  const lines: string[] = [];
  const log = createLog('debug', { write: (line) => void lines.push(line) });
  const load = (value?: string) => loadMasterKey({ value, dataDir, log });
  return { dataDir, file: path.join(dataDir, 'master.key'), lines, load };
}

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

test('a key from the environment is taken, as base64 and as base64url, and no file is made', async () => {
  const { load, dataDir } = await setup();
  const bytes = Buffer.from('fbff'.repeat(16), 'hex'); // Holds "+" and "/" in base64.
  const ids = await Promise.all([
    load(bytes.toString('base64')),
    load(bytes.toString('base64url')),
    load(` ${bytes.toString('base64')}\n`),
  ]);
  expect(new Set(ids.map((key) => key.id)).size).toBe(1);
  expect(ids[0]?.id).toMatch(/^[0-9a-f]{8}$/);
  await expect(stat(dataDir)).rejects.toThrow('ENOENT');
});

test.each([
  'x',
  'not base64!',
  randomBytes(31).toString('base64'),
  randomBytes(33).toString('base64'),
  randomBytes(32).toString('hex'),
])('the key %j is refused with how to make one, and is not repeated', async (value) => {
  const { load } = await setup();
  const error = await load(value).catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({ code: 'master_key_invalid' });
  expect(String(error)).toContain('openssl rand -base64 32');
  if (value.length > 5) expect(inspect(error)).not.toContain(value);
});

test('without one a key is made once, readable by its owner only, with one warning', async () => {
  const { load, file, dataDir, lines } = await setup();
  const first = await load();
  const second = await load('');
  expect(second.id).toBe(first.id);
  expect(await modeOf(file)).toBe(0o600);
  expect(await modeOf(dataDir)).toBe(0o700);
  expect(await readdir(dataDir)).toEqual(['master.key']);
  expect(lines).toHaveLength(1);
  expect(lines[0]).not.toContain((await readFile(file, 'utf8')).trim());
});

test('programs that start at once agree on one key', async () => {
  const { load } = await setup();
  const keys = await Promise.all(Array.from({ length: 8 }, () => load()));
  expect(new Set(keys.map((key) => key.id)).size).toBe(1);
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

test('a key prints as its id, however it is printed', async () => {
  const { load, lines } = await setup();
  const bytes = randomBytes(32);
  const key = await load(bytes.toString('base64'));
  const log = createLog('info', { write: (line) => void lines.push(line) });
  log.info({ key, nested: { key } }, String(key));
  const printed = [
    String(key),
    JSON.stringify({ key }),
    inspect(key, { depth: 9, showHidden: true }),
    inspect({ ...key }, { depth: 9, showHidden: true }),
    ...lines,
  ].join('\n');
  for (const form of ['base64', 'base64url', 'hex'] as const)
    expect(printed).not.toContain(bytes.toString(form));
  expect(String(key)).toBe(`[master key ${key.id}]`);
});

test('derived keys are the same for one purpose and differ between purposes and master keys', async () => {
  const { load } = await setup();
  const [one, other] = [await load(randomBytes(32).toString('base64')), await load()];
  expect(deriveKey(one, 'sessions')).toHaveLength(32);
  expect(deriveKey(one, 'sessions')).toEqual(deriveKey(one, 'sessions'));
  const all = [
    deriveKey(one, 'sessions'),
    deriveKey(one, 'state'),
    deriveKey(other, 'sessions'),
    one.sealing.export(),
  ];
  expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(4);
});
