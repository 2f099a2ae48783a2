import { describe, expect, test } from 'vitest';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import { fillIn, type SnapshotServer, type Tenant } from '../../access/index.ts';
import type { Endpoint, Variable } from '../../access/snapshot.ts';
import type { FoundCredential } from '../../secrets/index.ts';
import { destinationOf } from './destination.ts';
import { definitionKey, makeTarget, neededCredentials, type Target } from './target.ts';

const around = { env: { KEY: 'from-env' }, directory: '/srv/gate' };
const acme = pictureOf({ servers: {}, tenants: { acme: {} } }).tenants.get('acme')!;
const globex = pictureOf({ servers: {}, tenants: { globex: {} } }).tenants.get('globex')!;

function server(
  definition: Record<string, unknown> = {},
  managedBy: 'file' | 'admin' = 'file',
): SnapshotServer {
  const entry =
    'command' in definition ? definition : { type: 'http', url: 'https://a.example/mcp', ...definition };
  return { ...pictureOf({ servers: { it: entry } }).servers.get('it')!, managedBy };
}

interface How {
  readonly principal?: string;
  readonly tenant?: Tenant | null;
  readonly session?: string | null;
  readonly override?: Endpoint;
  readonly credentials?: Record<string, FoundCredential>;
  readonly variables?: Record<string, Variable>;
}

function target(of: SnapshotServer, how: How = {}): Target {
  const { principal = 'alice@acme.com', tenant = null, session = null, override, credentials = {} } = how;
  const { variables = {} } = how;
  const filled = fillIn(of, { tenant, override, variableOf: (name) => variables[name] });
  if (!filled.ok) throw new Error(filled.kind);
  return makeTarget(of, { principal, tenant, session }, filled, new Map(Object.entries(credentials)));
}

const value = (text: string): Variable => ({ value: text, managedBy: 'file' });
const there = (url: string, managedBy: 'file' | 'admin' = 'file'): Endpoint => ({ url, managedBy });

describe('who shares a connection', () => {
  const shared = server();

  test('everyone, where nothing tells them apart', () => {
    const keys = [
      target(shared),
      target(shared, { principal: 'bob@acme.com', tenant: acme, session: 's' }),
      target(server()),
    ].map(({ key }) => key);
    expect(new Set(keys).size).toBe(1);
  });

  const key = credential('k', 'shared');
  const definitions: Record<string, Record<string, unknown>> = {
    url: { url: 'https://${variable:x}/' },
    headers: { headers: { 'x-org': '${variable:x}' } },
    args: { command: 'tool', args: ['${variable:x}'] },
    env: { command: 'tool', env: { X: '${variable:x}' } },
  };
  const cases: readonly [string, How, How, Record<string, unknown>?][] = [
    ['addresses', {}, { tenant: acme, override: there('https://acme.example/mcp') }],
    [
      'shared credentials',
      { credentials: { default: key } },
      { credentials: { default: credential('other', 'shared') } },
    ],
    [
      'versions of one credential',
      { credentials: { default: key } },
      { credentials: { default: credential('k', 'shared', '2') } },
    ],
    ['no credential and one', {}, { credentials: { default: key } }],
    [
      'tenants’ credentials',
      { tenant: acme, credentials: { default: credential('a', 'tenant') } },
      { tenant: globex, credentials: { default: credential('g', 'tenant') } },
    ],
    [
      'a tenant’s credential and the shared one',
      { tenant: acme, credentials: { default: credential('a', 'tenant') } },
      { tenant: globex, credentials: { default: key } },
    ],
    ...Object.entries(definitions).map(([where, definition]): (typeof cases)[number] => [
      `values of a variable in ${where}`,
      { tenant: acme, variables: { x: value('one') } },
      { tenant: globex, variables: { x: value('two') } },
      definition,
    ]),
    ['tenants, when they are isolated', { tenant: acme }, { tenant: globex }, { isolation: 'tenant' }],
    ['a tenant and none, when tenants are isolated', { tenant: acme }, {}, { isolation: 'tenant' }],
    [
      'users, when they are isolated',
      { principal: 'a@x.com' },
      { principal: 'b@x.com' },
      { isolation: 'user' },
    ],
    ['sessions, when they are isolated', { session: 'one' }, { session: 'two' }, { isolation: 'session' }],
    [
      'callers without a session, when sessions are isolated',
      { principal: 'a@x.com' },
      { principal: 'b@x.com' },
      { isolation: 'session' },
    ],
  ];
  test.each(cases)('not two %s', (_what, one, other, definition = {}) => {
    const of = server(definition);
    expect(target(of, one).key).not.toBe(target(of, other).key);
  });

  test('nobody at the same address by another’s word', () => {
    const url = 'https://a.example/mcp';
    const keys = [there(url), there(url, 'admin')].map(
      (override) => target(server(), { tenant: acme, override }).key,
    );
    expect(new Set(keys).size).toBe(2);
  });

  test('nobody in two tenants, where a connection is one person’s', () => {
    const of = server({ isolation: 'user' });
    expect(target(of, { tenant: acme }).key).not.toBe(target(of, { tenant: globex }).key);
  });

  test('nobody by an address or a name that holds what separates two others', () => {
    const odd = [
      target(server(), { override: there('https://a/|k@1'), tenant: acme }),
      target(server(), {
        override: there('https://a/'),
        tenant: acme,
        credentials: { default: { ...key, id: 'k' } },
      }),
      target(server(), { override: there('https://a/"],["'), tenant: acme }),
    ];
    expect(new Set(odd.map((one) => one.key)).size).toBe(3);
  });

  test('nobody with a server that is defined otherwise', () => {
    const keys = [{}, { timeoutMs: 2_000 }, { headers: { 'x-a': 'b' } }, { tools: ['a'] }].map(
      (definition) => target(server(definition)).key,
    );
    expect(new Set(keys).size).toBe(4);
    expect(definitionKey(server())).toBe(definitionKey(server()));
  });

  test('tenants share the shared credential', () => {
    const how = { credentials: { default: key } };
    expect(target(shared, { ...how, tenant: acme }).key).toBe(target(shared, { ...how, tenant: globex }).key);
  });
});

describe('`${env:}`', () => {
  const headers = { headers: { authorization: 'Bearer ${env:KEY}' } };

  test('goes to an address that the operator wrote, in the file or for a tenant', () => {
    const filled = { headers: { authorization: 'Bearer from-env' } };
    expect(destinationOf(target(server(headers)), around)).toMatchObject(filled);
    const override = there('https://acme.example/mcp');
    expect(destinationOf(target(server(headers), { tenant: acme, override }), around)).toMatchObject({
      ...filled,
      url: 'https://acme.example/mcp',
    });
  });

  test.each<[string, Target]>([
    ['a server that an admin added', target(server(headers, 'admin'))],
    [
      'an address that an admin set for a tenant',
      target(server(headers), { tenant: acme, override: there('https://evil.example', 'admin') }),
    ],
    [
      'an address that asks for it itself',
      target(server({}), { tenant: acme, override: there('https://evil.example/${env:KEY}', 'admin') }),
    ],
  ])('never goes to %s', (_what, to) => {
    expect(() => destinationOf(to, around)).toThrow('goes only to the address in the config file');
    expect(to.trusted).toBe(false);
  });

  test('never goes along with what an admin wrote, though the file has the address of the tenant', () => {
    const override = there('https://acme.example/mcp');
    const to = target(server(headers, 'admin'), { tenant: acme, override });
    expect(() => destinationOf(to, around)).toThrow('goes only to the address in the config file');
    expect(to.trusted).toBe(true);
  });

  test('that is not set is a failure of the server, by its name', () => {
    const of = server({ headers: { authorization: '${env:MISSING}' } });
    expect(() => destinationOf(target(of), around)).toThrow('needs the environment variable MISSING');
    const inherited = server({ headers: { authorization: '${env:constructor}' } });
    expect(() => destinationOf(target(inherited), around)).toThrow(
      'needs the environment variable constructor',
    );
  });
});

describe('`${credential}`', () => {
  test('is put into headers and, encoded, into addresses', () => {
    const of = server({
      url: 'https://a.example/${credential:path}/mcp',
      headers: { 'x-key': '${credential}' },
    });
    expect(neededCredentials(of, undefined)).toEqual(['default', 'path']);
    const path: FoundCredential = { ...credential('p', 'shared'), open: () => '../../evil?x=1#' };
    const to = target(of, { credentials: { default: credential('d', 'shared'), path } });
    expect(destinationOf(to, around)).toEqual({
      type: 'http',
      url: 'https://a.example/..%2F..%2Fevil%3Fx%3D1%23/mcp',
      headers: { 'x-key': 'secret of d' },
    });
  });

  test('is put into the environment of a process, which begins where the file stands', () => {
    const of = server({
      command: 'tool',
      args: ['--key', '${credential}'],
      env: { A: '${credential:a}', B: '${env:KEY}' },
    });
    expect(neededCredentials(of, undefined)).toEqual(['a', 'default']);
    const credentials = { default: credential('d', 'shared'), a: credential('a', 'shared') };
    expect(destinationOf(target(of, { credentials }), around)).toMatchObject({
      type: 'stdio',
      command: 'tool',
      args: ['--key', 'secret of d'],
      env: { A: 'secret of a', B: 'from-env' },
      cwd: '/srv/gate',
      secrets: expect.arrayContaining(['secret of d', 'secret of a']),
    });
  });

  test('of a tenant’s own address is needed too', () => {
    const override = there('https://a.example/${credential:tenant}');
    const of = server({ headers: { 'x-key': '${credential}' } });
    expect(neededCredentials(of, target(of, { tenant: acme, override }).filled)).toEqual([
      'default',
      'tenant',
    ]);
    expect(neededCredentials(server(), undefined)).toEqual([]);
  });

  test('whose value would break out of its header goes nowhere', () => {
    const bad: FoundCredential = { ...credential('d', 'shared'), open: () => 'a\r\nx-evil: 1' };
    const to = target(server({ headers: { 'x-key': '${credential}' } }), { credentials: { default: bad } });
    expect(() => destinationOf(to, around)).toThrow('line break');
  });
});
