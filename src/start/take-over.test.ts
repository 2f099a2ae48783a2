import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../../test/temporary-folder.ts';
import { createLog } from '../platform/log.ts';
import { takeOver } from './take-over.ts';

const log = createLog('silent');

const filesIn = (folder: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => path.join(entry.parentPath, entry.name))
      .map((file) => [path.relative(folder, file), readFileSync(file, 'utf8')]),
  );

test('what every worker kept becomes that of the first one', async () => {
  const data = temporaryFolder({
    'worker-2/spill/calls-2.jsonl': 'two',
    'worker-12/spill/calls-12.jsonl': 'twelve',
    'worker-3/unsaved-tokens/a.1.json': 'three',
    'worker-2/other/x': 'is not kept',
    'worker-x/spill/calls-x.jsonl': 'is no worker',
  });
  await takeOver(data, log);
  expect(filesIn(data)).toEqual({
    'spill/calls-2.jsonl': 'two',
    'spill/calls-12.jsonl': 'twelve',
    'unsaved-tokens/a.1.json': 'three',
    'worker-2/other/x': 'is not kept',
    'worker-x/spill/calls-x.jsonl': 'is no worker',
  });
});

test('records never replace others of the same name, at this start or a later one', async () => {
  const data = temporaryFolder({
    'spill/rejected-2026-11-20.jsonl': 'one',
    'spill/rejected-2026-11-20-worker-2.jsonl': 'two, of an earlier start',
    'worker-2/spill/rejected-2026-11-20.jsonl': 'two',
    'worker-3/spill/rejected-2026-11-20.jsonl': 'three',
  });
  await takeOver(data, log);
  expect(filesIn(data)).toEqual({
    'spill/rejected-2026-11-20.jsonl': 'one',
    'spill/rejected-2026-11-20-worker-2.jsonl': 'two, of an earlier start',
    'spill/rejected-2026-11-20-worker-2-2.jsonl': 'two',
    'spill/rejected-2026-11-20-worker-3.jsonl': 'three',
  });
});

test('renewed tokens that have a name of others stay, and are taken over once those are stored', async () => {
  const files = { 'unsaved-tokens/a.1.json': 'one', 'worker-2/unsaved-tokens/a.1.json': 'two' };
  const data = temporaryFolder({ ...files, 'worker-2/unsaved-tokens/b.1.json': 'another' });
  await takeOver(data, log);
  expect(filesIn(data)).toEqual({ ...files, 'unsaved-tokens/b.1.json': 'another' });
});

test('a folder that is in the way is left, and keeps nobody from the others', async () => {
  const data = temporaryFolder({
    spill: 'a file',
    'worker-2/spill/calls-2.jsonl': 'two',
    'worker-2/unsaved-tokens/a.1.json': 'two',
  });
  await takeOver(data, log);
  expect(filesIn(data)).toEqual({
    spill: 'a file',
    'worker-2/spill/calls-2.jsonl': 'two',
    'unsaved-tokens/a.1.json': 'two',
  });
});

test('there is nothing to take over where nothing was ever kept', async () => {
  const data = path.join(temporaryFolder(), 'not-there-yet');
  await takeOver(data, log);
  expect(() => readdirSync(data)).toThrow(/ENOENT/);
});
