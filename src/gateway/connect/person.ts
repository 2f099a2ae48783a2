// What a person sees of the servers that want something of theirs: an account, or a key.
import type { Principal } from '../../access/contract.ts';
import { activeTenant, filledFor, rightsOf, type SnapshotServer, type Tenant } from '../../access/index.ts';
import type { AccountState, FoundCredential } from '../../secrets/index.ts';
import { type Gate, principalOf, type Reaching, rightsOfCall } from '../call.ts';
import { questionFor } from '../steps/attach-credentials.ts';
import { neededCredentials } from '../upstreams/target.ts';
import { accountName } from './account-headers.ts';
import { accountServer, accountSettingsOf, isConnectable, stateFor } from './account-of.ts';
import type { Reached } from './offer.ts';
import type { ConnectPlace } from './links.ts';

/** Somebody at a page, acting for one tenant. */
export interface Person extends Reaching {
  /** Tenants that the person may choose from, sorted. */
  readonly tenants: readonly Tenant[];
}

/** A server with something of the person's own. */
export interface OwnServer extends Reached {
  /** Undefined where people connect no accounts. */
  readonly account: AccountState | undefined;
  /** Keys that its definition asks for, by name, and whose is used at the moment. */
  readonly keys: ReadonlyMap<string, FoundCredential | null>;
}

/**
 * The person with the tenant that was chosen, else the one that is active anyway, else the first. A tenant that is not
 * the person's is none.
 */
export function personFor(gate: Gate, principal: Principal, chosen: string | null): Person {
  const snapshot = gate.snapshot();
  const rights = rightsOf(snapshot, principal, gate.clock());
  const active = (named: string | null) => activeTenant(snapshot, principal, rights, named);
  const wanted = active(chosen);
  const found = wanted.ok ? wanted : active(null);
  const first = found.ok ? found : active(found.choices[0] ?? null);
  return {
    ...{ snapshot, principal, rights, session: null, subjectToken: () => undefined },
    tenant: first.ok ? first.tenant : null,
    tenants: rights.tenants.flatMap((id) => snapshot.tenants.get(id) ?? []),
  };
}

/** Where the person's accounts and keys of a server are kept. */
export function placeOf(person: Person, server: string): ConnectPlace {
  return { user: principalOf(person).id, tenant: person.tenant?.id ?? null, server };
}

/** Those of the person's servers where there is something to connect or to set, in the order of their names. */
export function ownServers(gate: Gate, person: Person): OwnServer[] {
  return rightsOfCall(person)
    .servers.flatMap((id) => reachedBy(person, id) ?? [])
    .map((one) => ownServer(gate, person, one))
    .filter(({ account, keys }) => account !== undefined || keys.size > 0)
    .sort((a, b) => (labelOf(a) < labelOf(b) ? -1 : 1));
}

/** Servers where the person has an account that is of no use any more. */
export function leftoverServers(gate: Gate, person: Person): string[] {
  const { user, tenant } = placeOf(person, '');
  const { servers } = rightsOfCall(person);
  return gate.connect.accounts
    .listFor(user)
    .filter((one) => one.tenant === tenant)
    .flatMap(({ server }) => (servers.some((id) => id === server) ? [] : [server]));
}

/** The server as the person reaches it; undefined when it is not theirs, or cannot be reached for their tenant. */
export function reachedBy(person: Person, id: string): Reached | undefined {
  const server: SnapshotServer | undefined = person.snapshot.servers.get(id);
  if (!server || !rightsOfCall(person).servers.includes(server.id)) return undefined;
  const filled = filledFor(person.snapshot, server, person.tenant);
  return filled.ok ? { server, filled } : undefined;
}

function ownServer(gate: Gate, person: Person, one: Reached): OwnServer {
  const { server, filled } = one;
  const hasAccounts = accountSettingsOf(server) !== undefined;
  const names = neededCredentials(server, filled).filter((name) => !hasAccounts || name !== accountName);
  const find = (name: string) =>
    gate.vault.find(questionFor(person, { server: server.id, name, elsewhere: filled.elsewhere }));
  const offersAccount = isConnectable(server) && accountServer(one) !== undefined;
  return {
    ...one,
    account: offersAccount ? stateFor(person, gate, one) : undefined,
    keys: new Map(names.map((name) => [name, find(name)])),
  };
}

function labelOf({ server }: OwnServer): string {
  return (server.definition.displayName ?? server.id).toLowerCase();
}
