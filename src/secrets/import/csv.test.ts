import { expect, test } from 'vitest';
import { parseCsv } from './csv.ts';

const cells = (text: string) => parseCsv(text).map((record) => record.cells);

test.each([
  [
    'a,b\n1,2\n',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'a,b\r\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'a,b\r1,2\r',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    '\uFEFFa,b\n1,2',
    [
      ['a', 'b'],
      ['1', '2'],
    ],
  ],
  [
    'a;b\n1;2,3',
    [
      ['a', 'b'],
      ['1', '2,3'],
    ],
  ],
  [
    'a\tb\n1\t2;3,4',
    [
      ['a', 'b'],
      ['1', '2;3,4'],
    ],
  ],
  [
    '"a,x,y";b\n1;2,3',
    [
      ['a,x,y', 'b'],
      ['1', '2,3'],
    ],
  ],
  [
    'a;b\r1;2\t3',
    [
      ['a', 'b'],
      ['1', '2\t3'],
    ],
  ],
  [
    'a,b\n1,2;3',
    [
      ['a', 'b'],
      ['1', '2;3'],
    ],
  ],
  [
    'a,b\n,\n\n,2\n\n',
    [
      ['a', 'b'],
      ['', '2'],
    ],
  ],
  [
    '"a","b"\n"1,""x""",2',
    [
      ['a', 'b'],
      ['1,"x"', '2'],
    ],
  ],
  ['a\n"line one\nline two\r\n"', [['a'], ['line one\nline two\r\n']]],
  [
    'a,b\n"",""""',
    [
      ['a', 'b'],
      ['', '"'],
    ],
  ],
  [
    'a,b\n 1 , 2',
    [
      ['a', 'b'],
      [' 1 ', ' 2'],
    ],
  ],
  [
    'a,b\n1,',
    [
      ['a', 'b'],
      ['1', ''],
    ],
  ],
  ['', []],
])('%j holds %j', (text, expected) => {
  expect(cells(text)).toEqual(expected);
});

test('a record knows the line that it begins on', () => {
  const lines = parseCsv('a\n"1\n2"\n\n3\r\n"4"').map(({ line }) => line);
  expect(lines).toEqual([1, 2, 5, 6]);
});

test.each([
  ['a\n"open', 2, 'nothing closes'],
  ['a\n"1\n2\n"3"4"', 4, 'behind a closing quote'],
  ['a\n1\nx"y', 3, 'quote inside a cell'],
  ['a,b\n"1" ,2', 2, 'behind a closing quote'],
])('%j is a mistake in line %i, and what stands there is not repeated', (text, line, message) => {
  let thrown: unknown;
  try {
    parseCsv(text);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ line, message: expect.stringContaining(message) });
  expect(String(thrown)).not.toMatch(/x"y|open|"3"/);
});

test('a large file is read in a time that grows with its length alone', () => {
  const row = `tenant,acme,,github,default,${'"'}${'x""y,'.repeat(2_000)}${'"'}\n`;
  expect(parseCsv(`level,owner,tenant,server,name,value\n${row.repeat(80)}`)).toHaveLength(81);
});
