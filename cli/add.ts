import { Command } from 'commander';
import type { z } from 'zod';
import { api as access } from '../src/access/contract.ts';
import { api, type installResult, type tryResult } from '../src/catalog/contract.ts';
import { type Call, connect } from './call.ts';
import { chooseForm, type Details, fillForm, type Form, personAt, type Wanted } from './fill-form.ts';
import { CallError, type Outcome, plain, table, type Terminal } from './terminal.ts';

interface Options extends Wanted {
  readonly as?: string;
  readonly tenant?: string;
  readonly groups?: string;
  readonly pin?: string;
  readonly name?: string;
  readonly enabled: boolean;
  readonly try: boolean;
  readonly replace?: true;
  readonly force?: true;
  readonly dryRun?: true;
}

/** A first start may fetch a package. */
const tryTimeoutMs = 90_000;

export function addCommand(terminal: Terminal, outcome: Outcome): Command {
  const several = (value: string, before: readonly string[] = []) => [...before, value];
  return new Command('add')
    .description('install a server of the catalog: asks for what it needs, tries it, grants it')
    .argument('<id>', 'id in the catalog; see "toolgate catalog search"')
    .option('--transport <way>', 'how to reach it, e.g. http or npx')
    .option('--auth <kind>', 'how to sign in: none, oauth, bearer, api-key or basic')
    .option('--tenant <id>', 'the values are this tenant’s, instead of everybody’s')
    .option('--groups <names>', 'who gets it, separated by commas')
    .option('--set <name=value>', 'fill a field in that is no secret', several)
    .option('--set-env <name=variable>', 'fill a field in from an environment variable', several)
    .option('--set-file <name=file>', 'fill a field in from a file, - for standard input', several)
    .option('--as <id>', 'id of the server (default: that of the entry)')
    .option('--name <name>', 'what people see')
    .option('--pin <version>', 'this version, instead of the one that the catalog or the registry names')
    .option('--no-enabled', 'install it disabled')
    .option('--no-try', 'do not connect to it first')
    .option('--force', 'install it although the attempt failed')
    .option('--replace', 'make a server anew that was installed from this entry; grants and keys stay')
    .option('--dry-run', 'only try it; nothing is installed')
    .action(async (id: string, options: Options, command: Command) => {
      const { call, json } = connect(command, terminal);
      const details = await call(api.getCatalogEntry, { params: { id } });
      await assertThere(options, call);
      const form = await chooseForm(details, options, terminal);
      if (!json) tellBefore(details, form, terminal);
      const values = await fillForm(forExisting(details, form, options), options, terminal);
      const chosen = { transport: form.transport, auth: form.auth, values, ...versionOf(options) };
      if (options.try && !json) tellTrying(form, terminal);
      const tried = options.try ? await attempt(call, id, chosen) : undefined;
      if (tried && !json) tellTried(tried, terminal);
      if (tried && !tried.ok) await insist(tried, options, terminal);
      if (options.dryRun) return json ? print(terminal, { tried }) : undefined;
      const groups = await groupsFor(options, call, terminal);
      const installed = await call(api.installCatalogEntry, {
        params: { id },
        body: { ...chosen, ...settingsOf(options), groups },
      });
      if (json) return print(terminal, { tried, installed });
      tellInstalled(installed, options, terminal);
      if (tried && !tried.ok) outcome.code = 1;
    });
}

function attempt(
  call: Call,
  id: string,
  body: z.input<typeof api.tryCatalogEntry.body>,
): Promise<z.infer<typeof tryResult>> {
  return call(api.tryCatalogEntry, { params: { id }, body, timeoutMs: tryTimeoutMs });
}

/** A server that is there already asks only for what it was installed with. */
function forExisting({ installed, serverId }: Details, form: Form, { as, replace }: Options): Form {
  const there = replace ? undefined : installed.find(({ id }) => id === (as ?? serverId));
  if (there?.origin?.transport !== form.transport || there.origin.auth !== form.auth) return form;
  const { fields } = there.origin;
  const asked = form.fields.filter(({ name }) => fields.includes(name));
  return { ...form, oneOf: [], fields: asked.map((field) => ({ ...field, required: true })) };
}

function settingsOf({ as, tenant, name, enabled, replace }: Options) {
  return {
    ...(as !== undefined && { as }),
    ...(name !== undefined && { displayName: name }),
    ...(tenant !== undefined && { for: { tenant } }),
    ...{ enabled, replace: replace ?? false },
  };
}

function versionOf({ pin }: Options): { version?: string } {
  return pin === undefined ? {} : { version: pin };
}

/** What is misspelled is told before anything is started or asked for. */
async function assertThere({ groups, tenant }: Options, call: Call): Promise<void> {
  if (tenant !== undefined) await call(access.getTenant, { params: { id: tenant } });
  for (const name of namesIn(groups ?? '')) await call(access.getGroup, { params: { name } });
}

/** Those of the option, else those that a person names; nobody else gets it without being asked for. */
async function groupsFor({ groups }: Options, call: Call, terminal: Terminal): Promise<string[]> {
  if (groups !== undefined) return namesIn(groups);
  const person = personAt(terminal);
  if (person === undefined) return [];
  const { items } = await call(access.listGroups, { query: { limit: 200 } });
  if (items.length === 0) return [];
  terminal.writeError(`Groups: ${items.map(({ name }) => plain(name)).join(', ')}\n`);
  return namesIn(await person.ask('Which of them get it (separated by commas, default none)? '));
}

function namesIn(text: string): string[] {
  return text
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

async function insist(
  { steps }: z.infer<typeof tryResult>,
  { force, dryRun }: Options,
  terminal: Terminal,
): Promise<void> {
  // The installation refuses such an address as well, whatever anybody says.
  if (steps.some(({ step, ok }) => step === 'address' && ok === false))
    throw new CallError('Nothing was installed; this address may not be reached, or cannot be found.');
  if (force) return;
  const person = dryRun ? undefined : personAt(terminal);
  const answer = person && (await person.ask('Install it all the same (y, default n)? '));
  if (/^y(es)?$/i.test(answer?.trim() ?? '')) return;
  throw new CallError('Nothing was installed; --force installs it all the same.');
}

function tellBefore({ name, howTo, warnings }: Details, form: Form, terminal: Terminal): void {
  const way = `--transport ${form.transport} --auth ${form.auth}`;
  const lines = [`${name}: ${form.reaches} (${way})`, ...howTo, ...warnings, ...form.warnings];
  terminal.writeError(`${lines.map(plain).join('\n')}\n\n`);
}

function tellTrying({ reaches }: Form, terminal: Terminal): void {
  const mayTakeLong = /^https?:/.test(reaches) ? '' : '; a first start may have to fetch a package';
  terminal.writeError(`Trying it${mayTakeLong} …\n`);
}

function tellTried({ steps }: z.infer<typeof tryResult>, terminal: Terminal): void {
  const words = { true: 'ok', false: 'FAILED', null: '-' };
  const rows = steps.map(({ step, ok, message }) => [step, words[`${ok}`], message]);
  terminal.writeError(table(['STEP', 'STATE', ''], rows, ''));
}

function tellInstalled(
  { server, created, credentials, variables, groups, next }: z.infer<typeof installResult>,
  { replace }: Options,
  terminal: Terminal,
): void {
  const before = replace ? 'is installed anew' : 'was there already';
  const stored = [...credentials.map((name) => `key ${name}`), ...variables];
  const lines = [
    created ? `The server ${server.id} is installed.` : `The server ${server.id} ${before}.`,
    ...(stored.length === 0 ? [] : [`Stored: ${stored.join(', ')}.`]),
    ...(groups.length === 0 ? [] : [`Granted to ${groups.join(', ')}.`]),
    ...next,
  ];
  terminal.write(`${lines.map(plain).join('\n')}\n`);
}

function print(terminal: Terminal, value: unknown): void {
  terminal.write(`${JSON.stringify(value, null, 2)}\n`);
}
