import { expect, test } from 'vitest';
import { call } from '../../test/recorder-world.ts';
import { Unrecorded } from './unrecorded.ts';

const nobody = { principal: null, status: 401, outcome: 'unauthenticated', reason: 'token_unknown' } as const;

test('a flood that proves nobody is counted beyond a bound, and pushes nobody else’s record out', () => {
  let now = 1_000;
  const unrecorded = new Unrecorded(() => now);
  const kept = Array.from({ length: 10_000 }, () => unrecorded.takes(call(nobody), false)).filter((t) => !t);
  expect(kept).toHaveLength(50);
  expect(unrecorded.takes(call(), false)).toBe(false);
  expect(unrecorded.told()).toMatchObject([
    {
      reason: 'records_bounded',
      endpoint: '*',
      principal: null,
      clientIp: null,
      arguments: '{"requests":9950}',
    },
  ]);
  expect(unrecorded.told()).toEqual([]);
  now += 1_000;
  expect(unrecorded.takes(call(nobody), false)).toBe(false);
});

test('a flood of refusals does not hide what is answered to people without a name', () => {
  const unrecorded = new Unrecorded(() => 1_000);
  for (let at = 0; at < 1_000; at++) unrecorded.takes(call(nobody), false);
  expect(unrecorded.takes(call({ principal: null }), false)).toBe(false);
});

test('where there is no room, what is left is for calls under way', () => {
  const unrecorded = new Unrecorded(() => 1_000);
  expect(unrecorded.takes(call({ face: 'http' }), true)).toBe(true);
  expect(unrecorded.takes(call({ status: 503, reason: 'records_full', outcome: 'error' }), true)).toBe(true);
  expect(unrecorded.takes(call(), true)).toBe(false);
  expect(unrecorded.told()).toMatchObject([{ reason: 'records_full', arguments: '{"requests":2}' }]);
});
