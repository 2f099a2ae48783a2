import { parseEnv } from 'node:util';
import { expect, test } from 'vitest';
import { parseEnvFile } from './env-file.ts';

const values = (text: string) =>
  Object.fromEntries(parseEnvFile(text).map(({ name, value }) => [name, value]));

test.each([
  ['A=b', { A: 'b' }],
  ['export A=b\n\n# B=c\n  C = d  \r\n', { A: 'b', C: 'd' }],
  ['A="b c"\nB=\'d "e"\'\nC=`f \'g\'`', { A: 'b c', B: 'd "e"', C: "f 'g'" }],
  ['A=b#c\nB=b #c\nC="b #c" # d\nD=#c\nE=', { A: 'b#c', B: 'b', C: 'b #c', D: '', E: '' }],
  ['A="-----BEGIN\nKEY-----\n"\nB=1', { A: '-----BEGIN\nKEY-----\n', B: '1' }],
  ['A="b\\nc\\"d\\\\e\\x"\nB=\'b\\nc\'', { A: 'b\nc"d\\e\\x', B: 'b\\nc' }],
  ['A=b=c==\nB=$HOME ${A}', { A: 'b=c==', B: '$HOME ${A}' }],
  ['\uFEFFA=b', { A: 'b' }],
  ['', {}],
])('%j holds %j', (text, expected) => {
  expect(values(text)).toEqual(expected);
});

test('lines that Node reads are read alike', () => {
  const text = [
    'A=b',
    'export B=c',
    'C="d e"',
    "D='f g'",
    'E=h # i',
    'F="j\nk"',
    'G=',
    '# H=l',
    'I="m" # n',
    'J=o=p',
  ].join('\n');
  expect(values(text)).toEqual({ ...parseEnv(text) });
});

test('an assignment knows the line that it begins on', () => {
  const text = '# one\nA=1\n\nB="x\ny"\nC=2';
  expect(parseEnvFile(text).map(({ name, line }) => [name, line])).toEqual([
    ['A', 2],
    ['B', 4],
    ['C', 6],
  ]);
});

test.each([
  ['A=1\nsecret-by-itself', 2],
  ['A="secret', 1],
  ['A="secret" more', 1],
  ['1A=secret', 1],
])('%j is a mistake in line %i, and what stands there is not repeated', (text, line) => {
  let thrown: unknown;
  try {
    parseEnvFile(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ line });
  expect(String(thrown)).not.toContain('secret');
});

test('a long line is read in a time that grows with its length alone', () => {
  const spaces = ' '.repeat(400_000);
  expect(values(`A=b${spaces}c\nB="${'\\"'.repeat(200_000)}"`)).toMatchObject({ A: `b${spaces}c` });
});
