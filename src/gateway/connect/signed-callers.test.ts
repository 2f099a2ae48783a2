import { expect, test } from 'vitest';
import { type Filled, fillIn, type Rights, type SnapshotServer } from '../../access/index.ts';
import { caller, snapshotOf } from '../../../test/access-world.ts';
import type { SignedIdentity } from '../../identity/index.ts';
import { type SignCaller, SignedCallers } from './signed-callers.ts';

const said: [SignedIdentity, string][] = [];
const sign: SignCaller = (facts, audience) => Promise.resolve(`signature ${said.push([facts, audience])}`);

function findWith(
  callers: SignedCallers,
  o: { who?: string; groups?: string[]; url?: string; vouched?: boolean; kind?: 'user' | 'service' } = {},
) {
  const { who = 'alice@acme.com', groups = ['Sales'], kind = 'user', vouched = true } = o;
  const principal = { ...caller(who, { authSource: 'open-webui' }), kind };
  // Nothing else of these is looked at.
  const server = { id: 'sales' } as SnapshotServer;
  const rights = { groups, admin: false } as unknown as Rights;
  const filled = {
    url: o.url ?? 'https://sales.acme.com/mcp?x=1',
    trusted: true,
    vouched,
  } as unknown as Filled;
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
  ['a server or an address that the operator did not write', { vouched: false }],
  ['an address with a secret in it', { url: 'https://sales.acme.com/mcp?key=${credential:key}' }],
] as const)('nobody is said by %s', (_what, o) => {
  expect(findWith(new SignedCallers(sign), o)).toBeNull();
});

test('without a key of the installation nobody is said', () => {
  expect(findWith(new SignedCallers(undefined))).toBeNull();
});

test.each([
  [true, 'the file has both the server and the address of the tenant', { server: 'file', address: 'file' }],
  [false, 'the file has the address alone', { server: 'admin', address: 'file' }],
  [
    false,
    'the file has the address alone, and a header leads elsewhere',
    { server: 'admin', address: 'file', headers: { Host: 'evil.example' } },
  ],
  [false, 'the file has the server alone', { server: 'file', address: 'admin' }],
] as const)('somebody is said (%s) where %s', (isSaid, _what, by) => {
  const headers = 'headers' in by ? by.headers : {};
  const definition: object = { url: 'https://a.example/', headers, account: { kind: 'signed' } };
  const server = { ...snapshotOf({ servers: { it: definition } }).servers.get('it')!, managedBy: by.server };
  const override = { url: 'https://acme.example/mcp', managedBy: by.address };
  const tenant = { id: 'acme', managedBy: 'file' } as const;
  const filled = fillIn(server, { tenant, override, variableOf: () => undefined });
  if (!filled.ok) throw new Error(filled.kind);
  const principal = caller('alice@acme.com', { authSource: 'open-webui' });
  const rights = { groups: [], admin: false } as unknown as Rights;
  const found = new SignedCallers(sign).find({ principal, rights }, { server, filled });
  expect(found !== null).toBe(isSaid);
});
