import {
  type Filled,
  filledFor,
  type Rights,
  type Snapshot,
  type SnapshotServer,
} from '../../access/index.ts';
import type { CredentialQuestion, FoundCredential } from '../../secrets/index.ts';
import { type Call, type Gate, principalOf, type Reaching, rightsOfCall } from '../call.ts';
import { accountSettingsOf, hasSecretAddress, offerFor, ownOr } from '../connect/account-of.ts';
import type { Offer } from '../connect/offer.ts';
import { noCredential, notFilled, personNeeded, secretAddress } from '../refusals.ts';
import { makeTarget, neededCredentials, type Target } from '../upstreams/target.ts';

/** What the gate answers from what it knows; anything else about one server has nowhere to go without its credential. */
const answeredHere = new Set([
  'initialize',
  'ping',
  'server/discover',
  'subscriptions/listen',
  'logging/setLevel',
  'tools/list',
  'prompts/list',
  'resources/list',
  'resources/templates/list',
]);

/**
 * Turns servers into targets: this tenant's address and the most specific credential for each. A server whose
 * credential is missing is left out of lists; a call to it is refused, and nothing is sent to it.
 */
export function attachCredentials(call: Call, gate: Gate): void {
  const targets: Target[] = [];
  const without: string[] = [];
  for (const server of call.servers) {
    const target = targetOf(call, gate, server);
    if (target) targets.push(target);
    else without.push(server.id);
  }
  call.targets = targets;
  const [missing] = call.servers.length === 1 ? without : [];
  const isRequest =
    call.message?.kind === 'request' && !answeredHere.has(call.message.method) && call.metaTool === null;
  if (missing === undefined || !isRequest || call.connects) return;
  call.offer = offerOf(call, gate);
  if (call.offer === null) throw unreachable(call, missing);
}

/** What is missing may be an account of the caller's own, which only the caller can connect. */
function offerOf(call: Call, gate: Gate): Offer | null {
  const [server] = call.servers;
  return (server && offerFor(call, gate, server)) ?? null;
}

/** Why there is no way to the server: a variable without a value, else a credential that nobody has set. */
function unreachable(call: Call, id: string): Error {
  const server = call.snapshot.servers.get(id);
  const filled = server && filledFor(call.snapshot, server, call.tenant);
  if (filled && !filled.ok) return notFilled(id, call.tenant, filled);
  const isOfPeople = server && accountSettingsOf(server) && principalOf(call).kind !== 'user';
  if (isOfPeople) return personNeeded(id);
  const isSecret = server && filled && hasSecretAddress({ server, filled });
  return isSecret ? secretAddress(id) : noCredential(id);
}

/** What was made for a server as one tenant has it, and for whom. */
interface Kept {
  /** What everybody of the tenant has in common. */
  common: Target | undefined;
  /** By the most specific credential, where that is a person's or a group's. */
  readonly personal: WeakMap<FoundCredential, Target>;
}

/**
 * Every call needs a target, and making one costs strings and a sort. A memo of a pure function, which dies with the
 * picture of the server; what it was made of is compared each time.
 */
const targets = new WeakMap<Filled, Kept>();

/** The server as this caller reaches it; undefined when a credential or a variable that it needs is not there. */
export function targetOf(call: Reaching, gate: Gate, server: SnapshotServer): Target | undefined {
  const filled = filledFor(call.snapshot, server, call.tenant);
  if (!filled.ok) return undefined;
  const needed = neededCredentials(server, filled);
  const found = credentialsFor(call, gate, { server, filled, needed });
  if (found === undefined) return undefined;
  const kept = targets.get(filled);
  const narrowest = narrowestOf(found);
  const isPersonal = narrowest?.owner === 'user' || narrowest?.owner === 'group';
  const known = isPersonal ? kept?.personal.get(narrowest) : kept?.common;
  const tenant = call.tenant?.id ?? null;
  if (known?.tenant === tenant && isMadeOf(known, needed, found)) return known;
  const asking = { principal: principalOf(call).id, tenant: call.tenant, session: call.session };
  const target = makeTarget(server, asking, filled, byName(needed, found));
  const { isolation } = server.definition;
  if (isolation !== 'user' && isolation !== 'session')
    keep(filled, target, isPersonal ? narrowest : undefined);
  return target;
}

/** The first name that a server asks for and nothing is there for; undefined: everything is there. */
export function missingName(
  call: Reaching,
  gate: Gate,
  at: { readonly server: SnapshotServer; readonly filled: Filled },
): string | undefined {
  const needed = neededCredentials(at.server, at.filled);
  return needed.find((name) => credentialFor(call, gate, { ...at, name }) === null);
}

const nothing: readonly FoundCredential[] = [];

/** In the order of the names. */
function credentialsFor(
  call: Reaching,
  gate: Gate,
  at: { readonly server: SnapshotServer; readonly filled: Filled; readonly needed: readonly string[] },
): readonly FoundCredential[] | undefined {
  const { server, filled, needed } = at;
  if (needed.length === 0) return nothing;
  const found: FoundCredential[] = [];
  for (const name of needed) {
    const credential = credentialFor(call, gate, { server, filled, name });
    if (credential === null) return undefined;
    found.push(credential);
  }
  return found;
}

/** What fills in one name: the caller's own key or account, else the most specific key that applies. */
export function credentialFor(
  call: Reaching,
  gate: Gate,
  at: { readonly server: SnapshotServer; readonly filled: Filled; readonly name: string },
): FoundCredential | null {
  const { server, filled, name } = at;
  const question = questionFor(call, { server: server.id, name, elsewhere: filled.elsewhere });
  return ownOr(call, gate, at, gate.vault.find(question));
}

/** For whom a credential is looked for. */
export function questionFor(
  call: Reaching,
  at: Pick<CredentialQuestion, 'server' | 'name' | 'elsewhere'>,
): CredentialQuestion {
  const tenant = call.tenant?.id ?? null;
  const { server, name, elsewhere } = at;
  const groups = lendingGroups(call.snapshot, rightsOfCall(call), tenant);
  return { tenant, user: principalOf(call).id, groups, server, name, elsewhere };
}

const lending = new WeakMap<Rights, { readonly tenant: string | null; readonly groups: readonly string[] }>();

/** Groups that belong to no tenant, or to the active one: what others hold is none of this tenant's business. */
function lendingGroups(snapshot: Snapshot, rights: Rights, tenant: string | null): readonly string[] {
  const known = lending.get(rights);
  if (known?.tenant === tenant) return known.groups;
  const groups = rights.groups.filter((name) => {
    const own = snapshot.groups.get(name)?.tenant ?? null;
    return own === null || own === tenant;
  });
  lending.set(rights, { tenant, groups });
  return groups;
}

const width: Readonly<Record<FoundCredential['owner'], number>> = { user: 0, group: 1, tenant: 2, shared: 3 };

function narrowestOf(found: readonly FoundCredential[]): FoundCredential | undefined {
  let narrowest: FoundCredential | undefined;
  for (const one of found) {
    if (narrowest === undefined || width[one.owner] < width[narrowest.owner]) narrowest = one;
  }
  return narrowest;
}

function byName(
  needed: readonly string[],
  found: readonly FoundCredential[],
): ReadonlyMap<string, FoundCredential> {
  const credentials = new Map<string, FoundCredential>();
  for (const [at, one] of found.entries()) credentials.set(needed[at] ?? '', one);
  return credentials;
}

function isMadeOf(
  { credentials }: Target,
  needed: readonly string[],
  found: readonly FoundCredential[],
): boolean {
  for (let at = 0; at < needed.length; at += 1) {
    if (credentials.get(needed[at] ?? '') !== found[at]) return false;
  }
  return true;
}

function keep(filled: Filled, target: Target, by: FoundCredential | undefined): void {
  const kept = targets.get(filled) ?? { common: undefined, personal: new WeakMap() };
  targets.set(filled, kept);
  if (by === undefined) kept.common = target;
  else kept.personal.set(by, target);
}
