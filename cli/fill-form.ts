import type { z } from 'zod';
import type { catalogDetails, CatalogField, catalogForm } from '../src/catalog/contract.ts';
import { CallError } from './call.ts';
import { fieldLine } from './catalog-show.ts';
import { type Input, plain, type Terminal } from './terminal.ts';

export type Details = z.infer<typeof catalogDetails>;
export type Form = z.infer<typeof catalogForm>;

export interface Wanted {
  readonly transport?: string;
  readonly auth?: string;
  /** NAME=VALUE, as typed. */
  readonly set: readonly string[];
  /** NAME=VARIABLE: the value is in the environment, where no process list shows it. */
  readonly setEnv: readonly string[];
}

/** The way and the kind of signing in that are meant: what is asked for, else what a person chooses, else the first. */
export async function chooseForm({ id, forms }: Details, wanted: Wanted, terminal: Terminal): Promise<Form> {
  const fitting = forms.filter(
    ({ transport, auth }) =>
      (wanted.transport === undefined || transport === wanted.transport) &&
      (wanted.auth === undefined || auth === wanted.auth),
  );
  const [first, ...others] = fitting;
  if (first === undefined) {
    const all = forms.map(({ transport, auth }) => `--transport ${transport} --auth ${auth}`);
    throw new CallError(`${id} has no such way; it has: ${all.join('; ')}.`);
  }
  const person = personAt(terminal);
  if (others.length === 0 || person === undefined) return first;
  const lines = fitting.map((form, at) => `  ${at + 1}  ${form.transport}, ${form.auth}: ${form.reaches}`);
  terminal.writeError(`${lines.map(plain).join('\n')}\n`);
  const answer = (await person.ask(`Which one (1 to ${fitting.length}, default 1)? `)).trim();
  const chosen = answer === '' ? first : fitting[Number(answer) - 1];
  if (chosen === undefined) throw new CallError(`"${plain(answer)}" is none of them; nothing was changed.`);
  return chosen;
}

/** Values for a form: those that were given, and what is missing as a person types it in. */
export async function fillForm(
  form: Form,
  wanted: Wanted,
  terminal: Terminal,
): Promise<Record<string, string>> {
  const values = { ...pairsOf(wanted.set), ...fromEnvironment(pairsOf(wanted.setEnv), terminal) };
  const person = personAt(terminal);
  for (const field of form.fields.filter(({ required }) => required)) {
    if (Object.hasOwn(values, field.name)) continue;
    if (person === undefined) throw missing(form, values);
    values[field.name] = await answerFor(field, person);
  }
  if (form.oneOf.length === 0 || form.oneOf.some((name) => Object.hasOwn(values, name))) return values;
  if (person === undefined) throw missing(form, values);
  return askForOne(form, values, person);
}

/** One of several keys is enough; the first that is filled in ends the asking. */
async function askForOne(
  form: Form,
  values: Readonly<Record<string, string>>,
  person: Input,
): Promise<Record<string, string>> {
  for (const field of form.fields.filter(({ name }) => form.oneOf.includes(name))) {
    const value = await question(field, person);
    if (value !== '') return { ...values, [field.name]: value };
  }
  throw new CallError(`One of ${form.oneOf.join(', ')} is needed; nothing was changed.`);
}

async function answerFor(field: CatalogField, person: Input): Promise<string> {
  const value = await question(field, person);
  if (value === '') throw new CallError(`${field.name} is needed; nothing was changed.`);
  return value;
}

async function question(field: CatalogField, person: Input): Promise<string> {
  const text = `${plain(fieldLine(field))}: `;
  return (await (field.secret ? person.askHidden(text) : person.ask(text))).trim();
}

function missing({ fields, oneOf }: Form, values: Readonly<Record<string, string>>): CallError {
  const absent = fields.filter(({ name, required }) => required && !Object.hasOwn(values, name));
  const lines = [...absent.map(fieldLine), ...(oneOf.length === 0 ? [] : [`one of ${oneOf.join(', ')}`])];
  return new CallError(
    plain(
      `These are missing: ${lines.join('; ')}. Give them with --set NAME=VALUE, or secrets with --set-env.`,
    ),
  );
}

export function personAt({ input }: Terminal): Input | undefined {
  return input?.isPerson ? input : undefined;
}

function pairsOf(texts: readonly string[]): Record<string, string> {
  const pairs = texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1) throw new CallError('--set and --set-env take NAME=VALUE.');
    return [text.slice(0, at), text.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

function fromEnvironment(names: Readonly<Record<string, string>>, { env }: Terminal): Record<string, string> {
  const found = Object.entries(names).map(([name, variable]) => {
    const value = env[variable];
    if (!value)
      throw new CallError(`The environment has no ${plain(variable)}, which --set-env ${plain(name)} names.`);
    return [name, value];
  });
  return Object.fromEntries(found);
}
