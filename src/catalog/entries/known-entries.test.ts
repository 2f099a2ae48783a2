import { expect, test } from 'vitest';
import { catalogMistakes } from '../../../scripts/catalog.ts';
import { check, formatPath } from '../../platform/mistakes.ts';
import { catalogEntry, catalogFile, type CatalogFile } from '../contract.ts';
import { clashingEntries, createKnownEntries } from './known-entries.ts';
import { shippedFiles } from './shipped.ts';

const remote = { type: 'streamable-http', url: 'https://tools.acme.com/mcp' };
const npm = { type: 'stdio', runtime: 'npx', package: '@acme/tools', version: '1.2.3' };
const entry = (part: Record<string, unknown>) => ({
  ...{ id: 'ours', name: 'Ours', description: 'Our tools', transports: [remote] },
  ...part,
});
const file = (...entries: Record<string, unknown>[]): CatalogFile => catalogFile.parse(entries.map(entry));

test('the shipped entries have no mistakes', () => {
  expect(catalogMistakes()).toEqual([]);
});

test('mistakes of shipped entries are found: twice the same, no exact version, a variable that runs code', () => {
  const [one] = shippedFiles();
  const content = [
    { ...entry({ category: 'ai', transports: [{ ...npm, version: '1' }] }) },
    { ...entry({ category: 'other', auth: { env: [{ name: 'NODE_OPTIONS', description: 'x' }] } }) },
    { ...entry({ transports: [{ ...remote, url: 'http://tools.acme.com' }] }) },
  ];
  const mistakes = catalogMistakes([{ file: one?.file ?? '', content }]).join('\n');
  for (const wanted of [
    'not one exact version',
    'is in',
    'NODE_OPTIONS',
    'not https',
    'another file',
    'no homepage',
  ])
    expect(mistakes).toContain(wanted);
});

test.each<[string, Record<string, unknown>, string]>([
  ['an id that no server can have', { id: 'a'.repeat(30) }, 'id'],
  [
    'a field that is not declared',
    { transports: [{ ...remote, url: 'https://{host}/mcp' }] },
    'transports[0].variables',
  ],
  [
    'a field that is filled in nowhere',
    { transports: [{ ...remote, variables: [{ name: 'x', description: 'x' }] }] },
    'transports[0].variables[0]',
  ],
  [
    'a secret host',
    {
      transports: [
        { ...remote, url: 'https://{host}/', variables: [{ name: 'host', description: 'x', secret: true }] },
      ],
    },
    'transports[0].variables[0].secret',
  ],
  [
    'an optional part of a path',
    {
      transports: [
        {
          ...remote,
          url: 'https://a.acme.com/{p}',
          variables: [{ name: 'p', description: 'x', required: false }],
        },
      ],
    },
    'transports[0].variables[0].required',
  ],
  [
    'the name of the active tenant',
    {
      transports: [
        { ...remote, url: 'https://{tenant}/', variables: [{ name: 'tenant', description: 'x' }] },
      ],
    },
    'transports[0].variables[0].name',
  ],
  ['a URL that is none', { transports: [{ ...remote, url: 'file:///etc/passwd' }] }, 'transports[0].url'],
  ['a user in a URL', { transports: [{ ...remote, url: 'https://a:b@acme.com/' }] }, 'transports[0].url'],
  [
    'a variable of the environment in a URL',
    { transports: [{ ...remote, url: 'https://${env:X}/' }] },
    'transports[0].url',
  ],
  [
    'a credential of a server in an argument',
    { transports: [{ ...npm, args: ['${credential}'] }] },
    'transports[0].args[0]',
  ],
  ['a line break in an argument', { transports: [{ ...npm, args: ['a\nb'] }] }, 'transports[0].args[0]'],
  ['an option for a package', { transports: [{ ...npm, package: '--call=sh' }] }, 'transports[0].package'],
  [
    'a URL for a package',
    { transports: [{ ...npm, package: 'https://evil.com/x.tgz' }] },
    'transports[0].package',
  ],
  [
    'a version with a package',
    { transports: [{ ...npm, package: 'tools@npm:evil' }] },
    'transports[0].package',
  ],
  ['a range', { transports: [{ ...npm, version: '^1.0.0' }] }, 'transports[0].version'],
  [
    'a digest of a package',
    { transports: [{ ...npm, version: `sha256:${'a'.repeat(64)}` }] },
    'transports[0].version',
  ],
  ['a runtime that nobody knows', { transports: [{ ...npm, runtime: 'sh' }] }, 'transports[0].runtime'],
  [
    'a tag in the name of an image',
    { transports: [{ ...npm, runtime: 'docker', package: 'acme/tools:1' }] },
    'transports[0].package',
  ],
  ['two fields in one argument', { transports: [{ ...npm, args: ['{a}{b}'] }] }, 'transports[0].args[0]'],
  [
    'a kind without a field for its key',
    { transports: [{ ...remote, auth: ['bearer'] }] },
    'transports[0].auth',
  ],
  [
    'accounts without a word about OAuth',
    { transports: [{ ...remote, auth: ['oauth'] }] },
    'transports[0].auth',
  ],
  ['two ways of one id', { transports: [remote, { ...remote, id: 'http' }] }, 'transports[1].id'],
  [
    'two headers of one name',
    {
      auth: {
        headers: [
          { name: 'X-A', description: 'x' },
          { name: 'x-a', description: 'x' },
        ],
      },
    },
    'auth.headers[1].name',
  ],
  [
    'a header that is none',
    { auth: { headers: [{ name: 'X A', description: 'x' }] } },
    'auth.headers[0].name',
  ],
  [
    'a line break in a header',
    { auth: { headers: [{ name: 'A', description: 'x', valueTemplate: 'a\r\nb: {t}' }] } },
    'auth.headers[0].valueTemplate',
  ],
  ['no way at all', { transports: [] }, 'transports'],
  ['a key that nobody knows', { command: 'sh' }, 'command'],
])('refused: %s', (_, part, path) => {
  const checked = check(catalogEntry, entry(part));
  expect(checked.ok ? [] : checked.mistakes.map((mistake) => formatPath(mistake.path))).toContain(path);
});

test('entries of the config file stand beside the shipped ones, and are found', () => {
  const current = { file: file({ name: 'Zebra stripes' }) };
  const entries = createKnownEntries(() => current.file);
  expect(entries.all()).toHaveLength(211);
  expect(entries.find('ours')).toMatchObject({ isPrivate: true, name: 'Zebra stripes' });
  expect(entries.find('github')).toMatchObject({ isPrivate: false });
  expect(entries.search('zebra')[0]?.id).toBe('ours');
  current.file = file({ id: 'github', replaces: true, name: 'Our GitHub' });
  expect(entries.find('github')).toMatchObject({ isPrivate: true, name: 'Our GitHub' });
  expect(entries.search('zebra')).toEqual([]);
  current.file = [];
  expect(entries.find('github')).toMatchObject({ isPrivate: false, name: 'GitHub' });
});

test.each<[string, CatalogFile, string[]]>([
  ['a shipped id', file({ id: 'github' }), ['catalog[0].id']],
  ['a shipped id that is replaced', file({ id: 'github', replaces: true }), []],
  ['a replacement of nothing', file({ replaces: true }), ['catalog[0].id']],
  ['the same id twice', file({}, {}), ['catalog[1].id']],
  ['an address of the API', file({ id: 'categories' }), ['catalog[0].id']],
  ['an id of its own', file({}), []],
])('%s', (_, entries, paths) => {
  expect(clashingEntries(entries).map(({ path }) => formatPath(path))).toEqual(paths);
});
