import { randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { MasterKey } from './master-key.ts';
import type { Binding } from './binding.ts';
import { open, seal } from './seal.ts';

const key = new MasterKey(randomBytes(32));
const binding: Binding = { tenant: 'acme', server: 'github', name: 'default' };

test.each(['', 'ghp_0123456789', 'with\nlines\tand ünïcödé 🔑', 'x'.repeat(20_000)])(
  '%j opens as it was sealed',
  (secret) => {
    const sealed = seal(key, secret, binding);
    expect(sealed).toMatch(new RegExp(`^v1\\.${key.id}\\.[\\w-]{16}\\.[\\w-]{22}\\.[\\w-]*$`));
    expect(open(key, sealed, binding)).toBe(secret);
  },
);

test('the same secret is sealed differently each time', () => {
  expect(seal(key, 'same', binding)).not.toBe(seal(key, 'same', binding));
});

test.each<Binding>([
  { ...binding, tenant: 'other' },
  { ...binding, tenant: null },
  { ...binding, server: 'gitlab' },
  { ...binding, name: 'second' },
  { tenant: 'acmeg', server: 'ithub', name: 'default' },
  { tenant: 'acme', server: 'githubd', name: 'efault' },
])('a sealed text that was moved to %j does not open', (other) => {
  expect(() => open(key, seal(key, 'secret', binding), other)).toThrow(
    expect.objectContaining({ code: 'credential_unreadable' }),
  );
});

test('a shared credential is not that of a tenant with an empty id', () => {
  const shared = seal(key, 'secret', { ...binding, tenant: null });
  expect(() => open(key, shared, { ...binding, tenant: '' })).toThrow(
    expect.objectContaining({ code: 'credential_unreadable' }),
  );
});

test('every single changed character is noticed', () => {
  const sealed = seal(key, 'secret', binding);
  for (let at = 0; at < sealed.length; at += 1) {
    const changed = sealed.slice(0, at) + (sealed[at] === 'A' ? 'B' : 'A') + sealed.slice(at + 1);
    // The last character of a part may hold unused bits; such a text is the same bytes.
    const same = changed
      .split('.')
      .slice(2)
      .every((part, n) => {
        return Buffer.from(part, 'base64url').equals(
          Buffer.from(sealed.split('.')[n + 2] ?? '', 'base64url'),
        );
      });
    if (same && changed.startsWith(`v1.${key.id}.`)) continue;
    expect(() => open(key, changed, binding), changed).toThrow(
      expect.objectContaining({ code: 'credential_unreadable' }),
    );
  }
});

test('another master key is refused with the id of the one that is needed', () => {
  const other = new MasterKey(randomBytes(32));
  expect(() => open(other, seal(key, 'secret', binding), binding)).toThrow(
    `needs the master key ${key.id}, and this is ${other.id}`,
  );
});

test.each([
  '',
  'ghp_plaintext-canary',
  'v1.ghp_plaintext-canary',
  'v2.00000000.a.b.c',
  'v1.0000000g.ghp_plaintext-canary.b.c',
  'a.b.c.d.ghp_plaintext-canary',
])('the unsealed text %j is refused and not repeated', (text) => {
  let thrown: unknown;
  try {
    open(key, text, binding);
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'credential_unreadable' });
  expect(inspect(thrown, { depth: 9 })).not.toContain('canary');
});
