import { expect, test } from 'vitest';
import { Lookalikes, mixesScripts, skeleton } from './lookalikes.ts';

test.each([
  ['read_file', 'r\u0435\u0430d_file'],
  ['read_file', 'ｒｅａｄ＿ｆｉｌｅ'],
  ['list_items', '1ist_items'],
  ['list_Items', 'list_ltems'],
  ['t00l', 'tool'],
  ['get\u2010it', 'get-it'],
  ['pay', '\u0440\u0430\u0443'],
  ['read\u200b_file', 'read_file'],
])('%s and %s look the same', (a, b) => {
  expect(a).not.toBe(b);
  expect(skeleton(a)).toBe(skeleton(b));
});

test.each([
  ['read_file', 'read_files'],
  ['read_file', 'readFile'],
  ['get_v1', 'get_v2'],
  ['add', 'Add'],
  ['list', 'iist'],
])('%s and %s do not', (a, b) => {
  expect(skeleton(a)).not.toBe(skeleton(b));
});

test('a name that looks like another is flagged whichever came first, across servers', () => {
  const fake = 'r\u0435ad_file';
  const all = new Lookalikes([
    { server: 'files', tool: 'read_file' },
    { server: 'evil', tool: fake },
    { server: 'files', tool: 'write_file' },
  ]);
  expect(all.flagsOf(fake)).toEqual([
    'Its name mixes letters of two scripts that look alike.',
    'Its name looks like "read_file" of the server files, and is another.',
  ]);
  expect(all.flagsOf('read_file')).toEqual([
    `Its name looks like "${fake}" of the server evil, and is another.`,
  ]);
  expect(all.flagsOf('write_file')).toEqual([]);
});

test('the same name at two servers is no lookalike', () => {
  const all = new Lookalikes([
    { server: 'a', tool: 'search' },
    { server: 'b', tool: 'search' },
  ]);
  expect(all.flagsOf('search')).toEqual([]);
});

test('a name of one other script is not mixed', () => {
  expect([mixesScripts('файл_1'), mixesScripts('read_файл')]).toEqual([false, true]);
});
