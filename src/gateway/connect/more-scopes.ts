// A server that refuses a call because the caller's account lacks a permission (403 with insufficient_scope, the
// step-up of the MCP specification): its person is asked once for more, and the call is made once more.
import { filledFor, type SnapshotServer } from '../../access/index.ts';
import { type Call, type Gate, principalOf } from '../call.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { accountAddress } from './account-address.ts';
import { accountName } from './account-headers.ts';
import { accountSettingsOf, isConnectable, stateFor } from './account-of.ts';
import type { Offer } from './offer.ts';
import { texts } from './texts.ts';

/** A server that asks for more than this has something else in mind; and links have to hold it. */
const mostScopes = 20;
const mostCharacters = 1_000;
/** The same is asked for so often in an hour: whoever gets no further by allowing it must not be asked for ever. */
export const mostAsked = 3;

/** What the caller is offered after this failure; undefined where asking for permissions would not help. */
export function widerOffer(
  call: Call,
  gate: Gate,
  server: SnapshotServer,
  failure: unknown,
): Offer | undefined {
  if (!(failure instanceof UpstreamError) || failure.scopes === undefined) return undefined;
  const isOwn = call.targets[0]?.credentials.get(accountName)?.changing !== undefined;
  if (!isOwn || !isConnectable(server)) return undefined;
  const offer = furtherOffer(call, gate, server, failure.scopes);
  return offer && mayAsk(call, gate, offer) ? offer : undefined;
}

/** For these scopes, of which some are missing, and the account as it is. */
export function furtherOffer(
  call: Call,
  gate: Gate,
  server: SnapshotServer,
  wanted: readonly string[],
): Offer | undefined {
  const filled = filledFor(call.snapshot, server, call.tenant);
  if (!filled.ok || accountAddress(filled) === null) return undefined;
  const state = stateFor(call, gate, { server, filled });
  if (state.state !== 'connected') return undefined;
  const settings = accountSettingsOf(server);
  const allowed = settings?.kind === 'oauth' ? settings.scopes : undefined;
  // What was granted and is refused all the same is not a matter of permissions; what the operator listed is all that
  // is ever asked for.
  const missing = bounded(
    wanted.filter((scope) => !state.scopes.includes(scope) && (allowed?.includes(scope) ?? true)),
  );
  if (missing.length === 0) return undefined;
  const further = { scopes: missing, since: state.connectedAt.getTime() };
  return { server, filled, problem: texts.further(missing), further };
}

function bounded(scopes: readonly string[]): readonly string[] {
  const few = scopes.slice(0, mostScopes);
  return few.join(' ').length > mostCharacters ? [] : few;
}

function mayAsk(call: Call, { connect }: Gate, { server, further }: Offer): boolean {
  const { tenant } = call;
  const key = JSON.stringify([principalOf(call).id, tenant?.id ?? null, server.id, further?.scopes]);
  const times = connect.asked.get(key) ?? 0;
  if (times >= mostAsked) return false;
  // The hour begins with the first.
  connect.asked.set(key, times + 1, { noUpdateTTL: true });
  return true;
}
