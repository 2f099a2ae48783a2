import { createHash } from 'node:crypto';
import { ownVariable } from './contract.ts';
import { fillArgument, fillHeader, fillText, fillUrl, Unfit, type LookUp } from './placeholders.ts';
import type { Endpoint, Snapshot, SnapshotServer, Tenant, Variable } from './snapshot.ts';

/** A server as one tenant reaches it: every variable is filled in, credentials and `${env:}` are not yet. */
export interface Filled {
  readonly ok: true;
  /** Undefined for a process. */
  readonly url: string | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  /** The operator wrote every part of the address, so it may lead into a private network. */
  readonly trusted: boolean;
  /** The operator wrote that address and the server itself: its `account` is theirs, and may be told who calls. */
  readonly vouched: boolean;
  /** The operator wrote everything, so values of the gate's own environment may go along. */
  readonly takesEnvironment: boolean;
  /** The tenant has a say in where this leads: what belongs to no tenant must not go there. */
  readonly elsewhere: boolean;
  /** Names the values that were filled in; empty when there are none. */
  readonly mark: string;
}

/** Why a server cannot be reached for a tenant. */
export type Unfilled = { readonly ok: false } & (
  | { readonly kind: 'missing'; readonly variable: string }
  /** The id of the tenant is asked for, and none is active. */
  | { readonly kind: 'no_tenant' }
  /** `why` is read after the name of the server, and quotes no value. */
  | { readonly kind: 'unfit'; readonly why: string; readonly variable: string | undefined }
);

/** What a server is filled in with. */
export interface Place {
  readonly tenant: { readonly id: string; readonly managedBy: Variable['managedBy'] } | null;
  /** The tenant's own address of the server. */
  readonly override: Endpoint | undefined;
  /** The tenant's own values. */
  readonly variableOf: (name: string) => Variable | undefined;
}

type Definition = Pick<SnapshotServer, 'definition' | 'managedBy'>;

/** A memo of a pure function, which dies with the picture of the server. */
const known = new WeakMap<SnapshotServer, Map<string | null, Filled | Unfilled>>();

/** The server as it is for the tenant; null: for nobody in particular. */
export function filledFor(
  snapshot: Pick<Snapshot, 'endpointOf' | 'variableOf'>,
  server: SnapshotServer,
  tenant: Tenant | null,
): Filled | Unfilled {
  const id = tenant?.id ?? null;
  const byTenant = known.get(server) ?? new Map<string | null, Filled | Unfilled>();
  known.set(server, byTenant);
  const found = byTenant.get(id) ?? fillIn(server, placeOf(snapshot, server.id, tenant));
  byTenant.set(id, found);
  return found;
}

export function placeOf(
  snapshot: Pick<Snapshot, 'endpointOf' | 'variableOf'>,
  server: string,
  tenant: Tenant | null,
): Place {
  if (tenant === null) return { tenant, override: undefined, variableOf: () => undefined };
  return {
    tenant,
    override: snapshot.endpointOf(tenant.id, server),
    variableOf: (name) => snapshot.variableOf(tenant.id, server, name),
  };
}

/** Pure. */
export function fillIn(server: Definition, place: Place): Filled | Unfilled {
  const values = new Values(server, place);
  try {
    return fill(server, place, values);
  } catch (error) {
    if (error instanceof Unfilling) return error.because;
    if (error instanceof Unfit)
      return { ok: false, kind: 'unfit', why: error.message, variable: error.variable };
    throw error;
  }
}

function fill({ definition, managedBy }: Definition, { override }: Place, values: Values): Filled {
  // An address in the file says nothing for headers and an account that somebody else wrote.
  const isServerOfFile = managedBy === 'file';
  const isAddressOfFile = (override?.managedBy ?? managedBy) === 'file';
  const byFile = isServerOfFile && isAddressOfFile;
  if (definition.type === 'stdio') {
    const args = definition.args.map((text) => fillArgument(text, values.of));
    const env = mapped(definition.env, (text) => fillText(text, values.of));
    const own = byFile && values.areOfFile;
    const told = { trusted: own, vouched: own, ...values.told(own, false) };
    return { ok: true, url: undefined, headers: {}, args, env, ...told };
  }
  const url = fillUrl(override?.url ?? definition.url, values.of);
  const fillOne = (text: string) => fillHeader(text, values.of);
  // Who names another host there is answered by that one, so it is a part of the address.
  const hosts = Object.entries(definition.headers).filter(([name]) => /^host$/i.test(name));
  for (const [, text] of hosts) fillOne(text);
  const trusted = isAddressOfFile && (isServerOfFile || hosts.length === 0) && values.areOfFile;
  const vouched = trusted && isServerOfFile;
  const headers = mapped(definition.headers, fillOne);
  const own = byFile && values.areOfFile;
  const told = { trusted, vouched, ...values.told(own, override !== undefined) };
  return { ok: true, url, headers, args: [], env: {}, ...told };
}

/** The values of one server and place, and which of them were used so far. */
class Values {
  readonly #server: Definition;
  readonly #place: Place;
  readonly #used = new Map<string, Variable & { readonly ofTenant: boolean }>();
  readonly of: LookUp = (name) => this.#take(name);

  constructor(server: Definition, place: Place) {
    this.#server = server;
    this.#place = place;
  }

  get areOfFile(): boolean {
    return [...this.#used.values()].every(({ managedBy }) => managedBy === 'file');
  }

  told(takesEnvironment: boolean, isOverride: boolean) {
    const elsewhere = isOverride || [...this.#used.values()].some(({ ofTenant }) => ofTenant);
    const pairs = [...this.#used]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, { value }]) => [name, value]);
    const mark =
      pairs.length === 0 ? '' : createHash('sha256').update(JSON.stringify(pairs)).digest('base64url');
    return { takesEnvironment, elsewhere, mark };
  }

  #take(name: string): string {
    const found = this.#used.get(name) ?? this.#find(name);
    this.#used.set(name, found);
    return found.value;
  }

  #find(name: string): Variable & { readonly ofTenant: boolean } {
    const { tenant, variableOf } = this.#place;
    if (name === ownVariable) {
      if (tenant === null) throw new Unfilling({ ok: false, kind: 'no_tenant' });
      return { value: tenant.id, managedBy: tenant.managedBy, ofTenant: true };
    }
    const own = variableOf(name);
    if (own && own.value !== '') return { ...own, ofTenant: true };
    const { definition, managedBy } = this.#server;
    const { variables = {} } = definition;
    const value = Object.hasOwn(variables, name) ? variables[name] : undefined;
    if (value) return { value, managedBy, ofTenant: false };
    throw new Unfilling({ ok: false, kind: 'missing', variable: name });
  }
}

/** Ends the filling in of everything when one value is not there. */
class Unfilling extends Error {
  readonly because: Unfilled;

  constructor(because: Unfilled) {
    super(because.kind);
    this.because = because;
  }
}

type Texts = Readonly<Record<string, string>>;

function mapped(texts: Texts, change: (text: string) => string): Texts {
  return Object.fromEntries(Object.entries(texts).map(([name, text]) => [name, change(text)]));
}
