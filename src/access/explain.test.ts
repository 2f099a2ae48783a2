import { expect, test } from 'vitest';
import { snapshotOf } from '../../test/access-world.ts';
import { type ExplainQuestion, explain } from './explain.ts';

const now = Date.parse('2026-11-20T12:00:00Z');

const world = snapshotOf({
  servers: { github: { tools: ['*', '!admin_*'] }, files: {}, old: { enabled: false } },
  tenants: { acme: { emailDomains: ['acme.com'] }, beta: {}, closed: { enabled: false } },
  groups: {
    'MCP-Admin': { admin: true },
    'MCP-GitHub': { servers: { github: ['get_*', 'list_*'] } },
    'MCP-Writers': { servers: { github: ['*'] } },
    'MCP-Files': { tenant: 'beta', servers: ['files'] },
  },
  users: {
    'alice@acme.com': { groups: ['MCP-GitHub', 'MCP-Files'] },
    'bob@acme.com': { disabled: true, groups: ['MCP-GitHub'] },
    'dave@x.org': { servers: { github: ['get_me'] } },
    'late@x.org': {},
    'root@x.org': { groups: ['MCP-Admin'] },
    '*@guest.org': { groups: ['MCP-GitHub'], servers: ['files'] },
    '*@gone.org': { servers: ['files'], disabled: true },
  },
  memberships: [
    {
      user: 'late@x.org',
      group: 'MCP-GitHub',
      source: 'oidc:corp',
      expiresAt: Date.parse('2026-11-20T11:00:00Z'),
    },
  ],
});

test.each<[ExplainQuestion, boolean, string[]]>([
  [
    { user: 'alice@acme.com', server: 'github' },
    true,
    [
      'alice@acme.com may see the server github.',
      'alice@acme.com is in MCP-GitHub (from the config file), which grants github: get_*, list_*.',
      'alice@acme.com is also in MCP-Files, without any grant of github.',
      'alice@acme.com has several tenants (acme, beta) and no default one, so a request must name one: /t/{tenant}/mcp.',
    ],
  ],
  [
    { user: 'alice@acme.com', server: 'github', tool: 'delete_repo', tenant: 'acme' },
    false,
    [
      'alice@acme.com may not call the tool delete_repo of the server github for the tenant acme.',
      'alice@acme.com is in MCP-GitHub (from the config file), which grants github: get_*, list_*; that does not cover delete_repo.',
      'alice@acme.com is also in MCP-Files, without any grant of github.',
      'No grant matches the tool delete_repo.',
      'Being in one of these groups would give it: MCP-Writers.',
      'alice@acme.com may act for the tenant acme.',
    ],
  ],
  [
    { user: 'bob@acme.com', server: 'github' },
    false,
    [
      'bob@acme.com may not see the server github.',
      'bob@acme.com is disabled, so nothing is allowed.',
      'bob@acme.com is in MCP-GitHub (from the config file), which grants github: get_*, list_*.',
    ],
  ],
  [
    { user: 'root@x.org', server: 'old' },
    false,
    [
      'root@x.org may not see the server old.',
      'The server old is disabled: nobody sees it, admins included.',
      'root@x.org is in MCP-Admin (from the config file), an admin group: it may use every enabled server.',
    ],
  ],
  [
    { user: 'root@x.org', server: 'github', tool: 'admin_reset' },
    false,
    [
      'root@x.org may not call the tool admin_reset of the server github.',
      'The server github offers only *, !admin_*, so the tool admin_reset is off for everyone, admins included.',
      'root@x.org is in MCP-Admin (from the config file), an admin group: it may use every enabled server.',
    ],
  ],
  [
    { user: 'late@x.org', server: 'github', tool: 'get_me' },
    false,
    [
      'late@x.org may not call the tool get_me of the server github.',
      'late@x.org was in MCP-GitHub (from the sign-in provider corp) until 2026-11-20T11:00:00.000Z; that has expired.',
      'No grant matches the tool get_me.',
      'Being in one of these groups would give it: MCP-GitHub, MCP-Writers.',
    ],
  ],
  [
    { user: 'new@x.org', server: 'githb' },
    false,
    [
      'new@x.org may not see the server githb.',
      'There is no server githb; did you mean "github"?',
      'new@x.org is not known yet and appears at the first sign-in, with no access until a group or a grant gives some.',
    ],
  ],
  [
    { user: 'new@guest.org', server: 'files' },
    true,
    [
      'new@guest.org may see the server files.',
      'new@guest.org is not known yet and appears at the first sign-in, with no access until a group or a grant gives some.',
      'Everybody of guest.org has a grant of its own of files: all tools.',
      'Everybody of guest.org is also in MCP-GitHub, without any grant of files.',
    ],
  ],
  [
    { user: '*@gone.org', server: 'files' },
    false,
    [
      '*@gone.org may not see the server files.',
      'The entry *@gone.org is disabled, so it gives nothing.',
      'No grant of *@gone.org gives the server files.',
      'Being in one of these groups would give it: MCP-Files.',
    ],
  ],
  [
    { user: 'dave@x.org', server: 'github', tool: 'get_me', tenant: 'acme' },
    false,
    [
      'dave@x.org may not call the tool get_me of the server github for the tenant acme.',
      'dave@x.org has a grant of its own of github: get_me; that covers get_me.',
      'dave@x.org is in no group.',
      'dave@x.org is not of the tenant acme: no group that names it, and no e-mail domain of it.',
    ],
  ],
  [
    { user: 'dave@x.org', server: 'github', tenant: 'closed' },
    false,
    [
      'dave@x.org may not see the server github for the tenant closed.',
      'dave@x.org has a grant of its own of github: get_me.',
      'dave@x.org is in no group.',
      'The tenant closed is disabled.',
    ],
  ],
])('%j', (question, allowed, reasons) => {
  expect(explain(world, question, now)).toEqual({ allowed, reasons });
});

test('what is withheld is not allowed, and the answer says why', () => {
  const asked: unknown[] = [];
  const withheld = (question: object) => {
    asked.push(question);
    return 'It waits to be accepted.';
  };
  const question = { user: 'alice@acme.com', server: 'github', tool: 'get_me', tenant: 'acme' };
  const { allowed, reasons } = explain(world, question, now, withheld);
  expect(allowed).toBe(false);
  expect(reasons.slice(0, 2)).toEqual([
    'alice@acme.com may not call the tool get_me of the server github for the tenant acme.',
    'It waits to be accepted.',
  ]);
  expect(reasons.join(' ')).toContain('that covers get_me');
  expect(asked).toEqual([expect.objectContaining({ server: 'github', tool: 'get_me', tenant: 'acme' })]);
  expect(explain(world, { user: 'alice@acme.com', server: 'github' }, now, withheld).allowed).toBe(true);
  expect(asked).toHaveLength(1);
});

test('it is the tenant that is active whose address counts', () => {
  const tenants: unknown[] = [];
  const withheld = ({ tenant }: { tenant: string | null }) => void tenants.push(tenant);
  for (const user of ['dave@x.org', 'alice@acme.com'])
    explain(world, { user, server: 'github', tool: 'get_me' }, now, withheld);
  // Alice has two and no default one.
  expect(tenants).toEqual([null, null]);
  explain(world, { user: 'alice@acme.com', server: 'github', tool: 'get_me', tenant: 'beta' }, now, withheld);
  expect(tenants.at(-1)).toBe('beta');
});
