import { expect, test } from 'vitest';
import { readParent } from './parent.ts';

const traceId = '0af7651916cd43dd8448eb211c80319c';
const spanId = 'b7ad6b7169203331';

test.each([
  [`00-${traceId}-${spanId}-01`, true],
  [`00-${traceId}-${spanId}-00`, false],
  [`00-${traceId}-${spanId}-03`, true],
  [`cc-${traceId}-${spanId}-01-what-a-later-version-adds`, true],
])('%s is read', (traceparent, isSampled) => {
  expect(readParent({ traceparent, tracestate: 'a=b' })).toEqual({
    ...{ traceId, spanId, isSampled, tracestate: 'a=b' },
  });
});

test.each([
  '',
  'nonsense',
  `ff-${traceId}-${spanId}-01`,
  `00-${'0'.repeat(32)}-${spanId}-01`,
  `00-${traceId}-${'0'.repeat(16)}-01`,
  `00-${traceId}-${spanId}-01-more`,
  `00-${traceId.toUpperCase()}-${spanId}-01`,
  `00-${traceId}-${spanId}-1`,
  ` 00-${traceId}-${spanId}-01`,
  `00-${traceId}-${spanId}-01\r\nx: y`,
])('%j counts as no parent', (traceparent) => {
  expect(readParent({ traceparent })).toBeUndefined();
});

test('a state that is too long is left out, and nothing is nothing', () => {
  const parent = { traceparent: `00-${traceId}-${spanId}-01`, tracestate: 'a='.padEnd(600, 'b') };
  expect(readParent(parent)?.tracestate).toBeUndefined();
  expect(readParent(undefined)).toBeUndefined();
});
