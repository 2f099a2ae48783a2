import { expect, test } from 'vitest';
import { capabilitiesIn, clientNameIn } from './legacy.ts';

test.each([
  ['none', {}, '{}'],
  [
    'what a server may ask for',
    { roots: { listChanged: true }, elicitation: {}, sampling: {} },
    '{"elicitation":{},"roots":{},"sampling":{}}',
  ],
  [
    'their parts',
    { elicitation: { url: {}, form: {} }, sampling: { tools: {}, context: {} } },
    '{"elicitation":{"form":{},"url":{}},"sampling":{"context":{},"tools":{}}}',
  ],
  ['nothing else', { experimental: { x: {} }, tasks: {}, roots: 'yes' }, '{}'],
])('of a client’s capabilities the session keeps %s', (_what, capabilities, kept) => {
  expect(capabilitiesIn({ capabilities })).toBe(kept);
});

test('a client cannot make up ever more sets of capabilities, each of which would be a connection', () => {
  const made = Array.from({ length: 50 }, (_, n) =>
    capabilitiesIn({
      capabilities: { elicitation: { [`x${n}`]: {}, form: { n } }, roots: { listChanged: true, n } },
    }),
  );
  expect(new Set(made)).toEqual(new Set(['{"elicitation":{"form":{}},"roots":{}}']));
});

test.each([
  ['its name', { name: 'Claude Code', version: '2' }, 'Claude Code'],
  ['no more of it than 64 characters', { name: `${'🐍'}${'x'.repeat(100)}` }, `${'🐍'}${'x'.repeat(63)}`],
  ['what can be printed', { name: ' a\u0000b\u200b\ud800\ncé ' }, 'abcé'],
  ['nothing of one that cannot', { name: '\u0007' }, undefined],
  ['nothing of what is no name', { name: 1 }, undefined],
  ['nothing where it says nothing', undefined, undefined],
])('of a client’s name is kept %s', (_what, info, kept) => {
  expect(clientNameIn(info)).toBe(kept);
});
