import { expect, test } from 'vitest';
import type { Filled, Rights, SnapshotServer } from '../../access/index.ts';
import { caller } from '../../../test/access-world.ts';
import type { SignedIdentity } from '../../identity/index.ts';
import { type SignCaller, SignedCallers } from './signed-callers.ts';

const said: [SignedIdentity, string][] = [];
const sign: SignCaller = (facts, audience) => Promise.resolve(`signature ${said.push([facts, audience])}`);

function findWith(
  callers: SignedCallers,
  o: { who?: string; groups?: string[]; url?: string; trusted?: boolean; kind?: 'user' | 'service' } = {},
) {
  const { who = 'alice@acme.com', groups = ['Sales'], kind = 'user', trusted = true } = o;
  const principal = { ...caller(who, { authSource: 'open-webui' }), kind };
  // Nothing else of these is looked at.
  const server = { id: 'sales' } as SnapshotServer;
  const rights = { groups, admin: false } as unknown as Rights;
  const filled = { url: o.url ?? 'https://sales.acme.com/mcp?x=1', trusted } as unknown as Filled;
  return callers.find({ principal, rights }, { server, filled });
}

test('the caller is said with their groups, to the host of the server and nobody else', async () => {
  const found = findWith(new SignedCallers(sign));
  expect(await found?.changing?.current()).toMatch(/^signature/);
  const facts = {
    email: 'alice@acme.com',
    name: '',
    groups: ['Sales'],
    admin: false,
    authSource: 'open-webui',
  };
  expect(said.at(-1)).toEqual([facts, 'https://sales.acme.com']);
  expect(found).toMatchObject({ owner: 'user', ownerId: 'alice@acme.com' });
  expect(() => found?.open()).toThrow();
});

test('the same caller keeps a connection, and no other caller or set of groups has it', () => {
  const callers = new SignedCallers(sign);
  const first = findWith(callers);
  expect(findWith(callers)).toBe(first);
  const others = [{ who: 'bob@acme.com' }, { groups: [] }, { url: 'https://other.acme.com/mcp' }];
  const versions = others.map((other) => findWith(callers, other)?.version);
  expect(new Set([first?.version, ...versions]).size).toBe(4);
});

test.each([
  ['a program', { kind: 'service' }],
  ['an address that the operator did not write', { trusted: false }],
  ['an address with a secret in it', { url: 'https://sales.acme.com/mcp?key=${credential:key}' }],
] as const)('nobody is said by %s', (_what, o) => {
  expect(findWith(new SignedCallers(sign), o)).toBeNull();
});

test('without a key of the installation nobody is said', () => {
  expect(findWith(new SignedCallers(undefined))).toBeNull();
});
