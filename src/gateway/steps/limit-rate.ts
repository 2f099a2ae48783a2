import { type Call, type Gate, principalOf } from '../call.ts';
import { rateLimited, recordsFull } from '../refusals.ts';

/** So many requests a minute for each caller. Where records cannot be kept, no call is taken at all. */
export function limitRate(call: Call, gate: Gate): void {
  if (!gate.recorder.accepting()) throw recordsFull();
  const { rateLimit } = gate.settings;
  // A description of tools comes from memory, and Open WebUI fetches it for all its people with one key.
  if (!rateLimit || (call.face === 'openapi' && call.message === undefined)) return;
  const wait = gate.limiter.hit(principalOf(call).id, rateLimit.perMinute);
  if (wait > 0) throw rateLimited(wait);
}
