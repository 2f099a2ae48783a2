import { hkdfSync, randomBytes } from 'node:crypto';
import { inspect } from 'node:util';
import { expect, test } from 'vitest';
import { createLog } from '../../platform/log.ts';
import { deriveKey, MasterKey } from './master-key.ts';

test('a key prints as its id, however it is printed', () => {
  const bytes = randomBytes(32);
  const key = new MasterKey(bytes);
  const lines: string[] = [];
  const log = createLog('info', { write: (line) => void lines.push(line) });
  log.info({ key, nested: { key } }, String(key));
  const printed = [
    String(key),
    JSON.stringify({ key }),
    inspect(key, { depth: 9, showHidden: true }),
    inspect({ ...key }, { depth: 9, showHidden: true }),
    ...lines,
  ].join('\n');
  for (const form of ['base64', 'base64url', 'hex'] as const)
    expect(printed).not.toContain(bytes.toString(form));
  expect(String(key)).toBe(`[master key ${key.id}]`);
});

test('it goes on working when the bytes that it was made of are wiped', () => {
  const bytes = randomBytes(32);
  const key = new MasterKey(bytes);
  const before = key.derive('x');
  bytes.fill(0);
  expect(key.derive('x')).toEqual(before);
});

test('derived keys are the same for one purpose and differ between purposes and master keys', () => {
  const [one, other] = [new MasterKey(randomBytes(32)), new MasterKey(randomBytes(32))];
  expect(deriveKey(one, 'sessions')).toHaveLength(32);
  expect(deriveKey(one, 'sessions')).toEqual(deriveKey(one, 'sessions'));
  const all = [
    deriveKey(one, 'sessions'),
    deriveKey(one, 'state'),
    deriveKey(other, 'sessions'),
    one.sealing.export(),
    one.wrapping.export(),
  ];
  expect(new Set(all.map((key) => key.toString('hex'))).size).toBe(5);
});

test('what is derived stays what it was: sessions and stored secrets of earlier versions depend on it', () => {
  const bytes = Buffer.alloc(32, 7);
  const key = new MasterKey(bytes);
  const hkdf = (info: string) => Buffer.from(hkdfSync('sha256', bytes, '', info, 32));
  expect(key.id).toBe('2f63931a');
  expect(deriveKey(key, 'sealed state')).toEqual(hkdf('toolgate purpose sealed state'));
  expect(key.sealing.export()).toEqual(hkdf('toolgate seal v1'));
});
