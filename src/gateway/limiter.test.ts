import { expect, test } from 'vitest';
import { createAddressLimit, createLimiter } from './limiter.ts';

const minute = 60_000;

function limiterAt(start: number) {
  let now = start;
  const limiter = createLimiter(() => now);
  return {
    hit: (key: string, limit: number) => limiter.hit(key, limit),
    pass: (ms: number) => {
      now += ms;
    },
  };
}

test('so many a minute, then a number of seconds to wait', () => {
  const { hit } = limiterAt(minute * 100);
  for (let n = 0; n < 3; n++) expect(hit('alice', 3)).toBe(0);
  expect(hit('alice', 3)).toBe(60);
  expect(hit('bob', 3)).toBe(0);
});

test('refused requests are not counted, and a limit of nothing refuses all', () => {
  const { hit, pass } = limiterAt(minute * 100);
  expect(hit('alice', 1)).toBe(0);
  for (let n = 0; n < 10; n++) expect(hit('alice', 1)).toBeGreaterThan(0);
  pass(2 * minute);
  expect(hit('alice', 1)).toBe(0);
  expect(hit('nobody', 0)).toBeGreaterThan(0);
});

test('the window slides: a burst before the turn of a minute still counts after it', () => {
  const { hit, pass } = limiterAt(minute * 100 + 59_000);
  for (let n = 0; n < 10; n++) hit('alice', 10);
  pass(1_000);
  expect(hit('alice', 10)).toBeGreaterThan(0);
  pass(30_000);
  // Half of the ten have left the window.
  const taken = Array.from({ length: 10 }, () => hit('alice', 10)).filter((wait) => wait === 0);
  expect(taken).toHaveLength(5);
  pass(2 * minute);
  expect(hit('alice', 10)).toBe(0);
});

test('whoever waits as long as told gets through', () => {
  const { hit, pass } = limiterAt(minute * 100 + 12_345);
  while (hit('alice', 7) === 0);
  let rounds = 0;
  for (let wait = hit('alice', 7); wait > 0; wait = hit('alice', 7)) {
    pass(wait * 1_000);
    rounds++;
  }
  expect(rounds).toBeLessThanOrEqual(2);
});

test('an address waits, one whose credential is exempt does not, and nobody does where there is no limit', () => {
  const asked: unknown[] = [];
  const isExempt = (authorization: string | undefined) => {
    asked.push(authorization);
    return authorization === 'Bearer key';
  };
  const limit = createAddressLimit(2, isExempt, () => 0);
  expect([limit('a', undefined), limit('a', 'Bearer key')]).toEqual([0, 0]);
  expect(asked).toEqual([]);
  expect([limit('a', undefined), limit('a', 'Bearer key'), limit('b', undefined)]).toEqual([60, 0, 0]);
  expect(asked).toEqual([undefined, 'Bearer key']);
  const none = createAddressLimit(null, isExempt, () => 0);
  for (let i = 0; i < 100; i++) expect(none('a', undefined)).toBe(0);
});
