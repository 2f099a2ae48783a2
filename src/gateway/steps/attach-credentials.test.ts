import { describe, expect, test } from 'vitest';
import { caller } from '../../../test/access-world.ts';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import { rightsOf, type SnapshotServer } from '../../access/index.ts';
import type { CredentialQuestion, FoundCredential } from '../../secrets/index.ts';
import type { Gate } from '../call.ts';
import { missingName, questionFor, targetOf } from './attach-credentials.ts';

const picture = pictureOf({
  servers: {
    shared: { type: 'http', url: 'https://a.example/mcp', headers: { 'x-key': '${credential}' } },
    two: {
      ...{ type: 'http', url: 'https://c.example/mcp' },
      headers: { a: '${credential:first}', b: '${credential.basic:second:third}' },
    },
    open: { type: 'http', url: 'https://d.example/mcp' },
    misspelt: { type: 'http', url: 'https://e.example/mcp', headers: { a: '${credential:a b}' } },
    personal: { type: 'http', url: 'https://b.example/mcp', isolation: 'user' },
  },
  tenants: { acme: { endpoints: { shared: 'https://acme.example/mcp' } }, globex: {} },
  groups: { Developers: {}, Acme: { tenant: 'acme' }, Globex: { tenant: 'globex' }, Zeta: {} },
  users: {
    'alice@acme.com': { groups: ['Developers', 'Acme', 'Globex'] },
    'bob@acme.com': { groups: ['Developers', 'Acme'] },
  },
});

interface Asking {
  readonly tenant?: string;
  readonly principal?: string;
  /** What the vault answers; a function to see the question. */
  readonly key?: FoundCredential | null | ((q: CredentialQuestion) => FoundCredential | null);
}

function reaching({ tenant, principal = 'alice@acme.com' }: Asking) {
  const who = caller(principal);
  return {
    snapshot: picture,
    tenant: tenant === undefined ? null : picture.tenants.get(tenant)!,
    principal: who,
    rights: rightsOf(picture, who, 0),
    session: null,
    subjectToken: () => undefined,
  };
}

function gateWith(key: Asking['key'] = null): Gate {
  const find = typeof key === 'function' ? key : () => key;
  // Nothing else of the gate is looked at for a server without accounts.
  return { vault: { find } } as unknown as Gate;
}

function reach(id: string, asking: Asking) {
  return targetOf(reaching(asking), gateWith(asking.key), picture.servers.get(id) as SnapshotServer);
}

test('callers who share a connection share the target, until their key is replaced or taken away', () => {
  const key = credential('k', 'shared');
  const first = reach('shared', { key });
  expect(first).toBeDefined();
  expect(reach('shared', { key, principal: 'bob@acme.com' })).toBe(first);
  const replaced = reach('shared', { key: credential('k', 'shared', '2') });
  expect(replaced?.credentials.get('default')?.version).toBe('2');
  expect(replaced?.key).not.toBe(first?.key);
  expect(reach('shared', { key: null })).toBeUndefined();
});

test('tenants have targets of their own, each with its address and its key', () => {
  const of = (tenant: string) => reach('shared', { tenant, key: credential(tenant, 'tenant') });
  const targets = ['acme', 'globex', 'acme'].map(of);
  expect(targets.map((target) => target?.url)).toEqual([
    'https://acme.example/mcp',
    'https://a.example/mcp',
    'https://acme.example/mcp',
  ]);
  expect(targets.map((target) => target?.scope)).toEqual(['tenant:acme', 'tenant:globex', 'tenant:acme']);
  expect(targets.map((target) => target?.credentials.get('default')?.id)).toEqual(['acme', 'globex', 'acme']);
});

test('where each user is kept apart, nobody gets the target of somebody else', () => {
  const scopes = ['alice@acme.com', 'bob@acme.com'].map(
    (principal) => reach('personal', { principal })?.scope,
  );
  expect(scopes).toEqual(['user:alice@acme.com', 'user:bob@acme.com']);
});

describe('a key of a person or a group', () => {
  const alices = credential('alice@acme.com', 'user');
  const ofTenant = credential('acme', 'tenant');
  const developers = credential('Developers', 'group');

  test('makes a connection of its own, which those without it never get, whoever asks first', () => {
    const own: Asking = { tenant: 'acme', key: alices };
    const others: Asking = { tenant: 'acme', principal: 'bob@acme.com', key: ofTenant };
    for (let round = 0; round < 2; round += 1) {
      expect(reach('shared', own)).toMatchObject({ scope: 'user:alice@acme.com', tenant: 'acme' });
      expect(reach('shared', own)?.credentials.get('default')).toBe(alices);
      expect(reach('shared', others)).toMatchObject({ scope: 'tenant:acme', tenant: 'acme' });
      expect(reach('shared', others)?.credentials.get('default')).toBe(ofTenant);
    }
    expect(reach('shared', own)?.key).not.toBe(reach('shared', others)?.key);
  });

  test('is made once for each tenant, however often others ask in between', () => {
    const of = (tenant: string) => reach('shared', { tenant, key: alices });
    const [inAcme, inGlobex] = [of('acme'), of('globex')];
    reach('shared', { tenant: 'acme', principal: 'bob@acme.com', key: ofTenant });
    expect(of('acme')).toBe(inAcme);
    expect(of('globex')).toBe(inGlobex);
    expect(inAcme?.key).not.toBe(inGlobex?.key);
  });

  test('of a group is shared by its members within a tenant, and by nobody else', () => {
    const of = (principal: string, tenant: string) => reach('shared', { principal, tenant, key: developers });
    const first = of('alice@acme.com', 'acme');
    expect(first?.scope).toBe('group:acme:Developers');
    expect(of('bob@acme.com', 'acme')).toBe(first);
    expect(of('alice@acme.com', 'globex')?.scope).toBe('group:globex:Developers');
    const other = reach('shared', { tenant: 'acme', key: credential('Zeta', 'group') });
    expect(other?.scope).toBe('group:acme:Zeta');
  });
});

describe('a server that asks for several', () => {
  const all: Record<string, FoundCredential> = {
    first: credential('acme', 'tenant'),
    second: credential('shared-key', 'shared'),
    third: credential('alice@acme.com', 'user'),
  };
  const of = (keys: Readonly<Record<string, FoundCredential>>, principal = 'alice@acme.com') =>
    reach('two', { tenant: 'acme', principal, key: ({ name }) => keys[name] ?? null });

  test('takes each from where it is most specific, and belongs to the owner of the most specific one', () => {
    const target = of(all);
    expect([...(target?.credentials ?? [])].map(([name, { id }]) => [name, id])).toEqual([
      ['first', 'acme'],
      ['second', 'shared-key'],
      ['third', 'alice@acme.com'],
    ]);
    expect(target?.scope).toBe('user:alice@acme.com');
    expect(of(all)).toBe(target);
    const bobs = of({ ...all, third: credential('bob@acme.com', 'user') }, 'bob@acme.com');
    expect(bobs?.scope).toBe('user:bob@acme.com');
    expect(bobs?.key).not.toBe(target?.key);
  });

  test('has another target as soon as one of them is another', () => {
    const target = of(all);
    const changed = of({ ...all, second: credential('shared-key', 'shared', '2') });
    expect(changed?.key).not.toBe(target?.key);
    expect(of(all)?.key).toBe(target?.key);
  });

  test('is out of reach while one is missing, and it is known which', () => {
    const { second: _gone, ...rest } = all;
    expect(of(rest)).toBeUndefined();
    const server = picture.servers.get('two')!;
    const asking: Asking = { tenant: 'acme', key: ({ name }) => rest[name as 'first'] ?? null };
    const filled = reach('two', { ...asking, key: ({ name }) => all[name] ?? null })!.filled;
    expect(missingName(reaching(asking), gateWith(asking.key), { server, filled })).toBe('second');
  });
});

test('a server without keys asks for none', () => {
  const key = () => {
    throw new Error('was asked');
  };
  expect(reach('open', { key })).toMatchObject({ scope: '' });
  expect(reach('open', { key, principal: 'bob@acme.com' })).toBe(reach('open', { key }));
});

test('a stored definition that asks for something impossible is out of reach, and harms nothing else', () => {
  expect(reach('misspelt', { key: credential('k', 'shared') })).toBeUndefined();
});

describe('what is asked for', () => {
  const at = { server: 'shared', name: 'default', elsewhere: false };

  test.each([
    ['acme', ['Acme', 'Developers']],
    ['globex', ['Developers', 'Globex']],
    [undefined, ['Developers']],
  ])('groups of other tenants than %j lend nothing', (tenant, groups) => {
    const asking = reaching(tenant === undefined ? {} : { tenant });
    expect(questionFor(asking, at)).toEqual({
      ...{ tenant: tenant ?? null, user: 'alice@acme.com', groups },
      ...at,
    });
    // The same list each time: it is looked at for every call.
    expect(questionFor(asking, at).groups).toBe(questionFor(asking, at).groups);
  });

  test('an address that the tenant set for itself is told', () => {
    const asked: CredentialQuestion[] = [];
    const key = (q: CredentialQuestion) => {
      asked.push(q);
      return null;
    };
    reach('shared', { tenant: 'acme', key });
    reach('shared', { tenant: 'globex', key });
    expect(asked.map(({ tenant, elsewhere }) => [tenant, elsewhere])).toEqual([
      ['acme', true],
      ['globex', false],
    ]);
  });

  test('who looks at one group alone has the keys of no other', () => {
    const who = caller('alice@acme.com', { onlyGroup: 'Acme' });
    const asking = { ...reaching({ tenant: 'acme' }), principal: who, rights: rightsOf(picture, who, 0) };
    expect(questionFor(asking, at).groups).toEqual(['Acme']);
  });
});
