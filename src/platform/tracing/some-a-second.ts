import { type Sampler, SamplingDecision, type SamplingResult } from '@opentelemetry/sdk-trace-base';
import type { Clock } from '../clock.ts';

/** Keeps the first so many traces of each second: all of them where little happens, and a bounded cost where much does. */
export function someASecond(most: number, clock: Clock): Sampler {
  let second = 0;
  let seen = 0;
  return {
    shouldSample(): SamplingResult {
      const now = Math.floor(clock() / 1_000);
      if (now !== second) [second, seen] = [now, 0];
      seen += 1;
      return { decision: seen > most ? SamplingDecision.NOT_RECORD : SamplingDecision.RECORD_AND_SAMPLED };
    },
    toString: () => `SomeASecond{${most}}`,
  };
}
