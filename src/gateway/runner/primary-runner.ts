import { z } from 'zod';
import { UpstreamError } from '../connectors/contract.ts';
import type { Away, RunnerWay } from '../connectors/runner.ts';
import { untilAborted } from '../connectors/until-aborted.ts';

const place = z.object({ origin: z.string(), socketPath: z.string().optional(), key: z.string() });

/** The one runner of several workers, which their primary starts; `ask` finds out where it is. */
export function primaryRunner(ask: () => Promise<unknown>): RunnerWay {
  let away: Away | null = null;
  return {
    async place(signal) {
      try {
        const found = place.parse(await untilAborted(ask(), signal));
        away = null;
        return found;
      } catch (cause) {
        signal.throwIfAborted();
        const message =
          'The runner, which starts servers that are processes, is not there yet; try again in a moment.';
        away = { since: away?.since ?? new Date(), why: 'It is started again by itself.' };
        throw new UpstreamError('unreachable', message, { cause });
      }
    },
    away: () => away,
  };
}
