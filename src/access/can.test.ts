import { expect, test } from 'vitest';
import { caller, snapshotOf } from '../../test/access-world.ts';
import { can } from './can.ts';
import type { AccessQuestion, Principal } from './contract.ts';

const now = 1_000_000;

const world = snapshotOf({
  servers: { github: {}, files: { tools: ['*', '!write_*'] }, wiki: {}, old: { enabled: false } },
  groups: {
    'MCP-Admin': { admin: true },
    'MCP-GitHub': { servers: { github: ['get_*', 'list_*'], old: ['*'] } },
    'MCP-Issues': { servers: { github: ['*_issue', '!delete_*'] } },
    'MCP-Files': { servers: ['files'] },
    Empty: {},
  },
  users: {
    'alice@acme.com': { groups: ['MCP-GitHub', 'MCP-Files'] },
    'bob@acme.com': { groups: ['Empty'] },
    'carol@acme.com': { groups: ['MCP-GitHub', 'MCP-Issues'] },
    'dave@other.org': { servers: { github: ['get_me'] } },
    'erin@acme.com': { groups: ['MCP-Admin'], disabled: true },
    'root@acme.com': { groups: ['MCP-Admin'] },
    'late@acme.com': {},
    '*@acme.com': { servers: { wiki: ['read_*'] } },
    '*@guest.org': { groups: ['MCP-Files'] },
    '*@gone.org': { groups: ['MCP-Files'], servers: ['wiki'], disabled: true },
    'service:bot': { groups: ['MCP-GitHub'] },
  },
  memberships: [
    { user: 'late@acme.com', group: 'MCP-Files', source: 'oidc:corp', expiresAt: now },
    { user: 'late@acme.com', group: 'MCP-GitHub', source: 'oidc:corp', expiresAt: now + 1 },
  ],
});

const alice = caller('alice@acme.com');
const root = caller('root@acme.com');
const token = (groups: string[], by = 'oidc:corp') => ({ assertedGroups: groups, assertedBy: by });
const yes = (...via: string[]) => ({ allow: true, via });
const no = (reason: string) => ({ allow: false, reason });

test.each<[string, Principal, AccessQuestion, ReturnType<typeof yes> | ReturnType<typeof no>]>([
  ['a group lets its members see the server', alice, { server: 'github' }, yes('group MCP-GitHub')],
  [
    'a pattern lets through what it matches',
    alice,
    { server: 'github', tool: 'get_me' },
    yes('group MCP-GitHub'),
  ],
  ['a pattern stops the rest', alice, { server: 'github', tool: 'create_issue' }, no('tool_not_granted')],
  [
    'a grant of some tools is not the whole',
    alice,
    { server: 'github', whole: true },
    no('whole_server_not_granted'),
  ],
  ['a grant of all tools is the whole', alice, { server: 'files', whole: true }, yes('group MCP-Files')],
  [
    'grants add up',
    caller('carol@acme.com'),
    { server: 'github', tool: 'create_issue' },
    yes('group MCP-Issues'),
  ],
  [
    'a refusal binds its own grant only',
    caller('carol@acme.com'),
    { server: 'github', tool: 'get_issue' },
    yes('group MCP-GitHub', 'group MCP-Issues'),
  ],
  [
    'a refusal refuses',
    caller('carol@acme.com'),
    { server: 'github', tool: 'delete_issue' },
    no('tool_not_granted'),
  ],
  [
    'what the server itself withholds is off',
    alice,
    { server: 'files', tool: 'write_file' },
    no('tool_off_for_everyone'),
  ],
  ['and for admins', root, { server: 'files', tool: 'write_file' }, no('tool_off_for_everyone')],
  ['an admin sees every enabled server', root, { server: 'wiki' }, yes('admin group MCP-Admin')],
  [
    'an admin calls every tool',
    root,
    { server: 'github', tool: 'delete_repo' },
    yes('admin group MCP-Admin'),
  ],
  ['an admin reads the whole', root, { server: 'github', whole: true }, yes('admin group MCP-Admin')],
  ['an admin never sees a disabled server', root, { server: 'old' }, no('server_disabled')],
  ['nobody else does', alice, { server: 'old', tool: 'get_me' }, no('server_disabled')],
  ['an unknown server is nobody’s', root, { server: 'nope' }, no('server_unknown')],
  ['nor is one named like an object’s own property', root, { server: 'constructor' }, no('server_unknown')],
  [
    'a disabled user has nothing, admin or not',
    caller('erin@acme.com'),
    { server: 'wiki' },
    no('user_disabled'),
  ],
  [
    'not even by a token',
    caller('erin@acme.com', token(['MCP-Admin'])),
    { server: 'wiki' },
    no('user_disabled'),
  ],
  ['an empty group gives nothing', caller('bob@acme.com'), { server: 'github' }, no('server_not_granted')],
  ['a grant of one’s own', caller('dave@other.org'), { server: 'github', tool: 'get_me' }, yes('own grant')],
  [
    'and no more than it says',
    caller('dave@other.org'),
    { server: 'github', tool: 'get_you' },
    no('tool_not_granted'),
  ],
  [
    'a grant to a domain',
    caller('bob@acme.com'),
    { server: 'wiki', tool: 'read_page' },
    yes('pattern *@acme.com'),
  ],
  [
    'reaches people never seen',
    caller('new@acme.com'),
    { server: 'wiki', tool: 'read_page' },
    yes('pattern *@acme.com'),
  ],
  ['and not its subdomains', caller('x@eu.acme.com'), { server: 'wiki' }, no('server_not_granted')],
  ['nor look-alikes', caller('x@notacme.com'), { server: 'wiki' }, no('server_not_granted')],
  [
    'nor addresses that only hold it',
    caller('x@acme.com@evil.org'),
    { server: 'wiki' },
    no('server_not_granted'),
  ],
  ['a domain in a group', caller('x@guest.org'), { server: 'files' }, yes('group MCP-Files')],
  ['a disabled pattern gives no group', caller('x@gone.org'), { server: 'files' }, no('server_not_granted')],
  ['and no grant', caller('x@gone.org'), { server: 'wiki' }, no('server_not_granted')],
  ['a stranger has nothing', caller('x@nowhere.org'), { server: 'github' }, no('server_not_granted')],
  [
    'a service has its groups',
    caller('service:bot'),
    { server: 'github', tool: 'get_me' },
    yes('group MCP-GitHub'),
  ],
  [
    'no domain is a service’s',
    { ...caller('service:x@acme.com'), kind: 'service' },
    { server: 'wiki' },
    no('server_not_granted'),
  ],
  [
    'a membership ends on the millisecond',
    caller('late@acme.com'),
    { server: 'files' },
    no('server_not_granted'),
  ],
  ['and not before', caller('late@acme.com'), { server: 'github' }, yes('group MCP-GitHub')],
  [
    'a token’s groups count',
    caller('x@nowhere.org', token(['MCP-Files'])),
    { server: 'files' },
    yes('group MCP-Files'),
  ],
  [
    'unknown ones give nothing',
    caller('x@nowhere.org', token(['Nope', 'mcp-files'])),
    { server: 'files' },
    no('server_not_granted'),
  ],
  [
    'they replace what its source said before',
    caller('late@acme.com', token(['MCP-Files'])),
    { server: 'github' },
    no('server_not_granted'),
  ],
  [
    'by what the token says',
    caller('late@acme.com', token(['MCP-Files'])),
    { server: 'files' },
    yes('group MCP-Files'),
  ],
  [
    'another source’s stay',
    caller('late@acme.com', token([], 'oidc:other')),
    { server: 'github' },
    yes('group MCP-GitHub'),
  ],
  [
    'those of the file stay',
    caller('alice@acme.com', token([])),
    { server: 'files' },
    yes('group MCP-Files'),
  ],
  [
    'a token can make an admin',
    caller('x@nowhere.org', token(['MCP-Admin'])),
    { server: 'wiki' },
    yes('admin group MCP-Admin'),
  ],
])('%s', (_, principal, question, expected) => {
  expect(can(world, principal, question, now)).toEqual(expected);
});
