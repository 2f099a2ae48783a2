import { expect, test } from 'vitest';
import type { z } from 'zod';
import { accessFile } from './contract.ts';
import { danglingReferences } from './dangling-references.ts';

function mistakes(file: z.input<typeof accessFile>): string[] {
  return danglingReferences(accessFile.parse(file)).map(
    ({ path, message }) => `${path.join('.')} ${message}`,
  );
}

test('a variable that nothing gives a value to is told with its place', () => {
  expect(
    mistakes({
      mcpServers: {
        crm: {
          url: 'https://${variable:hots}/${variable:region}',
          headers: { 'x-org': '${variable:org}', 'x-tenant': '${variable:tenant}' },
          variables: { region: '', unused: 'x' },
        },
        db: { command: 'db', args: ['-h', '${variable:host}'], env: { DB: '${variable:db}' } },
      },
      tenants: { acme: { variables: { crm: { host: 'crm.acme.com' }, '*': { db: 'acme' } } } },
    }),
  ).toEqual([
    'mcpServers.crm.url asks for the variable "hots", which neither "variables" of the server nor a tenant names; did you mean "host"?',
    'mcpServers.crm.headers.x-org asks for the variable "org", which neither "variables" of the server nor a tenant names',
    'mcpServers.db.args.1 asks for the variable "host", which neither "variables" of the server nor a tenant names',
  ]);
});

test('what a tenant’s own address asks for needs a value for this tenant', () => {
  const url = 'https://${variable:host}/${variable:region}';
  expect(
    mistakes({
      mcpServers: { crm: { url: 'https://crm.example.com/', variables: { region: 'eu' } } },
      tenants: {
        acme: { endpoints: { crm: url }, variables: { crm: { host: 'a.acme.com' } } },
        globex: { endpoints: { crm: url } },
      },
    }),
  ).toEqual([
    'tenants.globex.endpoints.crm asks for the variable "host", which has no value for this tenant',
  ]);
});

test('placeholders that are misspelled, or keys in a host, are told with their place', () => {
  const found = mistakes({
    mcpServers: {
      a: { url: 'https://a.com/${variable}', headers: { k: '${variables:a}' } },
      b: { url: 'https://${credential}.acme.com/' },
      c: { command: 'c', args: ['x', '${variable:}'], env: { A: '${variable: a}' } },
    },
    tenants: { acme: { endpoints: { a: 'https://${credential}.acme.com/' } } },
  });
  expect(found.map((line) => line.split(' ')[0])).toEqual([
    'mcpServers.a.url',
    'mcpServers.a.headers.k',
    'mcpServers.b.url',
    'mcpServers.c.args.1',
    'mcpServers.c.env.A',
    'tenants.acme.endpoints.a',
  ]);
});

test('a value that does not fit is told where it stands, and not repeated', () => {
  const found = mistakes({
    mcpServers: {
      crm: { url: 'https://${variable:host}/', variables: { host: 'crm.example.com/evil' } },
      wiki: { url: 'https://${variable:host}/', variables: { host: '' } },
      db: { command: 'db', args: ['${variable:db}'], variables: { db: 'fine' } },
    },
    tenants: {
      acme: { variables: { wiki: { host: 'canary@evil.com' } } },
      globex: { variables: { '*': { db: '--canary' } } },
    },
  });
  expect(found).toEqual([
    expect.stringMatching(/^mcpServers\.crm\.variables does not fit: the server crm has the variable "host"/),
    expect.stringMatching(/^tenants\.acme\.variables\.wiki\.host does not fit: the server wiki/),
    expect.stringMatching(/^tenants\.globex\.variables\.\*\.db does not fit: the server db/),
  ]);
  expect(found.join()).not.toContain('canary');
});

test('values for a server that the file does not define are told', () => {
  expect(mistakes({ tenants: { acme: { variables: { crn: { a: 'b' }, '*': { a: 'b' } } } } })).toEqual([
    'tenants.acme.variables.crn names the server "crn", which is not in "mcpServers"',
  ]);
});

test.each([
  [{ tenant: 'globex' }, 'active tenant'],
  [{ 'a b': 'x' }, '1 to 64 characters'],
  [{ a: '' }, ''],
  [{ a: 'x\ny' }, 'line breaks'],
  [{ a: '${credential}' }, 'plain text'],
  [{ a: '\ud800' }, 'plain text'],
  [Object.fromEntries(Array.from({ length: 101 }, (_, at) => [`v${at}`, 'x'])), 'at most 100'],
])('the variables %j are refused', (values, why) => {
  const { error } = accessFile.safeParse({ tenants: { acme: { variables: { '*': values } } } });
  expect(JSON.stringify(error?.issues)).toContain(why);
});
