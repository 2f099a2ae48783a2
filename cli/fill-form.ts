import type { z } from 'zod';
import type { catalogDetails, CatalogField, catalogForm } from '../src/catalog/contract.ts';
import { fieldLine } from './catalog-show.ts';
import { readSecret } from './read-text.ts';
import { CallError, type Input, plain, type Terminal } from './terminal.ts';

export type Details = z.infer<typeof catalogDetails>;
export type Form = z.infer<typeof catalogForm>;

export interface Wanted {
  readonly transport?: string;
  readonly auth?: string;
  /** NAME=VALUE, as typed. */
  readonly set?: readonly string[];
  /** NAME=VARIABLE: the value is in the environment, where no process list shows it. */
  readonly setEnv?: readonly string[];
  /** NAME=FILE, or NAME=- for standard input. */
  readonly setFile?: readonly string[];
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
  const values = await givenTo(form, wanted, terminal);
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
      `These are missing: ${lines.map((line) => line.replace(/\.$/, '')).join('; ')}. Give them with --set NAME=VALUE; secrets with --set-env NAME=VARIABLE or --set-file NAME=FILE.`,
    ),
  );
}

export function personAt({ input }: Terminal): Input | undefined {
  return input?.isPerson ? input : undefined;
}

/** What the command line gives. Throws CallError for a secret on it, or a field that is given twice. */
async function givenTo(form: Form, wanted: Wanted, terminal: Terminal): Promise<Record<string, string>> {
  const typed = pairsOf(wanted.set ?? [], '--set NAME=VALUE');
  const secret = form.fields.find(({ name, secret }) => secret && Object.hasOwn(typed, name));
  if (secret) throw onCommandLine(secret.name);
  const variables = pairsOf(wanted.setEnv ?? [], '--set-env NAME=VARIABLE');
  const files = pairsOf(wanted.setFile ?? [], '--set-file NAME=FILE');
  const names = [typed, variables, files].flatMap((pairs) => Object.keys(pairs));
  const twice = names.find((name, at) => names.indexOf(name) < at);
  if (twice !== undefined) throw new CallError(`${plain(twice)} is given twice; nothing was changed.`);
  const values = { ...typed, ...fromEnvironment(variables, terminal) };
  for (const [name, file] of Object.entries(files)) values[name] = await readSecret(file, terminal, name);
  return values;
}

function onCommandLine(name: string): CallError {
  return new CallError(
    `${name} is a secret, and everybody on this machine can read a command line: leave it out and be asked for it, or give --set-env ${name}=VARIABLE or --set-file ${name}=FILE (- for standard input). Nothing was changed.`,
  );
}

function pairsOf(texts: readonly string[], usage: string): Record<string, string> {
  const pairs = texts.map((text) => {
    const at = text.indexOf('=');
    if (at < 1 || at === text.length - 1) throw new CallError(`It is ${usage}; nothing was changed.`);
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
