import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { type Binding, sharedOwner, tenantOwner } from '../binding.ts';
import { MasterKey, type MasterKeys } from '../master-keys/master-key.ts';
import { rewrap } from './seal.ts';
import { createSecretBox } from './secret-box.ts';

const first = new MasterKey(randomBytes(32));
const second = new MasterKey(randomBytes(32));
const keys: MasterKeys = { current: () => second, get: (id) => first.get(id) ?? second.get(id) };
const acmes: Binding = { tenant: 'acme', owner: tenantOwner('acme'), server: 'github', name: 'default' };

test('a version stays through a rotation and changes when the secret is replaced, also by the same one', () => {
  const box = createSecretBox(keys);
  const sealed = createSecretBox(first).seal('secret', acmes);
  expect(box.versionOf(rewrap(keys, sealed, acmes))).toBe(box.versionOf(sealed));
  expect(box.versionOf(createSecretBox(first).seal('secret', acmes))).not.toBe(box.versionOf(sealed));
});

test('it seals under the key in force and opens with every key that it has', () => {
  const box = createSecretBox(keys);
  const [old, sealed] = [createSecretBox(first).seal('old', acmes), box.seal('new', acmes)];
  expect(box.keyIdOf(sealed)).toBe(second.id);
  expect([box.open(old, acmes), box.open(sealed, acmes)]).toEqual(['old', 'new']);
  expect([first.id, second.id, '00000000'].map((id) => box.holds(id))).toEqual([true, true, false]);
});

test('a text that was sealed for something else is told of, one whose key is not here is not', () => {
  const told: unknown[] = [];
  const box = createSecretBox(keys, (binding, text) => void told.push([binding, text]));
  const sealed = box.seal('secret', acmes);
  const shared: Binding = { ...acmes, tenant: null, owner: sharedOwner };
  expect(box.open(sealed, acmes)).toBe('secret');
  expect(() => box.open(sealed, shared)).toThrow('sealed for something else');
  const foreign = createSecretBox(new MasterKey(randomBytes(32))).seal('secret', acmes);
  expect(() => box.open(foreign, acmes)).toThrow('which is not here');
  expect(told).toEqual([[shared, sealed]]);
});
