import { expect, test } from 'vitest';
import { caller, snapshotOf } from '../../test/access-world.ts';
import { activeTenant } from './active-tenant.ts';
import type { Principal } from './contract.ts';
import { rightsOf } from './rights.ts';

const world = snapshotOf({
  tenants: {
    acme: { emailDomains: ['acme.com'] },
    beta: {},
    closed: { enabled: false, emailDomains: ['closed.org'] },
    zeta: {},
  },
  groups: {
    'Tenant-Acme': { tenant: 'acme' },
    'Tenant-Beta': { tenant: 'beta' },
    'Tenant-Closed': { tenant: 'closed' },
    'MCP-Admin': { admin: true },
  },
  users: {
    'both@x.org': { groups: ['Tenant-Beta', 'Tenant-Acme'] },
    'default@x.org': { groups: ['Tenant-Beta', 'Tenant-Acme'], defaultTenant: 'beta' },
    'elsewhere@x.org': { groups: ['Tenant-Beta', 'Tenant-Acme'], defaultTenant: 'zeta' },
    'half@x.org': { groups: ['Tenant-Beta', 'Tenant-Closed'], defaultTenant: 'closed' },
    'root@x.org': { groups: ['MCP-Admin'] },
    'two@acme.com': { groups: ['Tenant-Beta'] },
    '*@pattern.org': { groups: ['Tenant-Beta', 'Tenant-Acme'], defaultTenant: 'acme' },
    'service:beta': { groups: ['Tenant-Beta'] },
  },
});

const both = caller('both@x.org');
const unknown = (...choices: string[]) => ({ code: 'tenant_unknown', choices });
const ambiguous = (...choices: string[]) => ({ code: 'tenant_ambiguous', choices });

test.each<[string, Principal, string | null, unknown]>([
  ['nobody’s tenant is none', caller('x@y.org'), null, null],
  ['the domain’s tenant', caller('x@acme.com'), null, 'acme'],
  ['the only enabled one', caller('half@x.org'), null, 'beta'],
  ['several without a default', both, null, ambiguous('acme', 'beta')],
  ['of a group and of the domain', caller('two@acme.com'), null, ambiguous('acme', 'beta')],
  ['the default one', caller('default@x.org'), null, 'beta'],
  ['a default of others does not count', caller('elsewhere@x.org'), null, ambiguous('acme', 'beta')],
  ['the default that a pattern states', caller('x@pattern.org'), null, 'acme'],
  ['the path comes before the default', caller('default@x.org'), 'acme', 'acme'],
  ['a tenant of others looks like none', both, 'zeta', unknown('acme', 'beta')],
  ['one that does not exist', both, 'nope', unknown('acme', 'beta')],
  ['a disabled one', caller('half@x.org'), 'closed', unknown('beta')],
  ['a disabled one by domain', caller('x@closed.org'), null, null],
  ['an admin may name any enabled one', caller('root@x.org'), 'zeta', 'zeta'],
  ['but no disabled one', caller('root@x.org'), 'closed', unknown()],
  ['and has none by itself', caller('root@x.org'), null, null],
  ['the token’s comes before the default', caller('default@x.org', { tokenTenant: 'acme' }), null, 'acme'],
  ['the same by path', caller('default@x.org', { tokenTenant: 'acme' }), 'acme', 'acme'],
  ['no way out of it by path', caller('default@x.org', { tokenTenant: 'acme' }), 'beta', unknown('acme')],
  ['not even for an admin', caller('root@x.org', { tokenTenant: 'acme' }), 'beta', unknown('acme')],
  [
    'a user’s token outlives no membership',
    caller('both@x.org', { tokenTenant: 'zeta' }),
    null,
    unknown('acme', 'beta'),
  ],
  ['a service is where its token is', caller('service:any', { tokenTenant: 'zeta' }), null, 'zeta'],
  ['unless that is disabled', caller('service:any', { tokenTenant: 'closed' }), null, unknown()],
  ['a service has its groups’ tenants', caller('service:beta'), null, 'beta'],
  ['no domain is a service’s', { ...caller('x@acme.com'), kind: 'service' }, null, null],
])('%s', (_, principal, fromPath, expected) => {
  const answer = activeTenant(world, principal, rightsOf(world, principal, 0), fromPath);
  if (answer.ok) expect(answer.tenant?.id ?? null).toBe(expected);
  else expect({ code: answer.code, choices: answer.choices }).toEqual(expected);
});
