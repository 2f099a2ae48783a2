import { randomUUID } from 'node:crypto';
import type { ServerDefinition, StoredOrigin } from '../../access/contract.ts';
import type { z } from 'zod';
import { AppError } from '../../platform/errors.ts';
import type { CatalogField, tryInput, tryResult, TryStep } from '../contract.ts';
import { tooManyTries, valuesInvalid } from '../errors.ts';
import { faultsOf, placesFor, sorted } from './check-values.ts';
import { type ChosenVersion, chooseVersion } from './choose-version.ts';
import type { Form } from './forms.ts';
import { addressOf, formFor, type InstallDeps } from './install-plan.ts';
import { makeDefinition } from './make-definition.ts';

/** A server that exists for one attempt alone. Holds secrets: never logged, never kept. */
export interface ProbeServer {
  /** One that no server has, so that nothing that is remembered by it is another one's. */
  readonly id: string;
  readonly definition: ServerDefinition;
  readonly origin: StoredOrigin;
  readonly credentials: Readonly<Record<string, string>>;
  readonly variables: Readonly<Record<string, string>>;
}

/** How the attempt went. */
export type Probed = Omit<z.input<typeof tryResult>, 'message'>;

export interface TryDeps
  extends Pick<InstallDeps, 'entries' | 'registries' | 'clock' | 'seals' | 'checkUrl'> {
  readonly probe: (server: ProbeServer) => Promise<Probed>;
}

/** Each may start a process or wait for half a minute. */
const mostAtOnce = 4;

/** Tries entries with values that are used this once. */
export function createTries(deps: TryDeps) {
  let running = 0;
  return async (entryId: string, input: z.output<typeof tryInput>): Promise<z.input<typeof tryResult>> => {
    if (running >= mostAtOnce) throw tooManyTries();
    running++;
    try {
      return await tryEntry(deps, entryId, input);
    } finally {
      running--;
    }
  };
}

async function tryEntry(deps: TryDeps, entryId: string, input: z.output<typeof tryInput>) {
  const began = deps.clock();
  const { form } = formFor(deps.entries, entryId, input);
  const faults = faultsOf(withoutClient(form, input.values), input.values, 'refuse');
  if (faults.length > 0) throw valuesInvalid(faults);
  const chosen = await chooseVersion(deps.registries, form.way, input.version);
  const server = probeServer(deps, form, { chosen, values: input.values });
  const first = [...versionStep(chosen), ...(await addressStep(deps, server))];
  const probed = first.some(({ ok }) => ok === false)
    ? { ...nothing, milliseconds: deps.clock() - began }
    : seenAs(form, await deps.probe(server));
  const steps = [...first, ...probed.steps];
  return { ...probed, steps, message: summaryOf(form, steps, probed) };
}

/** Nobody signs in for an attempt, so the client that people will sign in with may be left out. */
function withoutClient(form: Form, values: Readonly<Record<string, string>>): Form {
  const isAsked = (field: CatalogField) =>
    field.goesTo.kind !== 'account' || Object.hasOwn(values, field.name);
  return { ...form, fields: form.fields.filter(isAsked) };
}

const nothing = { ok: false, steps: [], era: null, protocolVersion: null, name: null, tools: null };

function probeServer(
  { clock, seals }: TryDeps,
  form: Form,
  { chosen, values }: { chosen: ChosenVersion; values: Readonly<Record<string, string>> },
): ProbeServer {
  const fields = placesFor(form, values);
  const made = makeDefinition({
    form,
    filled: new Set(fields),
    pin: chosen.package === null ? null : chosen,
  });
  const { credentials, variables } = sorted(form, values);
  const origin = {
    ...{ entry: form.entry.id, transport: form.transport, auth: form.auth, fields },
    ...chosen,
    installedAt: new Date(clock()).toISOString(),
  };
  const id = `try-${randomUUID().slice(0, 8)}`;
  return { id, definition: withoutAccount(made), origin: seals.seal(id, origin), credentials, variables };
}

/** Nobody has an account yet: what can be tried is whether the server asks for one. */
function withoutAccount(definition: ServerDefinition): ServerDefinition {
  if (definition.type === 'stdio' || definition.account === undefined) return definition;
  const { account: _, headers, ...rest } = definition;
  const { Authorization: __, ...others } = headers;
  return { ...rest, headers: others };
}

function versionStep({ package: name, version, digest, pinned }: ChosenVersion): TryStep[] {
  if (name === null) return [];
  const what = [name, version, digest?.startsWith('sha256:') ? digest.slice(0, 19) : null];
  const message = `${what.filter((part) => part !== null).join(' ')} (${pinned}).`;
  return [{ step: 'version', ok: pinned === 'not-pinned' ? null : true, message }];
}

async function addressStep(deps: TryDeps, { definition, variables }: ProbeServer): Promise<TryStep[]> {
  if (definition.type === 'stdio') return [];
  try {
    const url = await addressOf(deps, definition, variables);
    const host = URL.parse(url ?? '')?.host ?? '';
    return [{ step: 'address', ok: true, message: `${host} is an address that may be reached.` }];
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'url_not_allowed') throw error;
    return [{ step: 'address', ok: false, message: error.message }];
  }
}

/** What an answer means for this entry and this kind of signing in. */
function seenAs({ auth, entry, way }: Form, probed: Probed): Probed {
  const isRefused = probed.steps.some(({ step, ok }) => step === 'sign-in' && ok === false);
  const wantsAccount = auth === 'oauth' && way.type !== 'stdio';
  if (wantsAccount && isRefused) {
    const asked = 'It asks people to sign in, as it should: each user connects an account of their own.';
    const steps = probed.steps.map((step) =>
      step.step === 'sign-in' ? { step: step.step, ok: true, message: asked } : step,
    );
    return { ...probed, ok: true, steps };
  }
  if (!probed.ok || auth === 'none') return probed;
  const isProof = !wantsAccount && !entry.openHandshake;
  const message = isProof
    ? 'It took what was filled in.'
    : 'It greets anybody, so this says nothing about signing in: only a tool call does.';
  const signIn: TryStep = { step: 'sign-in', ok: isProof ? true : null, message };
  const [connection, ...rest] = probed.steps;
  return { ...probed, steps: [...(connection ? [connection] : []), signIn, ...rest] };
}

function summaryOf(form: Form, steps: readonly TryStep[], { tools, protocolVersion }: Probed): string {
  const failed = steps.find(({ ok }) => ok === false);
  if (failed) return failed.message;
  if (tools === null) return steps.find(({ step }) => step === 'sign-in')?.message ?? 'It answers.';
  return `${form.entry.name} answers: MCP ${protocolVersion ?? ''}, ${tools} tool${tools === 1 ? '' : 's'}.`;
}
