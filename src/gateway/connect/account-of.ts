import type { AccountSettings } from '../../access/contract.ts';
import { filledFor, type SnapshotServer } from '../../access/index.ts';
import type { AccountQuestion, AccountServer, AccountState, FoundCredential } from '../../secrets/index.ts';
import { type Call, type Gate, principalOf, type Reaching, rightsOfCall } from '../call.ts';
import { accountAddress } from './account-address.ts';
import { accountName } from './account-headers.ts';
import type { Further, Offer, Reached } from './offer.ts';

/** How people sign in to this server with accounts of their own; undefined: they do not. */
export function accountSettingsOf({ definition }: SnapshotServer): AccountSettings | undefined {
  return definition.type === 'stdio' ? undefined : definition.account;
}

/** Whose accounts are meant: a person in the active tenant. */
type Owner = Pick<Reaching, 'principal' | 'tenant'>;

function ownerOf(owner: Owner): { readonly user: string; readonly tenant: string | null } {
  return { user: principalOf(owner).id, tenant: owner.tenant?.id ?? null };
}

/**
 * The credential for one name of a server: the caller's own key, then the caller's account, then whatever is less
 * specific (`found`). An account that has to be connected again lets nothing less specific take its place: what people
 * did as themselves must not be done as somebody else. For the same reason no key stands in for a signature.
 */
export function ownOr(
  call: Reaching,
  gate: Gate,
  at: Reached & { readonly name: string },
  found: FoundCredential | null,
): FoundCredential | null {
  const settings = accountSettingsOf(at.server);
  if (settings === undefined || at.name !== accountName) return found;
  if (settings.kind === 'signed')
    return gate.connect.signedCallers.find({ principal: principalOf(call), rights: rightsOfCall(call) }, at);
  if (found?.owner === 'user') return found;
  // A program has nobody who could sign in.
  if (principalOf(call).kind !== 'user') return found;
  const question = questionOf(call, at);
  if (settings.kind === 'oauth') {
    if (gate.connect.accounts.stateOf(question).state === 'reconnect') return null;
    return gate.connect.accounts.find(question) ?? found;
  }
  const subjectToken = call.subjectToken();
  if (subjectToken === undefined && found !== null) return found;
  // Who wrote the address of a tenant did not write the token endpoint.
  const { vouched: trusted, elsewhere } = at.filled;
  const resource = accountAddress(at.filled);
  return gate.connect.exchanges.find({ ...question, resource, settings, trusted, elsewhere, subjectToken });
}

function questionOf(owner: Owner, { server, filled }: Reached): AccountQuestion {
  const settings = accountSettingsOf(server);
  return {
    ...{ ...ownerOf(owner), server: server.id },
    // No account is bound to no address.
    resource: accountAddress(filled) ?? '',
    issuer: settings?.kind === 'oauth' ? settings.issuer : undefined,
  };
}

/** Is it the caller's own account that is missing? Undefined where there is one, or none could be connected. */
export function offerFor(call: Call, gate: Gate, server: SnapshotServer): Offer | undefined {
  if (!isConnectable(server) || principalOf(call).kind !== 'user') return undefined;
  const filled = filledFor(call.snapshot, server, call.tenant);
  if (!filled.ok || accountAddress(filled) === null) return undefined;
  const state = stateFor(call, gate, { server, filled });
  if (state.state === 'connected') return undefined;
  return { server, filled, problem: state.state === 'reconnect' ? state.problem : undefined };
}

/** People connect accounts of their own there. */
export function isConnectable(server: SnapshotServer): boolean {
  return accountSettingsOf(server)?.kind === 'oauth';
}

export function stateFor(owner: Owner, gate: Gate, reached: Reached): AccountState {
  return gate.connect.accounts.stateOf(questionOf(owner, reached));
}

/** The server as somebody connects an account there; undefined where nobody can. */
export function accountServer({ server, filled }: Reached): AccountServer | undefined {
  const settings = accountSettingsOf(server);
  const url = accountAddress(filled);
  if (settings?.kind !== 'oauth' || url === null) return undefined;
  const { trusted, elsewhere } = filled;
  return { id: server.id, displayName: nameOf(server), url, settings, trusted, elsewhere };
}

/** The same by ids, for administrators; undefined for a server or a tenant that is not there, too. */
export function accountServerFor(gate: Gate, tenantId: string | null, id: string): AccountServer | undefined {
  const snapshot = gate.snapshot();
  const server = snapshot.servers.get(id);
  const tenant = tenantId === null ? null : snapshot.tenants.get(tenantId);
  if (!server || tenant === undefined) return undefined;
  const filled = filledFor(snapshot, server, tenant);
  return filled.ok ? accountServer({ server, filled }) : undefined;
}

/** The link by which this caller connects the account. */
export function linkFor(call: Call, gate: Gate, server: SnapshotServer, further?: Further): string {
  return gate.connect.links.urlFor({ ...ownerOf(call), server: server.id, scopes: further?.scopes });
}

/** The caller's account at a server, for programs that show it; null where people have none there. */
export function accountView(
  call: Call,
  gate: Gate,
  server: SnapshotServer,
): { readonly state: AccountState['state']; readonly connectUrl: string } | null {
  if (!isConnectable(server) || principalOf(call).kind !== 'user') return null;
  const filled = filledFor(call.snapshot, server, call.tenant);
  if (!filled.ok || accountAddress(filled) === null) return null;
  return { state: stateFor(call, gate, { server, filled }).state, connectUrl: linkFor(call, gate, server) };
}

/** People would connect accounts there, but for an address that may not be told. */
export function hasSecretAddress({ server, filled }: Reached): boolean {
  return isConnectable(server) && accountAddress(filled) === null;
}

/** What people call a server. */
export function nameOf({ id, definition }: SnapshotServer): string {
  return definition.displayName ?? id;
}
