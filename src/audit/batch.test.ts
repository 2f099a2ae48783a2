import { closeSync, readdirSync, readlinkSync } from 'node:fs';
import { appendFile, readFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { call, folder, noon } from '../../test/recorder-world.ts';
import { createLog } from '../platform/log.ts';
import { Batch } from './batch.ts';
import { Disk } from './disk.ts';

async function batchWorld() {
  const disk = new Disk({ clock: () => noon, log: createLog('silent'), maxBytes: 1_000_000 });
  const batch = new Batch(path.join(await folder(), 'calls-1.jsonl'), disk);
  const content = async () => readFile(batch.path, 'utf8').catch(() => '');
  const all = () => batch.records.map((record) => `${JSON.stringify(record)}\n`).join('');
  return { disk, batch, content, all };
}

/** Takes the file's number away, as a disk that says only at the end that it took nothing. */
function loseDescriptor(file: string): void {
  for (const fd of readdirSync('/proc/self/fd')) {
    let target = '';
    try {
      target = readlinkSync(`/proc/self/fd/${fd}`);
    } catch {
      continue; // It was the one of the listing itself.
    }
    if (target === file) return closeSync(Number(fd));
  }
  throw new Error(`Nobody has ${file} open.`);
}

test.runIf(process.platform === 'linux')(
  'an error when the file is closed throws nothing, is asked for once, and all of it is written anew',
  async () => {
    const { disk, batch, content, all } = await batchWorld();
    for (let at = 0; at < 3; at++) batch.add(call());
    loseDescriptor(batch.path);
    batch.close();
    batch.close();
    expect(disk.refusedSince).toEqual(new Date(noon));
    await appendFile(batch.path, 'what the disk made of it');
    await batch.keep();
    expect([await content(), disk.refusedSince]).toEqual([all(), null]);
  },
);

test('half a line behind whole ones is cut off, and the whole ones stay', async () => {
  const { batch, content, all } = await batchWorld();
  for (let at = 0; at < 3; at++) batch.add(call());
  const before = await content();
  await appendFile(batch.path, '{"id":"half');
  await batch.keep();
  expect([before, await content()]).toEqual([all(), all()]);
});

test('where there is no room for more, what is in the file stays there', async () => {
  const disk = new Disk({ clock: () => noon, log: createLog('silent'), maxBytes: 700 });
  const batch = new Batch(path.join(await folder(), 'calls-1.jsonl'), disk);
  for (let at = 0; at < 5; at++) batch.add(call());
  const before = await readFile(batch.path, 'utf8');
  expect(before.split('\n').length - 1).toBeGreaterThan(0);
  for (let at = 0; at < 3; at++) await expect(batch.keep()).rejects.toThrow();
  expect(await readFile(batch.path, 'utf8')).toBe(before);
  expect(batch.bytes).toBe(Buffer.byteLength(before));
});
