import type { Call, Gate } from '../call.ts';
import { limitsOfCaller } from '../limits/limits-of-call.ts';
import { rateLimited, recordsFull } from '../refusals.ts';

/**
 * Whoever is known to be over a limit gets no further, before anything is looked up for them. Where records cannot be
 * kept, no call is taken at all.
 */
export function limitRate(call: Call, gate: Gate): void {
  if (!gate.recorder.accepting()) throw recordsFull();
  const settings = gate.settings.rateLimits();
  const over = settings && gate.limits.calls.over(limitsOfCaller(call, gate, settings));
  if (!over) return;
  call.isCounted = true;
  gate.limits.isOver(over, call.turn);
  throw rateLimited(over);
}
