import { expect, test } from 'vitest';
import type { ServerOrigin } from '../../access/contract.ts';
import { type CatalogEntry, catalogEntry } from '../contract.ts';
import { shippedEntries } from '../entries/shipped.ts';
import { allowsArguments, allowsCommand } from './allows-command.ts';
import { formOf } from './forms.ts';
import { makeDefinition } from './make-definition.ts';

const shipped = new Map(shippedEntries().map((entry) => [entry.id, { ...entry, isPrivate: false }]));
const find = (id: string) => shipped.get(id);

function installed(id: string, transport: string, fields: readonly string[], version = '1.2.3') {
  const form = formOf(shipped.get(id) as CatalogEntry, transport);
  if (form?.way.type !== 'stdio') throw new Error('it is a process');
  const pin = { version, digest: null };
  const definition = makeDefinition({ form, filled: new Set(fields), pin });
  if (definition.type !== 'stdio') throw new Error('it is a process');
  const origin: ServerOrigin = {
    ...{ entry: id, transport, auth: form.auth, fields: [...fields], package: form.way.package, ...pin },
    ...{ pinned: 'given', installedAt: new Date(0).toISOString() },
  };
  return { definition, origin };
}

const github = () => installed('gitlab-community', 'npx', ['GITLAB_PERSONAL_ACCESS_TOKEN']);
const files = () => installed('filesystem', 'npx', ['allowed_path']);
const hub = () => installed('docker-hub', 'docker', ['username', 'HUB_PAT_TOKEN'], '1.2.3');

test('what the catalog makes is allowed, and may be named, switched and limited otherwise', () => {
  for (const { definition, origin } of [github(), files(), hub()]) {
    expect(allowsCommand(find, definition, origin)).toBe(true);
    const renamed = { ...definition, displayName: 'Ours', enabled: false, limits: { memoryMb: 64 } };
    expect(allowsCommand(find, renamed, origin)).toBe(true);
  }
});

test.each<[string, () => ReturnType<typeof github>]>([
  ['another command', () => changed(github(), { command: 'sh' })],
  ['an argument more', () => changed(github(), { args: [...github().definition.args, '--eval'] })],
  ['another package', () => changed(github(), { args: ['-y', 'evil@1.2.3'] })],
  ['another version than its pin', () => changed(github(), { args: ['-y', '@zereight/mcp-gitlab@1.2.4'] })],
  ['a variable more', () => changed(github(), { env: { ...github().definition.env, NODE_OPTIONS: '-r x' } })],
  ['a variable less', () => changed(github(), { env: {} })],
  ['another text in a variable', () => changed(github(), { env: { GITLAB_PERSONAL_ACCESS_TOKEN: 'x' } })],
  ['a directory', () => changed(github(), { cwd: '/' })],
  ['a mount of a container', () => changed(hub(), { args: mounted(hub().definition.args) })],
  ['no pin', () => from(github(), { version: null })],
  ['a tag instead of a version', () => from(github(), { version: 'latest' })],
  ['the alias of another package', () => from(github(), { version: 'npm:evil@1.0.0' })],
  ['another package in its origin', () => from(github(), { package: 'evil' })],
  ['an entry that is not there', () => from(github(), { entry: 'evil' })],
  ['a way that the entry does not have', () => from(github(), { transport: 'docker' })],
  ['a kind of signing in that it does not have', () => from(github(), { auth: 'oauth' })],
])('%s is not allowed', (_, hostile) => {
  const { definition, origin } = hostile();
  expect(allowsCommand(find, definition, origin)).toBe(false);
});

test('what came from an entry that is gone, or that is another one since, is not allowed', () => {
  const { definition, origin } = github();
  expect(allowsCommand(() => undefined, definition, origin)).toBe(false);
  const other = catalogEntry.parse({
    ...shippedEntries().find((one) => one.id === 'gitlab-community'),
    transports: [
      { type: 'stdio', runtime: 'npx', package: '@zereight/mcp-gitlab', args: ['--new'], auth: ['api-key'] },
    ],
  });
  expect(allowsCommand(() => ({ ...other, isPrivate: false }), definition, origin)).toBe(false);
});

test('a program of the machine is run for an entry of the operator, and for no shipped one', () => {
  const way = { type: 'stdio', runtime: 'binary', package: '/opt/acme/tools', args: ['--stdio'] };
  const entry = catalogEntry.parse({ id: 'ours', name: 'Ours', description: 'Ours', transports: [way] });
  const form = formOf(entry, 'binary');
  if (!form) throw new Error('it has a way');
  const definition = makeDefinition({ form, filled: new Set(), pin: null });
  if (definition.type !== 'stdio') throw new Error('it is a process');
  const origin: ServerOrigin = {
    ...{ entry: 'ours', transport: 'binary', auth: 'none', fields: [], package: '/opt/acme/tools' },
    ...{ version: null, digest: null, pinned: 'not-pinned', installedAt: new Date(0).toISOString() },
  };
  expect(allowsCommand(() => ({ ...entry, isPrivate: true }), definition, origin)).toBe(true);
  expect(allowsCommand(() => ({ ...entry, isPrivate: false }), definition, origin)).toBe(false);
});

test.each<[boolean, string, string]>([
  [true, 'a relative path', '${dataDir}/reports/2026'],
  [true, 'its own directory', '${dataDir}/.'],
  [false, 'a path elsewhere', '/etc'],
  [false, 'a way out', '${dataDir}/../../etc'],
  [false, 'an absolute path behind it', '${dataDir}//etc'],
  [false, 'an option', '--help'],
  [false, 'nothing', '${dataDir}/'],
])('%s: an argument that was filled in with %s', (allowed, _, arg) => {
  const { definition, origin } = files();
  const args = [...definition.args.slice(0, -1), arg];
  expect(allowsArguments(find, { args, env: {} }, origin)).toBe(allowed);
});

test.each<[boolean, string, string[]]>([
  [true, 'a value', ['--transport=stdio', '--username=acme']],
  [false, 'none', ['--transport=stdio', '--username=']],
  [false, 'two lines', ['--transport=stdio', '--username=a\n--other']],
  [false, 'another option', ['--transport=http', '--username=acme']],
  [false, 'an argument more', ['--transport=stdio', '--username=acme', '--x']],
])('%s: arguments of a container that were filled in with %s', (allowed, _, rest) => {
  const { definition, origin } = hub();
  const args = [...definition.args.slice(0, -2), ...rest];
  expect(allowsArguments(find, { args, env: { HUB_PAT_TOKEN: 'secret' } }, origin)).toBe(allowed);
  const env = { HUB_PAT_TOKEN: 'secret', LD_PRELOAD: '/tmp/x.so' };
  expect(allowsArguments(find, { args, env }, origin)).toBe(false);
});

type Installed = ReturnType<typeof github>;

function changed(one: Installed, part: Partial<Installed['definition']>): Installed {
  return { ...one, definition: { ...one.definition, ...part } };
}

function from(one: Installed, part: Partial<ServerOrigin>): Installed {
  return { ...one, origin: { ...one.origin, ...part } };
}

function mounted(args: readonly string[]): string[] {
  return [...args.slice(0, 3), '-v', '/:/host', ...args.slice(3)];
}
