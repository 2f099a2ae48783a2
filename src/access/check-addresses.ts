import { everyServer } from './contract.ts';
import { placeholderNotAllowed, variableNotAllowed } from './errors.ts';
import { type Filled, fillIn, type Place, placeOf, type Unfilled } from './filled.ts';
import { faultInText, faultInUrl, variableNames } from './placeholders.ts';
import type { Endpoint, Snapshot, SnapshotServer, Tenant, Variable } from './snapshot.ts';

type Server = Pick<SnapshotServer, 'definition' | 'managedBy'> & { readonly id: string };

/** One server as one tenant would reach it after a change. */
interface Case {
  readonly server: Server;
  readonly place: Place;
}

interface Checking {
  readonly snapshot: () => Snapshot;
  /** Rejects with an AppError when the URL leads somewhere that must not be fetched. */
  readonly checkUrl: (url: string) => Promise<void>;
}

/** Addresses that are looked up at one time, and for one change; the others are judged when they are connected to. */
const atOnce = 8;
const mostLookedUp = 200;

/** Throws where the placeholders of what the API sets are misspelled, or stand where none may. */
export function refusePlaceholders(remote: {
  readonly url?: string | undefined;
  readonly headers?: Readonly<Record<string, string>> | undefined;
}): void {
  const url = remote.url === undefined ? undefined : faultInUrl(remote.url);
  if (url !== undefined) throw placeholderNotAllowed('This URL', url);
  for (const [name, text] of Object.entries(remote.headers ?? {})) {
    const fault = faultInText(text);
    if (fault !== undefined) throw placeholderNotAllowed(`The header ${name}`, fault);
  }
}

/** A server with this definition: where it leads for itself, and for each tenant that has a say in it. */
export function checkServer(deps: Checking, server: Server): Promise<void> {
  return lookUp(deps, fittingServer(deps.snapshot(), server));
}

/** Throws where a value of any tenant does not fit into this definition; returns the URLs that are to be judged. */
export function fittingServer(snapshot: Snapshot, server: Server): string[] {
  const places = [null, ...snapshot.tenants.values()].map((tenant) => placeOf(snapshot, server.id, tenant));
  // A tenant's own address is another matter, unless it leans on the server's values.
  const touched = places.filter(({ override }) => !override || variableNames([override.url]).length > 0);
  return fitting(touched.map((place) => ({ server, place })));
}

/** A tenant with this address for the server. */
export async function checkEndpoint(
  deps: Checking,
  o: { readonly tenant: string; readonly server: string; readonly endpoint: Endpoint },
): Promise<void> {
  const snapshot = deps.snapshot();
  const tenant = snapshot.tenants.get(o.tenant);
  const server = snapshot.servers.get(o.server);
  // What is not there is refused where it is looked for; the address is no better for that.
  if (!tenant || !server || server.definition.type === 'stdio') return deps.checkUrl(o.endpoint.url);
  const place = { ...placeOf(snapshot, o.server, tenant), override: o.endpoint };
  return lookUp(deps, fitting([{ server, place }]));
}

/** A tenant with these values for the server, or for every server, instead of those that it has there. */
export async function checkVariables(
  deps: Checking,
  o: {
    readonly tenant: string;
    readonly server: string;
    readonly values: Readonly<Record<string, string>>;
  },
): Promise<void> {
  const snapshot = deps.snapshot();
  const tenant = snapshot.tenants.get(o.tenant);
  if (!tenant) return;
  const servers = [...snapshot.servers.values()].filter(
    ({ id }) => o.server === everyServer || id === o.server,
  );
  const cases = servers.map((server) => ({ server, place: withValues(snapshot, server, tenant, o) }));
  await lookUp(deps, fitting(cases.filter(usesVariables)));
}

function usesVariables({ server: { definition }, place }: Case): boolean {
  if (definition.type === 'stdio')
    return variableNames([...definition.args, ...Object.values(definition.env)]).length > 0;
  const url = place.override?.url ?? definition.url;
  return variableNames([url, ...Object.values(definition.headers)]).length > 0;
}

function withValues(
  snapshot: Snapshot,
  server: Server,
  tenant: Tenant,
  o: { readonly server: string; readonly values: Readonly<Record<string, string>> },
): Place {
  const given = (name: string): Variable | undefined => {
    const value = Object.hasOwn(o.values, name) ? o.values[name] : undefined;
    return value === undefined ? undefined : { value, managedBy: 'admin' };
  };
  const stored = (of: string, name: string) => snapshot.variableOf(tenant.id, of, name);
  const place = placeOf(snapshot, server.id, tenant);
  // What holds for every server gives way to what holds for this one.
  if (o.server !== everyServer)
    return { ...place, variableOf: (name) => given(name) ?? stored(everyServer, name) };
  const own = (name: string) => {
    const found = stored(server.id, name);
    return found === stored(everyServer, name) ? undefined : found;
  };
  return { ...place, variableOf: (name) => own(name) ?? given(name) };
}

/** Throws for the first that does not fit; returns the URLs that are to be judged, each once. */
function fitting(cases: readonly Case[]): string[] {
  const urls = new Set<string>();
  for (const { server, place } of cases) {
    const filled = fillIn(server, place);
    if (!filled.ok) refuseUnfit(filled, server.id, place);
    else if (isJudged(filled)) urls.add(filled.url);
  }
  return [...urls];
}

export async function lookUp(deps: Checking, urls: readonly string[]): Promise<void> {
  const waiting = urls.slice(0, mostLookedUp);
  const next = async (): Promise<void> => {
    for (let url = waiting.pop(); url !== undefined; url = waiting.pop()) await deps.checkUrl(url);
  };
  await Promise.all(Array.from({ length: atOnce }, next));
}

/** A value that is missing is told to whoever calls: it may be set later. */
function refuseUnfit(unfilled: Unfilled, server: string, { tenant }: Place): void {
  if (unfilled.kind === 'unfit') throw variableNotAllowed(server, tenant?.id ?? null, unfilled.why);
}

function isJudged(filled: Filled): filled is Filled & { readonly url: string } {
  return filled.url !== undefined && !filled.trusted;
}
