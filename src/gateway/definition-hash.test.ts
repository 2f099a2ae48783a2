import { expect, test } from 'vitest';
import { definitionHash } from './definition-hash.ts';

const tool =
  '{"name":"t","title":"T","description":"Does it","inputSchema":{"type":"object","properties":{"a":{"maximum":12345678901234567890}}},"outputSchema":{"type":"object"},"annotations":{"readOnlyHint":true}}';
const hash = definitionHash(tool);

test.each([
  [
    'the order of keys',
    '{"annotations":{"readOnlyHint":true},"outputSchema":{"type":"object"},"inputSchema":{"properties":{"a":{"maximum":12345678901234567890}},"type":"object"},"description":"Does it","title":"T","name":"t"}',
  ],
  ['white space', tool.replaceAll(',', ' ,\n ').replaceAll(':', ' : ')],
  ['how a character is spelled', tool.replace('Does it', 'D\\u006fes it')],
  ['members that are not pinned', tool.replace('{"name"', '{"_meta":{"x":1},"icons":[],"name"')],
])('%s does not matter', (_what, same) => {
  expect(definitionHash(same)).toBe(hash);
});

test.each([
  ['the name', '"t"', '"u"'],
  ['the title', '"T"', '"T "'],
  ['the description', 'Does it', 'Does it.'],
  ['the case of a letter', 'Does', 'does'],
  ['the last digit of a large number', '7890', '7891'],
  ['a key of the input schema', '"a":', '"b":'],
  ['the output schema', '"outputSchema":{"type":"object"}', '"outputSchema":{"type":"object","x":1}'],
  ['a hint', 'true', 'false'],
])('another text of %s is another hash', (_what, from, to) => {
  const changed = tool.replace(from, to);
  expect(changed).not.toBe(tool);
  expect(definitionHash(changed)).not.toBe(hash);
});

test('a second member of the same name counts', () => {
  expect(definitionHash(tool.replace('{', '{"description":"Other",'))).not.toBe(hash);
});

test('elements of an array count in their order', () => {
  const of = (list: string) => definitionHash(`{"name":"t","inputSchema":{"required":${list}}}`);
  expect(of('["a","b"]')).not.toBe(of('["b","a"]'));
});

test('a schema nested deeper than any stack, and one of megabytes, still have a hash', () => {
  const deep = `${'{"a":'.repeat(20_000)}1${'}'.repeat(20_000)}`;
  expect(definitionHash(`{"name":"t","inputSchema":${deep}}`)).toMatch(/^[\w-]{43}$/);
  const long = `{"name":"t","description":"${'x'.repeat(1_000_000)}"}`;
  expect(definitionHash(long)).not.toBe(definitionHash(long.replace('xx"', 'xy"')));
});
