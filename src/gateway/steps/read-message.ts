import type { Call } from '../call.ts';

/** The face reads its own wire format; afterwards `call.message` and `call.era` are known. */
export function readMessage(call: Call): Promise<void> | void {
  return call.readMessage(call);
}
