import { mkdirSync, mkdtempSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createLog } from './log.ts';
import { type FileWatch, fingerprint, watchFile } from './watch-file.ts';

let directory: string;
let file: string;
let watches: FileWatch[];

beforeEach(() => {
  directory = mkdtempSync(path.join(tmpdir(), 'toolgate-watch-'));
  file = path.join(directory, 'settings.json');
  watches = [];
});

afterEach(async () => {
  await Promise.all(watches.map((watch) => watch.close()));
  rmSync(directory, { recursive: true });
});

/** Watches `target`, whose content is known to be `known`, and notes what is reported; the first `failures` reports throw. */
function start(target: string, known: string | null, failures = 0) {
  const seen: string[] = [];
  const calls = { count: 0 };
  const report = (text: string) => {
    calls.count++;
    if (calls.count <= failures) throw new Error('not now');
    seen.push(text);
  };
  const watch = watchFile(target, {
    known: known === null ? null : fingerprint(known),
    log: createLog('silent'),
    settleMs: 10,
    pollMs: 50,
    onText: async (text) => report(text),
    onGone: () => report('gone'),
  });
  watches.push(watch);
  return { seen, calls, watch };
}

test('a changed file is reported, however it was written, and one that says the same again is not', async () => {
  writeFileSync(file, 'a');
  const { seen } = start(file, 'a');
  writeFileSync(file, 'a');
  writeFileSync(file, 'b');
  await vi.waitFor(() => expect(seen).toEqual(['b']), 5000);
  writeFileSync(file, 'b');
  writeFileSync(`${file}.tmp`, 'c');
  renameSync(`${file}.tmp`, file);
  await vi.waitFor(() => expect(seen).toEqual(['b', 'c']), 5000);
});

test('a file that appears, disappears and comes back is reported each time', async () => {
  const { seen } = start(file, null);
  writeFileSync(file, 'a');
  await vi.waitFor(() => expect(seen).toEqual(['a']), 5000);
  rmSync(file);
  await vi.waitFor(() => expect(seen).toEqual(['a', 'gone']), 5000);
  writeFileSync(file, 'a');
  await vi.waitFor(() => expect(seen).toEqual(['a', 'gone', 'a']), 5000);
});

test('a swapped symlink, as Kubernetes mounts a config map, is a change', async () => {
  for (const version of ['v1', 'v2']) {
    mkdirSync(path.join(directory, version));
    writeFileSync(path.join(directory, version, 'settings.json'), version);
  }
  symlinkSync('v1', path.join(directory, '..data'));
  symlinkSync(path.join('..data', 'settings.json'), file);
  const { seen } = start(file, 'v1');
  symlinkSync('v2', path.join(directory, '..data_tmp'));
  renameSync(path.join(directory, '..data_tmp'), path.join(directory, '..data'));
  await vi.waitFor(() => expect(seen).toEqual(['v2']), 5000);
});

test('a change that cannot be taken over now is tried again', async () => {
  writeFileSync(file, 'a');
  const { seen, calls } = start(file, 'a', 2);
  writeFileSync(file, 'b');
  await vi.waitFor(() => expect(seen).toEqual(['b']), 5000);
  expect(calls.count).toBe(3);
});

test('a directory that cannot be watched is no failure, and nothing is reported after closing', async () => {
  const { seen, watch } = start(path.join(directory, 'nowhere', 'settings.json'), null);
  await watch.close();
  mkdirSync(path.join(directory, 'nowhere'));
  writeFileSync(path.join(directory, 'nowhere', 'settings.json'), 'late');
  expect(seen).toEqual([]);
});
