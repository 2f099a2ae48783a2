import { expect, test } from 'vitest';
import { SlidingWindow } from './sliding-window.ts';

/** Lets in what has room, as whoever uses a window does. */
function limited(limit: number) {
  const window = new SlidingWindow();
  return (second: number) => {
    if (window.count(second) >= limit) return window.freeAt(limit) - second;
    window.add(second);
    return 0;
  };
}

test('so many a minute, then a number of seconds to wait', () => {
  const hit = limited(3);
  expect([hit(100), hit(110), hit(120), hit(120)]).toEqual([0, 0, 0, 41]);
  expect([hit(160), hit(161), hit(161)]).toEqual([1, 0, 10]);
});

test('a minute that begins anywhere never holds more than the limit', () => {
  const hit = limited(10);
  const passed: number[] = [];
  for (let tenth = 0; tenth < 3_000; tenth += 3) {
    if (hit(Math.floor(tenth / 10)) === 0) passed.push(tenth / 10);
  }
  for (const start of passed)
    expect(passed.filter((at) => at >= start && at < start + 60).length).toBeLessThanOrEqual(10);
  expect(passed.length).toBeGreaterThan(45);
});

test('refused calls do not count, and whoever waits as long as told gets through', () => {
  const hit = limited(7);
  let second = 1_000;
  while (hit(second) === 0) second += 3;
  for (let n = 0; n < 100; n++) expect(hit(second)).toBeGreaterThan(0);
  second += hit(second);
  expect(hit(second)).toBe(0);
});

test('a clock that is set back a little lets nobody through, and one that is set back far keeps nobody out for long', () => {
  const hit = limited(2);
  expect([hit(10_000), hit(10_000)]).toEqual([0, 0]);
  expect(hit(9_970)).toBeGreaterThan(0);
  expect(hit(1_000)).toBe(61);
  expect(hit(1_061)).toBe(0);
});

test('a clock that jumps ahead forgets a minute, and no more than a minute', () => {
  const hit = limited(1);
  expect([hit(100), hit(100_000), hit(100_001)]).toEqual([0, 0, 60]);
});
