import type { Call, Gate } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { Refusal } from '../refusal.ts';
import { accountSettingsOf, offerFor } from './account-of.ts';
import type { Offer } from './offer.ts';
import { withoutOwnState } from './connect-first.ts';

/** Is it about one server that people have accounts at? */
export function usesAccount({ servers }: Call): boolean {
  const [server] = servers;
  return server !== undefined && servers.length === 1 && accountSettingsOf(server) !== undefined;
}

/**
 * Runs a call to such a server. When it turns out in the middle of it that the account does not count any more,
 * `connect` takes over: a server that refuses who is asking has not begun with what was asked.
 */
export async function orConnectAgain(
  call: Call,
  gate: Gate,
  operate: () => Promise<void> | void,
  connect: (offer: Offer) => Promise<void>,
): Promise<void> {
  withoutOwnState(call, gate);
  try {
    await operate();
  } catch (error) {
    const [server] = call.servers;
    const offer = server && isRefused(error) ? offerFor(call, gate, server) : undefined;
    // Without a problem it was somebody else's key that was refused: the person has nothing to do with it.
    if (offer?.problem === undefined) throw error;
    await connect(offer);
  }
}

/** Did the server, or whoever renews its tokens, refuse who is asking? */
function isRefused(error: unknown): boolean {
  const failure = error instanceof Refusal ? error.cause : undefined;
  return failure instanceof UpstreamError && failure.kind === 'unauthorized';
}
