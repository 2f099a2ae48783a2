import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { firstForm } from '../../../test/first-form.ts';
import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../binding.ts';
import { isRefusal } from '../errors.ts';
import { MasterKey, type MasterKeys } from '../master-keys/master-key.ts';
import { keyIdOf, open, payloadOf, rewrap, seal } from './seal.ts';

const key = new MasterKey(randomBytes(32));
const other = new MasterKey(randomBytes(32));
const both: MasterKeys = { current: () => other, get: (id) => key.get(id) ?? other.get(id) };

const acmes: Binding = { tenant: 'acme', owner: tenantOwner('acme'), server: 'github', name: 'default' };
const shared: Binding = { ...acmes, tenant: null, owner: sharedOwner };
const groups: Binding = { ...acmes, owner: groupOwner('Ops') };
const alices: Binding = { ...acmes, owner: userOwner('alice@acme.com') };
const alicesOwn: Binding = { ...alices, tenant: null };
const installations: Binding = { ...shared, server: '', name: 'sealed state' };

const places: readonly (readonly [string, Binding])[] = [
  ['a tenant', acmes],
  ['another tenant', { ...acmes, tenant: 'globex', owner: tenantOwner('globex') }],
  ['nobody in particular', shared],
  ['a group', groups],
  ['another group', { ...groups, owner: groupOwner('Dev') }],
  ['a group without a tenant', { ...groups, tenant: null }],
  ['a group called like the tenant', { ...groups, owner: groupOwner('acme') }],
  ['a user', alices],
  ['another user', { ...alices, owner: userOwner('bob@acme.com') }],
  ['a user without a tenant', alicesOwn],
  ['a user in another tenant', { ...alices, tenant: 'globex' }],
  ['a user called like the group', { ...alices, owner: userOwner('Ops') }],
  ['another server', { ...acmes, server: 'gitlab' }],
  ['another name', { ...acmes, name: 'second' }],
  ['an account at the server', { ...alices, name: 'oauth:account' }],
  ['the installation', installations],
  ['parts that run into each other', { ...acmes, server: 'githubd', name: 'efault' }],
  ['a tenant that is a part of the other', { ...acmes, tenant: 'acmeg', server: 'ithub' }],
  ['a tenant without a name', { ...acmes, tenant: '' }],
  ['an owner without a name', { ...shared, owner: { level: 'shared', id: '' } }],
];
const swaps = places.flatMap(([from, a]) =>
  places.flatMap(([to, b]) => (from === to ? [] : [{ from, to, a, b }])),
);

test.each(['', 'ghp_0123456789', 'with\nlines\tand ünïcödé 🔑', 'x'.repeat(20_000)])(
  '%j opens as it was sealed',
  (secret) => {
    const sealed = seal(key, secret, acmes);
    expect(sealed).toMatch(new RegExp(`^v2\\.${key.id}\\.[\\w-]{80}\\.[\\w-]{16}\\.[\\w-]{22}\\.[\\w-]*$`));
    expect(open(key, sealed, acmes)).toBe(secret);
  },
);

test('the same secret is sealed differently each time, under a data key of its own', () => {
  const [one, two] = [seal(key, 'same', acmes), seal(key, 'same', acmes)].map((text) => text.split('.'));
  for (const part of [2, 3, 4, 5]) expect(one?.[part]).not.toBe(two?.[part]);
});

test('what was sealed for one place opens at no other', () => {
  expect(swaps.length).toBe(places.length * (places.length - 1));
  for (const { from, to, a, b } of swaps) {
    const sealed = seal(key, 'secret', a);
    expect(() => open(key, sealed, b), `${from} -> ${to}`).toThrow(
      expect.objectContaining({ code: 'credential_unreadable' }),
    );
    // Neither when a rotation has gone over it meanwhile.
    const rotated = rewrap(both, sealed, b);
    expect(() => open(both, rotated, b), `${from} -> ${to}`).toThrow('sealed for something else');
    expect(open(both, rotated, a)).toBe('secret');
  }
});

test('the data key of one secret is of no use to another', () => {
  const [mine, theirs] = [seal(key, 'mine', acmes), seal(key, 'theirs', alices)].map((text) =>
    text.split('.'),
  );
  const mixed = [...(mine ?? []).slice(0, 3), ...(theirs ?? []).slice(3)].join('.');
  for (const place of [acmes, alices])
    expect(() => open(key, mixed, place)).toThrow('sealed for something else');
});

test.each([
  ['as it was sealed', seal(key, 'secret', acmes)],
  ['in the first form', firstForm(key, 'secret', acmes)],
])('every single changed character is noticed, %s', (_form, sealed) => {
  const bytesOf = (text: string) =>
    text
      .split('.')
      .map((part, at) => (at < 2 ? part : Buffer.from(part, 'base64url').toString('hex')))
      .join('.');
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    // The last character of a part may hold unused bits; such a text is the same bytes.
    if (bytesOf(changed) === bytesOf(sealed)) continue;
    expect(() => open(key, changed, acmes), changed).toThrow(
      expect.objectContaining({ code: 'credential_unreadable' }),
    );
  }
});

test('another master key is refused with the id of the one that is needed, and that is no forgery', () => {
  const thrown = thrownBy(() => open(other, seal(key, 'secret', acmes), acmes));
  expect(String(thrown)).toContain(`needs the master key ${key.id}, which is not here`);
  expect(isRefusal(thrown)).toBe(false);
  expect(isRefusal(thrownBy(() => open(key, seal(key, 'secret', acmes), shared)))).toBe(true);
});

test('a text that says it is of another key, which is here as well, does not open', () => {
  const sealed = seal(key, 'secret', acmes).replace(key.id, other.id);
  expect(() => open(both, sealed, acmes)).toThrow('sealed for something else');
  expect(() => rewrap(both, sealed, acmes)).toThrow('sealed for something else');
});

test.each([
  '',
  'ghp_plaintext-canary',
  'v1.ghp_plaintext-canary',
  'v2.00000000.a.b.c.ghp_plaintext-canary',
  'v1.0000000g.ghp_plaintext-canary.b.c',
  'a.b.c.d.ghp_plaintext-canary',
  'v3.00000000.ghp_plaintext-canary',
])('the unsealed text %j is refused and not repeated', (text) => {
  for (const thrown of [thrownBy(() => open(key, text, acmes)), thrownBy(() => rewrap(key, text, acmes))]) {
    expect(thrown).toMatchObject({ code: 'credential_unreadable' });
    expect(isRefusal(thrown)).toBe(true);
    expect(inspect(thrown, { depth: 9 })).not.toContain('canary');
  }
  expect(keyIdOf(text)).toBeNull();
});

test('a rotation changes the key around a secret, and nothing of what the secret was sealed to', () => {
  const before = seal(key, 'secret', acmes);
  const after = rewrap(both, before, acmes);
  expect(keyIdOf(after)).toBe(other.id);
  expect(payloadOf(after)).toBe(payloadOf(before));
  expect(after.split('.')[2]).not.toBe(before.split('.')[2]);
  expect(open(other, after, acmes)).toBe('secret');
  expect(() => open(key, after, acmes)).toThrow(`needs the master key ${other.id}`);
});

test('the first form still opens for tenants and shared, and becomes the other one in a rotation', () => {
  for (const place of [acmes, shared]) {
    const old = firstForm(key, 'from before', place);
    expect(keyIdOf(old)).toBe(key.id);
    expect(open(both, old, place)).toBe('from before');
    const sealed = rewrap(both, old, place);
    expect(sealed).toMatch(new RegExp(`^v2\\.${other.id}\\.`));
    expect(open(other, sealed, place)).toBe('from before');
  }
});

test.each<[string, Binding, Binding]>([
  ['a group', acmes, groups],
  ['a user', acmes, alices],
  ['a user without a tenant', shared, alicesOwn],
  ['another tenant', acmes, { ...acmes, tenant: 'globex', owner: tenantOwner('globex') }],
  ['everybody', acmes, shared],
  ['a tenant, as if of another', acmes, { ...acmes, owner: tenantOwner('globex') }],
])('the first form does not open for %s', (_who, from, to) => {
  expect(() => open(key, firstForm(key, 'secret', from), to)).toThrow('sealed for something else');
});

function thrownBy(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return error;
  }
  throw new Error('nothing was thrown');
}
