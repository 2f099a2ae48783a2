import { chmod, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { keptSecret, randomSecret, readIfThere } from './kept-secret.ts';

let dir = '';
beforeEach(async () => {
  dir = await mkdtemp(path.join(tmpdir(), 'kept-'));
});
afterEach(() => rm(dir, { recursive: true }));

const modeOf = async (file: string) => (await stat(file)).mode & 0o777;

test('a secret is made once and found again', async () => {
  let made = 0;
  const make = () => `secret-${++made}`;
  const inner = path.join(dir, 'not', 'there', 'yet');
  expect(await keptSecret(inner, 'token', make)).toBe('secret-1');
  expect(await keptSecret(inner, 'token', make)).toBe('secret-1');
  expect(await keptSecret(inner, 'other', make)).toBe('secret-2');
  expect(await readFile(path.join(inner, 'token'), 'utf8')).toBe('secret-1\n');
});

test('only its owner may read it, or the folder that was made for it', async () => {
  const inner = path.join(dir, 'data');
  await keptSecret(inner, 'token', randomSecret);
  expect(await modeOf(path.join(inner, 'token'))).toBe(0o600);
  expect(await modeOf(inner)).toBe(0o700);
});

test('a file that was left empty is written anew, and for its owner alone', async () => {
  const file = path.join(dir, 'token');
  await writeFile(file, '\n', { mode: 0o644 });
  expect(await keptSecret(dir, 'token', () => 'made')).toBe('made');
  expect(await modeOf(file)).toBe(0o600);
});

test('a file that cannot be read is an error, not a reason for another secret', async () => {
  await expect(readIfThere(dir)).rejects.toThrow('EISDIR');
  expect(await readIfThere(path.join(dir, 'none'))).toBeUndefined();
  if (process.getuid?.() === 0) return;
  const file = path.join(dir, 'token');
  await writeFile(file, 'secret');
  await chmod(file, 0o000);
  await expect(keptSecret(dir, 'token', () => 'other')).rejects.toThrow('EACCES');
});

test('a failure to make one leaves no file', async () => {
  await expect(keptSecret(dir, 'token', () => Promise.reject(new Error('no')))).rejects.toThrow('no');
  expect(await readIfThere(path.join(dir, 'token'))).toBeUndefined();
});

test('random secrets differ and fit into a header', () => {
  const secrets = new Set(Array.from({ length: 100 }, randomSecret));
  expect(secrets.size).toBe(100);
  for (const secret of secrets) expect(secret).toMatch(/^[A-Za-z0-9_-]{43}$/);
});
