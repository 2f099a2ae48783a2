import { expect, test } from 'vitest';
import { capabilitiesIn } from './legacy.ts';

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
