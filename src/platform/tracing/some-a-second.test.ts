import { ROOT_CONTEXT, SpanKind } from '@opentelemetry/api';
import { SamplingDecision } from '@opentelemetry/sdk-trace-base';
import { expect, test } from 'vitest';
import { someASecond } from './some-a-second.ts';

test('of each second the first are kept, and no more', () => {
  const at = { now: 5_000 };
  const sampler = someASecond(3, () => at.now);
  const decide = () => sampler.shouldSample(ROOT_CONTEXT, '1', 'x', SpanKind.SERVER, {}, []).decision;
  const kept = (count: number) =>
    Array.from({ length: count }, decide).filter((one) => one === SamplingDecision.RECORD_AND_SAMPLED).length;
  expect(kept(10)).toBe(3);
  at.now += 999;
  expect(kept(10)).toBe(0);
  at.now += 1;
  expect([kept(2), kept(2)]).toEqual([2, 1]);
  at.now -= 5_000; // A clock that is set back keeps nobody from being seen.
  expect(kept(1)).toBe(1);
});
