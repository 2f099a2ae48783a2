import { expect, test } from 'vitest';
import { caller, snapshotOf } from '../../test/access-world.ts';
import { rightsOf } from './rights.ts';

const world = {
  servers: { b: {}, a: {}, off: { enabled: false } },
  tenants: { t2: {}, t1: { emailDomains: ['acme.com'] } },
  groups: {
    Admins: { admin: true },
    Readers: { tenant: 't2', servers: { a: ['get_*', 'list_*'] } },
    'Other readers': { servers: { a: ['list_*', 'get_*'] } },
    Everything: { servers: { a: ['*'], b: ['*'], off: ['*'] } },
  },
  users: {
    'r1@acme.com': { groups: ['Readers'] },
    'r2@other.org': { groups: ['Other readers'] },
    'r3@other.org': { groups: ['Other readers', 'Readers'] },
    'e1@other.org': { groups: ['Everything', 'Readers'] },
    'e2@other.org': { groups: ['Everything'] },
    'root@other.org': { groups: ['Admins', 'Readers'] },
    'gone@other.org': { groups: ['Admins'], disabled: true },
    'late@other.org': {},
  },
  memberships: [{ user: 'late@other.org', group: 'Everything', expiresAt: 100 }],
};
const snapshot = snapshotOf(world);
const of = (id: string, now = 0) => rightsOf(snapshot, caller(id), now);

test('rights say what a caller has, sorted', () => {
  expect(of('r1@acme.com')).toMatchObject({
    admin: false,
    groups: ['Readers'],
    tenants: ['t1', 't2'],
    servers: ['a'],
  });
  expect(of('root@other.org')).toMatchObject({
    admin: true,
    groups: ['Admins', 'Readers'],
    servers: ['a', 'b'],
  });
  expect(of('gone@other.org')).toMatchObject({ disabled: true, admin: false, servers: [] });
});

test('the signature tells permission sets apart, not people', () => {
  expect(of('r1@acme.com').signature).toBe(of('r2@other.org').signature);
  expect(of('r3@other.org').signature).toBe(of('r2@other.org').signature);
  expect(of('e1@other.org').signature).toBe(of('e2@other.org').signature);
  expect(of('root@other.org').signature).toBe(of('e1@other.org').signature);
  expect(of('gone@other.org').signature).toBe(of('nobody@other.org').signature);
  const all = ['r1@acme.com', 'e1@other.org', 'nobody@other.org'];
  expect(new Set(all.map((id) => of(id).signature)).size).toBe(all.length);
});

test('rights are worked out once for each caller', () => {
  expect(rightsOf(snapshot, caller('r1@acme.com'), 5)).toBe(rightsOf(snapshot, caller('r1@acme.com'), 6));
});

test('rights are kept no longer than the next membership that expires', () => {
  expect(of('late@other.org', 0).servers).toEqual(['a', 'b']);
  expect(of('late@other.org', 99).servers).toEqual(['a', 'b']);
  expect(of('late@other.org', 100).servers).toEqual([]);
});

test('rights of one token are not those of another of the same person', () => {
  const asserted = caller('r1@acme.com', { assertedGroups: ['Everything'], assertedBy: 'oidc:corp' });
  const trick = caller('r1@acme.com', { assertedGroups: ['x\nEverything'], assertedBy: 'oidc:corp' });
  expect(rightsOf(snapshot, asserted, 0).servers).toEqual(['a', 'b']);
  expect(rightsOf(snapshot, trick, 0).servers).toEqual(['a']);
  expect(of('r1@acme.com').servers).toEqual(['a']);
});

test('a server’s own rule is part of the signature, so lists can outlive a snapshot', () => {
  const narrowed = snapshotOf({ ...world, servers: { ...world.servers, a: { tools: ['get_*'] } } });
  const again = snapshotOf(world);
  expect(rightsOf(narrowed, caller('r1@acme.com'), 0).signature).not.toBe(of('r1@acme.com').signature);
  expect(rightsOf(again, caller('r1@acme.com'), 0).signature).toBe(of('r1@acme.com').signature);
});

test('another snapshot knows nothing of the rights in this one', () => {
  expect(of('r1@acme.com').servers).toEqual(['a']);
  const later = snapshotOf({ ...world, servers: { ...world.servers, a: { enabled: false } } });
  expect(rightsOf(later, caller('r1@acme.com'), 0).servers).toEqual([]);
});
