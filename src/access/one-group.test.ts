import { expect, test } from 'vitest';
import { caller, snapshotOf } from '../../test/access-world.ts';
import { activeTenant } from './active-tenant.ts';
import { can } from './can.ts';
import { rightsOf } from './rights.ts';
import { standingOf } from './standing.ts';

const snapshot = snapshotOf({
  servers: { a: {}, b: {}, c: {}, off: { enabled: false } },
  groups: {
    one: { servers: { a: ['get_*'], off: ['*'] } },
    two: { servers: ['b'] },
    acme: { tenant: 'acme', servers: ['c'] },
    beta: { tenant: 'beta' },
    bosses: { admin: true },
  },
  tenants: { acme: {}, beta: {} },
  users: {
    'ann@acme.com': { groups: ['one', 'two', 'acme', 'beta'], servers: ['c'] },
    'ben@acme.com': { groups: ['two'] },
    'boss@acme.com': { groups: ['bosses'] },
    'out@acme.com': { groups: ['one'], disabled: true },
    '*@acme.com': { servers: ['b'] },
  },
});
const only = (id: string, onlyGroup: string) => caller(id, { onlyGroup });
const seen = (id: string, group: string) => rightsOf(snapshot, only(id, group), 0).servers;

test('a URL of one group shows what it grants: nothing of other groups, own grants or the domain’s', () => {
  expect(seen('ann@acme.com', 'one')).toEqual(['a']);
  expect(seen('ann@acme.com', 'two')).toEqual(['b']);
  const may = (tool: string) => can(snapshot, only('ann@acme.com', 'one'), { server: 'a', tool }, 0).allow;
  expect([may('get_x'), may('set_x')]).toEqual([true, false]);
  expect(rightsOf(snapshot, caller('ann@acme.com'), 0).servers).toEqual(['a', 'b', 'c']);
});

test('whoever is not in it sees what a group that does not exist shows', () => {
  const theirs = rightsOf(snapshot, only('ben@acme.com', 'one'), 0);
  const nobodys = rightsOf(snapshot, only('ben@acme.com', 'none'), 0);
  expect(theirs).toEqual(nobodys);
  expect(theirs.servers).toEqual([]);
});

test('an admin sees what the group grants and no more, and stays an admin', () => {
  expect(seen('boss@acme.com', 'one')).toEqual(['a']);
  expect(seen('boss@acme.com', 'none')).toEqual([]);
  expect(seen('boss@acme.com', 'bosses')).toEqual(['a', 'b', 'c']);
  expect(rightsOf(snapshot, only('boss@acme.com', 'one'), 0).admin).toBe(true);
});

test('it never lets in who is out', () => {
  expect(rightsOf(snapshot, only('out@acme.com', 'one'), 0)).toMatchObject({ disabled: true, servers: [] });
  expect(can(snapshot, only('out@acme.com', 'one'), { server: 'a' }, 0).allow).toBe(false);
});

test('lists of a narrowed view are never those of the whole', () => {
  const whole = rightsOf(snapshot, caller('ann@acme.com'), 0).signature;
  const narrow = rightsOf(snapshot, only('ann@acme.com', 'one'), 0).signature;
  expect(narrow).not.toBe(whole);
  expect(rightsOf(snapshot, only('boss@acme.com', 'one'), 0).signature).toBe(narrow);
});

test('a group that is a tenant says which one is meant; for others the tenants stay', () => {
  const tenant = (group: string | undefined, path: string | null = null) => {
    const principal = group === undefined ? caller('ann@acme.com') : only('ann@acme.com', group);
    const active = activeTenant(snapshot, principal, rightsOf(snapshot, principal, 0), path);
    return active.ok ? (active.tenant?.id ?? null) : active.code;
  };
  expect(tenant(undefined)).toBe('tenant_ambiguous');
  expect(tenant('acme')).toBe('acme');
  expect(tenant('acme', 'beta')).toBe('tenant_unknown');
  expect(tenant('one')).toBe('tenant_ambiguous');
  expect(tenant('one', 'beta')).toBe('beta');
});

test('groups that do not exist are one, however many names somebody makes up', () => {
  const of = (onlyGroup: string, more = {}) =>
    standingOf(snapshot, caller('ann@acme.com', { onlyGroup, ...more }), 0);
  expect(of('none')).toBe(of('x'.repeat(50_000)));
  expect(of('none').groups.size).toBe(0);
  const asserted = { assertedGroups: ['two'], assertedBy: 'oidc:x' };
  expect(of('none', asserted).groups.size).toBe(0);
  expect(standingOf(snapshot, caller('ann@acme.com', asserted), 0).groups.size).toBe(4);
});
