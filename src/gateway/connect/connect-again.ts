import { filledFor } from '../../access/index.ts';
import type { Call, Gate } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { Refusal } from '../refusal.ts';
import { accountSettingsOf, offerFor } from './account-of.ts';
import type { Offer } from './offer.ts';
import { furtherBroughtBack, withoutOwnState } from './connect-first.ts';
import { widerOffer } from './more-scopes.ts';
import { texts } from './texts.ts';

/** Is it about one server that people have accounts at? */
export function usesAccount({ servers }: Call): boolean {
  const [server] = servers;
  return server !== undefined && servers.length === 1 && accountSettingsOf(server) !== undefined;
}

/**
 * Runs a call to such a server. When it turns out in the middle of it that the account does not count any more, or
 * lacks a permission, `connect` takes over: a server that refuses who is asking has not begun with what was asked. A
 * call that comes back after its person was asked for permissions waits for them, and is then made once.
 */
export async function orConnectAgain(
  call: Call,
  gate: Gate,
  operate: () => Promise<void> | void,
  connect: (offer: Offer) => Promise<void>,
): Promise<void> {
  const [server] = call.servers;
  const further = server && furtherBroughtBack(call, gate);
  const filled = further ? filledFor(call.snapshot, server, call.tenant) : undefined;
  if (further && filled?.ok)
    return connect({ server, filled, problem: texts.further(further.scopes), further });
  withoutOwnState(call, gate);
  try {
    await operate();
  } catch (error) {
    const wider = server && isRefused(error) ? widerOffer(call, gate, server, failureOf(error)) : undefined;
    if (wider) return await connect(wider);
    const offer = server && isRefused(error) ? offerFor(call, gate, server) : undefined;
    // Without a problem it was somebody else's key that was refused: the person has nothing to do with it.
    if (offer?.problem === undefined) throw error;
    await connect(offer);
  }
}

/** Did the server, or whoever renews its tokens, refuse who is asking? */
function isRefused(error: unknown): boolean {
  const failure = failureOf(error);
  return failure instanceof UpstreamError && failure.kind === 'unauthorized';
}

function failureOf(error: unknown): unknown {
  return error instanceof Refusal ? error.cause : undefined;
}
