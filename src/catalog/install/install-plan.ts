import type { ServerDefinition, ServerId, ServerOrigin, StoredOrigin } from '../../access/contract.ts';
import { type Decision, fillIn, findServer, type StoredServer } from '../../access/index.ts';
import type { Clock } from '../../platform/clock.ts';
import type { Db } from '../../platform/db/index.ts';
import type { HandMadeClient } from '../../secrets/index.ts';
import type { InstallInput } from '../contract.ts';
import type { KnownEntries, KnownEntry } from '../entries/known-entries.ts';
import {
  entryNotFound,
  formNotFound,
  notAskedFor,
  notPinned,
  serverTaken,
  valuesInvalid,
} from '../errors.ts';
import type { Registries } from '../registries/registries.ts';
import { faultsOf, placesFor, sorted, type Values } from './check-values.ts';
import { chooseVersion } from './choose-version.ts';
import { type Form, formOf, formsOf } from './forms.ts';
import { makeDefinition } from './make-definition.ts';
import type { OriginSeals } from './origin-seals.ts';

export interface InstallDeps {
  readonly db: Db;
  readonly entries: KnownEntries;
  readonly registries: Pick<Registries, 'find'>;
  readonly clock: Clock;
  readonly seals: OriginSeals;
  /** Rejects with an AppError when the URL leads somewhere that must not be fetched. */
  readonly checkUrl: (url: string) => Promise<void>;
  /** Both within the transaction; what comes back is what the audit log may keep. */
  readonly storeKey: (trx: Db, key: NewKey, by: string) => Promise<{ name: string; lastFour: string }>;
  readonly storeClient: (trx: Db, place: Place, client: HandMadeClient, by: string) => Promise<void>;
  /** The authorization server that a server names. Throws an AppError where it names none. */
  readonly issuerOf: (server: { id: string; displayName: string; url: string }) => Promise<string>;
  /** Where authorization servers send people back to. */
  readonly redirectUri: string;
  /** Called after the commit: brings everything that this replica keeps in memory up to date. */
  readonly changed: () => Promise<void>;
}

interface Place {
  readonly tenant: string | null;
  readonly server: string;
}

export interface NewKey extends Place {
  readonly name: string;
  readonly value: string;
}

/** What is going to happen, with everything looked up that the network has to be asked for. */
export interface Plan {
  readonly entry: KnownEntry;
  readonly form: Form;
  readonly input: InstallInput;
  readonly id: ServerId;
  readonly tenant: string | null;
  readonly kind: Decision['kind'];
  readonly fresh: { definition: ServerDefinition; origin: StoredOrigin } | null;
  readonly client: HandMadeClient | null;
}

/** The entry and the form that a request means. Throws `catalog_entry_not_found` or `catalog_form_not_found`. */
export function formFor(
  entries: KnownEntries,
  entryId: string,
  { transport, auth }: Pick<InstallInput, 'transport' | 'auth'>,
): { entry: KnownEntry; form: Form } {
  const entry = entries.find(entryId);
  if (!entry) throw entryNotFound(entryId);
  const form = formOf(entry, transport, auth);
  if (form?.way.type === 'stdio' && form.way.runtime === 'binary' && !entry.isPrivate)
    throw notPinned(form.way.package);
  if (form) return { entry, form };
  throw formNotFound(
    entryId,
    formsOf(entry).map((one) => `${one.transport} (${one.auth})`),
  );
}

/** Everything that can be found out and refused before anything is changed. */
export async function planned(deps: InstallDeps, entryId: string, input: InstallInput): Promise<Plan> {
  const { entry, form } = formFor(deps.entries, entryId, input);
  // The schema of entries makes sure that one of the two is the id of a server.
  const id = input.as ?? ((entry.serverId ?? entry.id) as ServerId);
  const found = await findServer(deps.db, id);
  const kind = kindOf(form, input, found);
  const faults = faultsOf(form, input.values, kind === 'add' ? 'allow' : 'refuse');
  if (faults.length > 0) throw valuesInvalid(faults);
  const tenant = input.for === 'shared' ? null : input.for.tenant;
  const plan = { entry, form, input, id, tenant, kind };
  const fresh = kind === 'add' ? null : await freshServer(deps, plan, found);
  const definition = fresh?.definition ?? found?.definition ?? null;
  if (kind === 'add') refuseUnasked(form, input.values, found);
  const url = definition && (await addressOf(deps, definition, sorted(form, input.values).variables));
  const client = await clientOf(deps, plan, url ?? '');
  return { ...plan, fresh, client };
}

function kindOf(form: Form, input: InstallInput, found: StoredServer | undefined): Decision['kind'] {
  if (found === undefined) return 'create';
  const { origin } = found;
  const isOfEntry = origin?.entry === form.entry.id && found.managedBy === 'admin';
  if (isOfEntry && input.replace) return 'replace';
  const isSame = isOfEntry && origin.transport === form.transport && origin.auth === form.auth;
  if (!isSame || found.definition === null) throw serverTaken(found.id);
  return 'add';
}

/** Again with the lock in hand: somebody else may have been quicker. */
export function decisionOf(
  { form, input, kind, fresh, id }: Plan,
  found: StoredServer | undefined,
): Decision {
  const current = kindOf(form, input, found);
  if (current !== kind) throw serverTaken(id);
  if (current === 'add' || fresh === null) {
    refuseUnasked(form, input.values, found);
    return { kind: 'add' };
  }
  return { kind: current, ...fresh };
}

/** What is installed has places for the fields that were filled in then, and for no others. */
function refuseUnasked(form: Form, values: Values, found: StoredServer | undefined): void {
  const asked = found?.origin?.fields ?? [];
  const others = placesFor(form, values).filter((name) => !asked.includes(name));
  if (found && others.length > 0) throw notAskedFor(found.id, others);
}

async function freshServer(
  { registries, clock, seals }: InstallDeps,
  { entry, form, input, id }: Pick<Plan, 'entry' | 'form' | 'input' | 'id'>,
  found: StoredServer | undefined,
) {
  const chosen = await chooseVersion(registries, form.way, input.version);
  const fields = placesFor(form, input.values);
  const origin: ServerOrigin = {
    ...{ entry: entry.id, transport: form.transport, auth: form.auth, fields },
    ...chosen,
    installedAt: new Date(clock()).toISOString(),
  };
  const made = makeDefinition({
    form,
    filled: new Set(fields),
    pin: chosen.package === null ? null : chosen,
  });
  const before = found?.definition?.variables ?? {};
  const names = Object.keys(sorted(form, input.values).variables);
  // Empty: each tenant has to have a value of its own.
  const variables = Object.fromEntries(names.map((name) => [name, before[name] ?? '']));
  const { enabled, displayName = made.displayName } = input;
  const definition = {
    ...made,
    ...{ enabled, ...(displayName !== undefined && { displayName }) },
    ...(names.length > 0 && { variables }),
  };
  return { definition, origin: seals.seal(id, origin) };
}

/** The URL that the values lead to, once it was found fit to be fetched; undefined for a process. */
export async function addressOf(
  { checkUrl }: Pick<InstallDeps, 'checkUrl'>,
  definition: ServerDefinition,
  values: Values,
): Promise<string | undefined> {
  const variableOf = (name: string) => {
    const value = Object.hasOwn(values, name) ? values[name] : undefined;
    return value === undefined ? undefined : { value, managedBy: 'admin' as const };
  };
  // The values given stand for a tenant's own; no tenant is active yet.
  const place = { tenant: null, override: undefined, variableOf };
  const filled = fillIn({ definition, managedBy: 'admin' }, place);
  if (!filled.ok) {
    if (filled.kind === 'unfit') throw valuesInvalid([`the server ${filled.why}`]);
    return undefined;
  }
  if (filled.url !== undefined) await checkUrl(filled.url);
  return filled.url;
}

async function clientOf(
  { issuerOf }: InstallDeps,
  { entry, form, input, id }: Pick<Plan, 'entry' | 'form' | 'input' | 'id'>,
  url: string,
): Promise<HandMadeClient | null> {
  const { clientId, clientSecret = null, issuer } = sorted(form, input.values).client;
  if (clientId === undefined) {
    if (clientSecret !== null || issuer !== undefined)
      throw valuesInvalid(['oauth-client-id is missing beside what belongs to it']);
    return null;
  }
  const at = issuer ?? (await issuerOf({ id, displayName: entry.name, url }));
  return { clientId, secret: clientSecret, issuer: at };
}
