import { expect, test } from 'vitest';
import { textIn } from './read-text.ts';

const utf16le = (text: string) => Buffer.from(`\uFEFF${text}`, 'utf16le');

test.each([
  ['UTF-8', Buffer.from('clé=ü\n')],
  ['UTF-8 with a mark', Buffer.from('\uFEFFclé=ü\n')],
  ['UTF-16 of Excel', utf16le('clé=ü\n')],
  ['UTF-16, big end first', utf16le('clé=ü\n').swap16()],
])('%s is read as it was written', (_name, bytes) => {
  expect(textIn(bytes, 'keys.csv')).toBe('clé=ü\n');
});

test.each([
  ['Windows-1252', Buffer.from('a\r\nb\r\ncl\xe9-canary', 'latin1'), 3],
  ['old lines of a Mac', Buffer.from('a\rcl\xe9-canary', 'latin1'), 2],
  ['UTF-16 without a mark', Buffer.from('canary\n', 'utf16le'), 1],
  ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x61, 0, 0, 0]), 1],
  ['half a character of UTF-16', utf16le('a\n\ud800x-canary'), 2],
  ['an odd end of UTF-16', Buffer.concat([utf16le('a\nb\n'), Buffer.from('c')]), 3],
  ['what another program has damaged', Buffer.from('cl\uFFFD-canary'), 1],
])('%s is refused with its line, and not repeated', (_name, bytes, line) => {
  let thrown: unknown;
  try {
    textIn(bytes, 'keys.csv');
  } catch (error) {
    thrown = error;
  }
  expect(String(thrown)).toContain(`keys.csv is not UTF-8: line ${line} cannot be read.`);
  expect(String(thrown)).not.toContain('canary');
});
