import { describe, expect, test } from 'vitest';
import { caller, snapshotOf } from '../../test/access-world.ts';
import { accessFile, toolOverrides } from './contract.ts';
import { danglingReferences } from './dangling-references.ts';
import { explain } from './explain.ts';
import { rightsOf } from './rights.ts';

const world = {
  servers: { shop: { toolOverrides: { list: { name: 'orders', description: 'All orders.' } } }, plain: {} },
  groups: {
    all: { servers: ['shop', 'plain'] },
    b: { toolOverrides: { shop: { list: { name: 'from_b', title: 'B' } } } },
    a: { toolOverrides: { shop: { list: { name: 'from_a' } } } },
  },
  users: {
    'one@x.org': { groups: ['all'] },
    'two@x.org': { groups: ['all', 'b'] },
    'three@x.org': { groups: ['b', 'all', 'a'] },
    'none@x.org': { groups: ['a'] },
  },
};
const snapshot = snapshotOf(world);
const rights = (id: string) => rightsOf(snapshot, caller(id), 0);
const textOf = (id: string) => rights(id).texts.get('shop')?.byTool.get('list');

test('each text comes from the first group by name that states it, else from the server', () => {
  expect(textOf('one@x.org')).toEqual({ name: 'orders', description: 'All orders.' });
  expect(textOf('two@x.org')).toEqual({ name: 'from_b', title: 'B', description: 'All orders.' });
  expect(textOf('three@x.org')).toEqual({ name: 'from_a', title: 'B', description: 'All orders.' });
  expect(rights('one@x.org').texts.has('plain')).toBe(false);
});

test('texts give nobody a server', () => {
  expect(rights('none@x.org').servers).toEqual([]);
  expect(rights('none@x.org').texts.size).toBe(0);
});

test('two who are told something else have signatures of their own, two who are told the same share one', () => {
  const ids = ['one@x.org', 'two@x.org', 'three@x.org'];
  expect(new Set(ids.map((id) => rights(id).signature)).size).toBe(3);
  const { toolOverrides: _gone, ...same } = { ...world.groups.b, servers: [] };
  const other = snapshotOf({ ...world, groups: { ...world.groups, b: same } });
  const signature = (id: string) => rightsOf(other, caller(id), 0).signature;
  expect(signature('one@x.org')).toBe(rights('one@x.org').signature);
  expect(signature('two@x.org')).toBe(rights('one@x.org').signature);
});

test.each([
  ['list', 'three@x.org sees the tool list as from_a, from group a.'],
  [
    'from_a',
    'three@x.org sees the tool list as from_a, from group a, unless shop has a tool from_a of its own, which keeps that name.',
  ],
])('explain() takes the name %s, and answers about the server’s own', (tool, sentence) => {
  const { allowed, reasons } = explain(snapshot, { user: 'three@x.org', server: 'shop', tool }, 0);
  expect(allowed).toBe(true);
  expect(reasons).toEqual(
    expect.arrayContaining([
      'three@x.org may call the tool list of the server shop.',
      sentence,
      'The name from_b from group b does not count: group a comes first.',
      'The name orders from the server’s definition does not count: group a comes first.',
    ]),
  );
});

test('explain() says nothing of names where there are none', () => {
  const { reasons } = explain(snapshot, { user: 'one@x.org', server: 'plain', tool: 'list' }, 0);
  expect(reasons.join(' ')).not.toContain('sees the tool');
});

describe('what a text may be', () => {
  test.each([
    [{ t: { name: 'a.b' } }],
    [{ t: { name: '' } }],
    [{ t: { name: 'x'.repeat(45) } }],
    [{ t: { name: 'ends_h123abc' } }],
    [{ t: {} }],
    [{ t: { nmae: 'x' } }],
    [{ t: { name: 'x' }, u: { name: 'x' } }],
    [Object.fromEntries(Array.from({ length: 501 }, (_, at) => [`t${at}`, { title: 'x' }]))],
  ])('refuses %j', (overrides) => {
    expect(toolOverrides.safeParse(overrides).success).toBe(false);
  });

  test('a name that does not fit beside its server, and a server that is not there, are mistakes of the file', () => {
    const name = 'x'.repeat(30);
    const file = accessFile.parse({
      mcpServers: {
        'twenty-characters-id': { command: 'x', toolOverrides: { t: { name } } },
        short: { command: 'x', toolOverrides: { t: { name } } },
      },
      groups: {
        g: { toolOverrides: { shrt: { t: { name: 'x' } }, 'twenty-characters-id': { u: { name } } } },
      },
    });
    expect(danglingReferences(file).map(({ path, message }) => `${path.join('.')} ${message}`)).toEqual([
      'mcpServers.twenty-characters-id.toolOverrides.t.name is too long: tools of the server twenty-characters-id may have names of 25 characters',
      'groups.g.toolOverrides.shrt names the server "shrt", which is not in "mcpServers"; did you mean "short"?',
      'groups.g.toolOverrides.twenty-characters-id.u.name is too long: tools of the server twenty-characters-id may have names of 25 characters',
    ]);
  });
});
