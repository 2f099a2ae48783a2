import type { ServerDefinition, ServerOrigin, StoredOrigin } from '../../access/contract.ts';
import type { SnapshotServer } from '../../access/index.ts';
import type { KnownEntries, KnownEntry } from '../entries/known-entries.ts';
import { faultOf } from './field-values.ts';
import { type Form, formOf } from './forms.ts';
import { isExact } from './launch.ts';
import { launch } from './make-definition.ts';
import type { OriginSeals } from './origin-seals.ts';

type Stdio = Extract<ServerDefinition, { type: 'stdio' }>;
interface FilledIn {
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}
type Find = (id: string) => KnownEntry | undefined;

/** Whether a server of the database may be run, given its command line with every value in its place. */
export function allowsFrom({ find }: Pick<KnownEntries, 'find'>, seals: Pick<OriginSeals, 'holds'>) {
  return (
    { id, definition, managedBy, origin }: Pick<SnapshotServer, 'id' | 'definition' | 'managedBy' | 'origin'>,
    filledIn: FilledIn,
  ): boolean => {
    // What the config file says is another matter, and is compared with the file.
    if (definition.type !== 'stdio' || managedBy !== 'admin' || origin === null) return false;
    if (!seals.holds(id, origin) && !isOfCatalog(find, origin)) return false;
    return allowsCommand(find, definition, origin) && allowsArguments(find, filledIn, origin);
  };
}

/**
 * Is it exactly what the catalog names at this moment, which no seal has to say? So are rows of a time before seals, and
 * programs of the machine, which nobody fetches.
 */
function isOfCatalog(find: Find, origin: StoredOrigin): boolean {
  const entry = find(origin.entry);
  const form = entry && formOf(entry, origin.transport, origin.auth);
  if (form?.way.type !== 'stdio') return false;
  const { runtime, version = null, integrity = null } = form.way;
  if (runtime === 'binary') return true;
  return version !== null && origin.version === version && origin.digest === integrity;
}

/**
 * Would the catalog, as it is at this moment, make this very command out of what the server came from? Whatever else
 * says that it is fine, a row of the database that differs in one argument is never run.
 */
export function allowsCommand(find: Find, definition: Stdio, origin: ServerOrigin): boolean {
  const expected = expectedOf(find, origin);
  if (!expected || definition.cwd !== undefined) return false;
  const { command, args, env } = expected.made;
  return (
    definition.command === command && same(definition.args, args) && same(pairs(definition.env), pairs(env))
  );
}

/**
 * The same of a command line with every value in its place: the texts around the values are the catalog's, and each
 * value is one that its field takes. It holds wherever a value was changed after the server was installed.
 */
export function allowsArguments(find: Find, filledIn: FilledIn, origin: ServerOrigin): boolean {
  const expected = expectedOf(find, origin);
  if (!expected) return false;
  const { form, made } = expected;
  const names = Object.keys(made.env);
  return (
    filledIn.args.length === made.args.length &&
    filledIn.args.every((arg, at) => fits(arg, made.args[at] ?? '', form)) &&
    same(Object.keys(filledIn.env).sort(), [...names].sort()) &&
    names.every((name) => fits(filledIn.env[name] ?? '', made.env[name] ?? '', form))
  );
}

function expectedOf(find: Find, origin: ServerOrigin) {
  const entry = find(origin.entry);
  const form = entry && formOf(entry, origin.transport, origin.auth);
  if (form?.way.type !== 'stdio' || form.way.serves || form.way.package !== origin.package) return undefined;
  // A program of the machine is no pinned thing, so only an operator may name one.
  if (form.way.runtime === 'binary' && !entry?.isPrivate) return undefined;
  const pin = form.way.runtime === 'binary' ? null : { version: origin.version, digest: origin.digest };
  if (pin !== null && !isExact(form.way.runtime, pin)) return undefined;
  const made = launch({ form, filled: new Set(origin.fields), pin }, form.way);
  return { form, made };
}

const placeholder = /\$\{(variable|credential)(?:\.basic)?(?::([^}]*))?\}/;

/** Is the text the one of the catalog, with a fitting value in the place of its field? */
function fits(text: string, template: string, form: Form): boolean {
  const found = placeholder.exec(template);
  if (found === null) return text === template;
  const [whole, kind, name = 'default'] = found;
  const field = form.fields.find(({ keptAs }) => keptAs.kind === kind && keptAs.name === name);
  const before = template.slice(0, found.index);
  const after = template.slice(found.index + whole.length);
  if (field === undefined || text.length <= before.length + after.length) return false;
  if (!text.startsWith(before) || !text.endsWith(after)) return false;
  const value = text.slice(before.length, text.length - after.length);
  return faultOf(field, value, before === '' ? `{${field.name}}` : '') === undefined;
}

function pairs(texts: Readonly<Record<string, string>>): string[] {
  return Object.entries(texts)
    .map(([name, text]) => JSON.stringify([name, text]))
    .sort();
}

function same(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((one, at) => one === b[at]);
}
