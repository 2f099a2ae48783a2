import type { Call } from '../call.ts';

/** What is not the gate's own goes on to Open WebUI, and the answer comes back as it is. */
export function relay(call: Call): Promise<void> | void {
  return call.passing?.relay(call);
}
