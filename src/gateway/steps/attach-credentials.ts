import type { Endpoint, SnapshotServer } from '../../access/index.ts';
import type { FoundCredential } from '../../secrets/index.ts';
import { type Call, type Gate, principalOf, rightsOfCall } from '../call.ts';
import { noCredential } from '../refusals.ts';
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
  if (missing !== undefined && isRequest) throw noCredential(missing);
}

interface Kept {
  readonly target: Target;
  readonly override: Endpoint | undefined;
}

/**
 * What everybody of a tenant has in common, by tenant: every call needs it, and making it costs strings and a sort. A
 * memo of a pure function, which dies with the server's picture; what it was made of is compared each time.
 */
const targets = new WeakMap<SnapshotServer, Map<string | null, Kept>>();

/** The server as this caller reaches it; undefined when a credential that it needs is not there. */
export function targetOf(call: Call, gate: Gate, server: SnapshotServer): Target | undefined {
  const tenant = call.tenant?.id ?? null;
  const override = tenant === null ? undefined : call.snapshot.endpointOf(tenant, server.id);
  const kept = targets.get(server)?.get(tenant);
  const find = (name: string) =>
    gate.vault.find({
      ...{ tenant, user: principalOf(call).id, groups: rightsOfCall(call).groups },
      ...{ server: server.id, name, elsewhere: override !== undefined },
    });
  const needed = neededCredentials(server, override);
  const isSame = (name: string) => kept?.target.credentials.get(name) === find(name);
  if (kept && kept.override === override && needed.every(isSame)) return kept.target;
  const credentials = new Map<string, FoundCredential>();
  for (const name of needed) {
    const found = find(name);
    if (!found) return undefined;
    credentials.set(name, found);
  }
  const asking = { principal: principalOf(call).id, tenant: call.tenant, session: call.session };
  const target = makeTarget(server, asking, override, credentials);
  const isOwn = server.definition.isolation === 'user' || server.definition.isolation === 'session';
  if (!isOwn) keep(server, tenant, { target, override });
  return target;
}

function keep(server: SnapshotServer, tenant: string | null, kept: Kept): void {
  const byTenant = targets.get(server) ?? new Map<string | null, Kept>();
  targets.set(server, byTenant.set(tenant, kept));
}
