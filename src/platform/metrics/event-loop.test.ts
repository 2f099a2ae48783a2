import { expect, test } from 'vitest';
import { observe } from './event-loop.ts';
import { Metrics } from './metrics.ts';

const inBucket = (text: string, le: string) =>
  Number(
    new RegExp(`^toolgate_event_loop_delay_seconds_bucket\\{le="${le}"\\} (\\d+)$`, 'm').exec(text)?.[1],
  );

test('a loop that stands still is seen by everybody who reads, and stays seen', async () => {
  const metrics = new Metrics();
  metrics.watchProcess();
  const blocked = performance.now() + 400;
  while (performance.now() < blocked);
  const late = (text: string) => inBucket(text, '\\+Inf') - inBucket(text, '0.25');
  await expect.poll(async () => late(await metrics.text())).toBeGreaterThanOrEqual(5);
  const [one, other] = [await metrics.text(), await metrics.text()];
  expect(late(other)).toBeGreaterThanOrEqual(late(one));
  expect(late(one)).toBeGreaterThanOrEqual(5);
  const both = await metrics.text(async () => [await metrics.picture()]);
  expect(late(both)).toBeGreaterThanOrEqual(10);
});

test('a delay counts for all that came in meanwhile, and one that has no end is bounded', () => {
  const observed = (milliseconds: number) => {
    const values: number[] = [];
    observe({ observe: (...values_: unknown[]) => void values.push(Number(values_[0])) }, milliseconds);
    return values;
  };
  expect(observed(-3)).toEqual([0]);
  expect(observed(50)).toEqual([0.05, 0.03, 0.01]);
  expect(observed(3_600_000)).toHaveLength(1_500);
});
