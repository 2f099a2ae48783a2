import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../binding.ts';
import type { CredentialQuestion } from '../credential.ts';
import { CredentialIndex } from './credential-index.ts';
import { ladder } from './ladder.ts';
import { MasterKey } from '../master-keys/master-key.ts';
import { createSecretBox } from '../sealing/secret-box.ts';
import type { SealedRow } from './vault-store.ts';

const box = createSecretBox(new MasterKey(randomBytes(32)));

/** Keys by what they are called in these tests: `alice`, `alice@acme`, `Dev`, `Dev@acme`, `acme`, `shared`. */
const known: Readonly<Record<string, Pick<Binding, 'tenant' | 'owner'>>> = {
  ...Object.fromEntries(
    ['alice', 'bob'].flatMap((user) => [
      [user, { tenant: null, owner: userOwner(user) }],
      [`${user}@acme`, { tenant: 'acme', owner: userOwner(user) }],
      [`${user}@globex`, { tenant: 'globex', owner: userOwner(user) }],
    ]),
  ),
  ...Object.fromEntries(
    ['Dev', 'Ops', 'Acme', 'Globex'].flatMap((group) => [
      [group, { tenant: null, owner: groupOwner(group) }],
      [`${group}@acme`, { tenant: 'acme', owner: groupOwner(group) }],
      [`${group}@globex`, { tenant: 'globex', owner: groupOwner(group) }],
    ]),
  ),
  acme: { tenant: 'acme', owner: tenantOwner('acme') },
  globex: { tenant: 'globex', owner: tenantOwner('globex') },
  shared: { tenant: null, owner: sharedOwner },
};

function row(id: string): SealedRow {
  const { tenant, owner } = known[id]!;
  return { id, tenant, owner, server: 'github', name: 'default', sealed: `sealed ${id}`, lastFour: '' };
}

function indexOf(keys: readonly string[]): CredentialIndex {
  const index = new CredentialIndex(box);
  index.put(keys.map(row));
  return index;
}

const alice: CredentialQuestion = {
  ...{ tenant: 'acme', user: 'alice', groups: ['Dev', 'Ops'] },
  ...{ server: 'github', name: 'default', elsewhere: false },
};

describe('which key alice of Dev and Ops uses', () => {
  const cases: readonly [string, readonly string[], Partial<CredentialQuestion>, string | undefined][] = [
    // Precedence of the levels.
    ['her own before all others', ['alice', 'Dev', 'acme', 'shared'], {}, 'alice'],
    ['her group’s before her tenant’s', ['Dev', 'acme', 'shared'], {}, 'Dev'],
    ['her tenant’s before the shared one', ['acme', 'shared'], {}, 'acme'],
    ['the shared one last', ['shared'], {}, 'shared'],
    ['none', [], {}, undefined],
    // Within a level.
    ['her own of the active tenant before her own of none', ['alice', 'alice@acme'], {}, 'alice@acme'],
    ['her own of none in any other tenant', ['alice', 'alice@acme'], { tenant: 'globex' }, 'alice'],
    ['her own of none without a tenant', ['alice', 'alice@acme'], { tenant: null }, 'alice'],
    ['the first group by name', ['Ops', 'Dev'], {}, 'Dev'],
    ['a group’s key of the tenant before one of none', ['Dev', 'Ops@acme'], {}, 'Ops@acme'],
    ['the first group by name among those of the tenant', ['Ops@acme', 'Dev@acme', 'Dev'], {}, 'Dev@acme'],
    // Nothing of another tenant.
    ['never her own of another tenant', ['alice@globex'], {}, undefined],
    ['nor in no tenant at all', ['alice@acme', 'Dev@acme', 'acme'], { tenant: null }, undefined],
    ['never her group’s of another tenant', ['Dev@globex'], {}, undefined],
    ['never another tenant’s', ['globex'], {}, undefined],
    [
      'her tenant’s, whatever another tenant has',
      ['alice@globex', 'Dev@globex', 'globex', 'acme'],
      {},
      'acme',
    ],
    // Nothing of other people.
    ['never somebody else’s', ['bob', 'bob@acme'], {}, undefined],
    ['never one of a group that she is not in', ['Acme', 'Acme@acme', 'Globex'], {}, undefined],
    ['no user’s for nobody in particular', ['alice', 'Dev', 'shared'], { user: null, groups: [] }, 'shared'],
    // At an address that the tenant set for itself.
    [
      'not her own of no tenant at an address of the tenant’s',
      ['alice', 'acme'],
      { elsewhere: true },
      'acme',
    ],
    ['not her group’s of no tenant either', ['Dev', 'acme'], { elsewhere: true }, 'acme'],
    ['her own for this tenant there', ['alice', 'alice@acme', 'acme'], { elsewhere: true }, 'alice@acme'],
    ['her group’s of this tenant there', ['Dev', 'Ops@acme', 'acme'], { elsewhere: true }, 'Ops@acme'],
    [
      'the shared one there, which is for wherever the server is',
      ['alice', 'Dev', 'shared'],
      { elsewhere: true },
      'shared',
    ],
    // Other servers and names.
    ['nothing for another server', ['alice', 'Dev', 'acme', 'shared'], { server: 'files' }, undefined],
    ['nothing under another name', ['alice', 'Dev', 'acme', 'shared'], { name: 'second' }, undefined],
  ];
  test.each(cases)('%s', (_what, keys, more, expected) => {
    expect(indexOf(keys).find({ ...alice, ...more })?.id).toBe(expected);
    expect(indexOf(keys.toReversed()).find({ ...alice, ...more })?.id).toBe(expected);
  });
});

test('the order in which keys come and go does not matter', () => {
  const ids = Object.keys(known);
  for (let round = 0; round < 200; round += 1) {
    const index = new CredentialIndex(box);
    let held: string[] = [];
    for (let step = 0; step < 6; step += 1) {
      held = ids.filter(() => Math.random() < 0.3);
      const rows = held.map(row);
      index.keepOnly(new Set(held));
      index.put(rows);
    }
    for (const tenant of ['acme', 'globex', null]) {
      const q = { ...alice, tenant, elsewhere: Math.random() < 0.5 };
      expect(index.find(q)?.id).toBe(indexOf(held).find(q)?.id);
    }
    expect(index.size).toBe(held.length);
  }
});

test('the ladder says of every key why it is used or not, and agrees with what is used', () => {
  const ids = Object.keys(known);
  for (let round = 0; round < 300; round += 1) {
    const index = indexOf(ids.filter(() => Math.random() < 0.4));
    const q = { ...alice, tenant: round % 2 === 0 ? 'acme' : null, elsewhere: Math.random() < 0.5 };
    const rungs = ladder(index, q, ['Globex']);
    const [used, ...more] = rungs.filter(({ verdict }) => verdict === 'used');
    expect(used?.id).toBe(index.find(q)?.id);
    expect(more).toEqual([]);
    const first = rungs.find(({ verdict }) => verdict === 'used' || verdict === 'beaten');
    expect(first).toBe(used);
  }
});

test('the ladder, most specific first', () => {
  const index = indexOf([
    'shared',
    'acme',
    'globex',
    'Globex',
    'Dev',
    'Ops@acme',
    'alice',
    'alice@globex',
    'bob',
  ]);
  const said = (q: CredentialQuestion) =>
    ladder(index, q, ['Globex']).map(({ id, verdict }) => `${id}: ${verdict}`);
  expect(said(alice)).toEqual([
    'alice: used',
    'alice@globex: other_tenant',
    'Ops@acme: beaten',
    'Dev: beaten',
    'Globex: group_of_other_tenant',
    'acme: beaten',
    'shared: beaten',
  ]);
  expect(said({ ...alice, elsewhere: true })).toEqual([
    'alice: elsewhere',
    'alice@globex: other_tenant',
    'Ops@acme: used',
    'Dev: elsewhere',
    'Globex: group_of_other_tenant',
    'acme: beaten',
    'shared: beaten',
  ]);
});
