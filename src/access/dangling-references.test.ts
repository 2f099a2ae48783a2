import { expect, test } from 'vitest';
import { accessFile } from './contract.ts';
import { danglingReferences } from './dangling-references.ts';

test('every name that the file does not define is told with its place', () => {
  const file = accessFile.parse({
    mcpServers: { github: { url: 'https://x.org/' } },
    tenants: { acme: { endpoints: { github: 'https://x.org/', gitlab: 'https://y.org/' } } },
    groups: {
      ok: { tenant: 'acme', servers: ['github'] },
      bad: { tenant: 'acmee', servers: ['githb'] },
    },
    users: {
      'a@x.org': { groups: ['ok', 'toString'], defaultTenant: 'zzz', servers: { nope: ['*'] } },
      '*@x.org': { groups: ['OK'] },
    },
  });
  expect(danglingReferences(file).map(({ path, message }) => `${path.join('.')} ${message}`)).toEqual([
    'tenants.acme.endpoints.gitlab names the server "gitlab", which is not in "mcpServers"; did you mean "github"?',
    'groups.bad.tenant names the tenant "acmee", which is not in "tenants"; did you mean "acme"?',
    'groups.bad.servers.githb names the server "githb", which is not in "mcpServers"; did you mean "github"?',
    'users.a@x.org.groups.1 names the group "toString", which is not in "groups"',
    'users.a@x.org.servers.nope names the server "nope", which is not in "mcpServers"',
    'users.a@x.org.defaultTenant names the tenant "zzz", which is not in "tenants"',
    'users.*@x.org.groups.0 names the group "OK", which is not in "groups"; did you mean "ok"?',
  ]);
});

test('a file that is whole has none', () => {
  expect(danglingReferences(accessFile.parse({}))).toEqual([]);
});

test('a credential that is misspelt is told with its place, and every form of one is right', () => {
  const file = accessFile.parse({
    mcpServers: {
      wrong: { url: 'https://x.org/', headers: { a: '${credential.hex:b}', b: '${credentials}' } },
      right: {
        url: 'https://x.org/${credential:path}?k=${credential.url}',
        headers: { a: 'Basic ${credential.basic:user:password}', b: '${credential.basic:pair}' },
      },
      local: { command: 'x', args: ['${credential: a}'], env: { A: '${credential}', B: '${CREDENTIAL}' } },
    },
  });
  expect(danglingReferences(file).map(({ path, message }) => [path.join('.'), message])).toEqual([
    ['mcpServers.wrong.headers.a', expect.stringContaining('not spelled ${credential}')],
    ['mcpServers.wrong.headers.b', expect.stringContaining('not spelled ${credential}')],
    ['mcpServers.local.args.0', expect.stringContaining('not spelled ${credential}')],
  ]);
});
