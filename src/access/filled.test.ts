import { describe, expect, test } from 'vitest';
import { snapshotOf } from '../../test/access-world.ts';
import { type Filled, fillIn, filledFor, type Place } from './filled.ts';
import type { Endpoint, SnapshotServer, Variable } from './snapshot.ts';

type Definition = Readonly<Record<string, unknown>>;

function server(definition: Definition, managedBy: 'file' | 'admin' = 'file'): SnapshotServer {
  return { ...snapshotOf({ servers: { it: definition } }).servers.get('it')!, managedBy };
}

interface At {
  readonly tenant?: Place['tenant'];
  readonly override?: Endpoint;
  readonly values?: Readonly<Record<string, Variable>>;
}

const acme = { id: 'acme', managedBy: 'file' } as const;
const byFile = (value: string): Variable => ({ value, managedBy: 'file' });
const byAdmin = (value: string): Variable => ({ value, managedBy: 'admin' });

function fill(of: SnapshotServer, { tenant = acme, override, values = {} }: At = {}) {
  const variableOf = (name: string) => (Object.hasOwn(values, name) ? values[name] : undefined);
  return fillIn(of, { tenant, override, variableOf });
}

function filled(of: SnapshotServer, at: At = {}): Filled {
  const found = fill(of, at);
  if (!found.ok) throw new Error(found.kind);
  return found;
}

describe('what a variable stands for', () => {
  const snapshot = snapshotOf({
    servers: {
      crm: {
        url: 'https://${variable:host}/${variable:region}',
        headers: { 'x-tenant': '${variable:tenant}', 'x-kind': '${variable:kind}' },
        variables: { host: 'crm.example.com', region: 'eu', kind: 'own' },
      } as object,
      other: { url: 'https://${variable:host}/', variables: { host: 'other.example.com' } } as object,
    },
    tenants: {
      acme: { variables: { crm: { host: 'crm.acme.com' }, '*': { host: 'acme.com', region: 'us' } } },
      globex: {},
    },
  });
  const of = (id: string, tenant: string) =>
    filledFor(snapshot, snapshot.servers.get(id)!, snapshot.tenants.get(tenant)!);

  test('is the tenant’s for the server, else the tenant’s for every server, else the server’s own', () => {
    expect(of('crm', 'acme')).toMatchObject({
      url: 'https://crm.acme.com/us',
      headers: { 'x-tenant': 'acme', 'x-kind': 'own' },
    });
    expect(of('other', 'acme')).toMatchObject({ url: 'https://acme.com/' });
    expect(of('crm', 'globex')).toMatchObject({
      url: 'https://crm.example.com/eu',
      headers: { 'x-tenant': 'globex' },
    });
  });

  test('is looked up once for each picture', () => {
    expect(of('crm', 'acme')).toBe(of('crm', 'acme'));
    expect(of('crm', 'acme')).not.toBe(of('crm', 'globex'));
  });

  test('is missing where nobody gave a value, an empty one included', () => {
    const asks = server({ url: 'https://${variable:host}/', variables: { host: '' } });
    expect(fill(asks)).toEqual({ ok: false, kind: 'missing', variable: 'host' });
    expect(fill(server({ url: 'https://${variable:constructor}/' }))).toMatchObject({ kind: 'missing' });
    expect(fill(asks, { values: { host: byFile('a.com') } })).toMatchObject({ url: 'https://a.com/' });
  });

  test('is no tenant where none is active, and nothing else may be called so', () => {
    const asks = server({ url: 'https://a.com/${variable:tenant}' });
    expect(fill(asks, { tenant: null })).toEqual({ ok: false, kind: 'no_tenant' });
    expect(fill(asks, { values: { tenant: byFile('globex') } })).toMatchObject({
      url: 'https://a.com/acme',
    });
    expect(() => server({ url: 'https://a.com/', variables: { tenant: 'globex' } })).toThrow('active tenant');
  });

  test('that was written into the database by hand is held to the same rules', () => {
    const asks = server({ url: 'https://${variable:host}/' });
    const why = (value: string) => fill(asks, { values: { host: byFile(value) } });
    expect(why('evil.com/')).toMatchObject({ kind: 'unfit', variable: 'host' });
    expect(why('a\u0000')).toMatchObject({ kind: 'unfit', why: expect.not.stringContaining('\u0000') });
    const header = server({ url: 'https://a.com/', headers: { a: '${variable:x}' } });
    expect(fill(header, { values: { x: byFile('a\r\nb: c') } })).toMatchObject({ kind: 'unfit' });
  });
});

describe('an address is trusted', () => {
  const own = { url: 'https://${variable:host}/' };

  test.each<[boolean, string, SnapshotServer, At]>([
    [true, 'that stands in the file', server({ url: 'https://10.0.0.1/' }), {}],
    [false, 'that an administrator wrote', server({ url: 'https://10.0.0.1/' }, 'admin'), {}],
    [true, 'all parts of which stand in the file', server(own), { values: { host: byFile('10.0.0.1') } }],
    [false, 'with a value of an administrator', server(own), { values: { host: byAdmin('10.0.0.1') } }],
    [
      false,
      'with such a value in its path',
      server({ url: 'https://10.0.0.1/${variable:x}' }),
      { values: { x: byAdmin('x') } },
    ],
    [true, 'with the file’s own default', server({ ...own, variables: { host: '10.0.0.1' } }), {}],
    [false, 'with an administrator’s default', server({ ...own, variables: { host: 'a' } }, 'admin'), {}],
    [
      false,
      'with such a value in the header Host',
      server({ url: 'https://10.0.0.1/', headers: { HOST: '${variable:x}' } }),
      { values: { x: byAdmin('x') } },
    ],
    [
      true,
      'with such a value in another header',
      server({ url: 'https://10.0.0.1/', headers: { 'x-org': '${variable:x}' } }),
      { values: { x: byAdmin('x') } },
    ],
    [true, 'with the id of a tenant of the file', server({ url: 'https://a/${variable:tenant}' }), {}],
    [
      false,
      'with the id of a tenant that an administrator made',
      server({ url: 'https://a/${variable:tenant}' }),
      { tenant: { id: 'acme', managedBy: 'admin' } },
    ],
    [true, 'of the tenant, in the file', server({ url: 'https://a/' }, 'admin'), { override: there('file') }],
    [false, 'of the tenant, from the API', server({ url: 'https://a/' }), { override: there('admin') }],
    [
      false,
      'of the tenant, in the file, beside a header Host of an administrator',
      server({ url: 'https://a/', headers: { host: 'evil.example' } }, 'admin'),
      { override: there('file') },
    ],
    [
      true,
      'of the tenant, in the file, as is the header Host',
      server({ url: 'https://a/', headers: { host: 'inner.example' } }),
      { override: there('file') },
    ],
  ])('%s: one %s', (expected, _what, of, at) => {
    expect(filled(of, at).trusted).toBe(expected);
  });

  function there(managedBy: 'file' | 'admin'): Endpoint {
    return { url: 'https://10.0.0.2/', managedBy };
  }
});

type Writer = 'file' | 'admin';

describe('a tenant’s own address', () => {
  test.each<[Writer, Writer, { trusted: boolean; vouched: boolean; takesEnvironment: boolean }]>([
    ['file', 'file', { trusted: true, vouched: true, takesEnvironment: true }],
    ['admin', 'file', { trusted: true, vouched: false, takesEnvironment: false }],
    ['file', 'admin', { trusted: false, vouched: false, takesEnvironment: false }],
    ['admin', 'admin', { trusted: false, vouched: false, takesEnvironment: false }],
  ])('server: %s, address: %s. It speaks for itself, not for the server', (of, managedBy, expected) => {
    const it = server({ url: 'https://a/', headers: { k: '${env:K}' } }, of);
    expect(filled(it, { override: { url: 'https://10.0.0.2/', managedBy } })).toMatchObject(expected);
  });

  test('makes no process the operator’s', () => {
    const it = server({ command: 'tool', env: { K: '${env:K}' } }, 'admin');
    const override = { url: 'https://10.0.0.2/', managedBy: 'file' } as const;
    expect(filled(it, { override })).toMatchObject({ trusted: false, takesEnvironment: false });
  });
});

test('a server of the file is the operator’s beside a header that an administrator filled', () => {
  const it = server({ url: 'https://a/', headers: { 'x-org': '${variable:x}' } });
  const expected = { vouched: true, takesEnvironment: false };
  expect(filled(it, { values: { x: byAdmin('x') } })).toMatchObject(expected);
});

describe('the gate’s environment goes along', () => {
  test.each<[boolean, string, Definition, At]>([
    [true, 'where nothing is filled in', { url: 'https://a/', headers: { k: '${env:K}' } }, {}],
    [
      true,
      'beside values of the file',
      { url: 'https://a/', headers: { k: '${env:K}', to: '${variable:x}' } },
      { values: { x: byFile('https://grafana.acme.com') } },
    ],
    [
      false,
      'beside a header that an administrator filled, for it may say where to',
      { url: 'https://a/', headers: { k: '${env:K}', to: '${variable:x}' } },
      { values: { x: byAdmin('https://evil.com') } },
    ],
    [
      false,
      'with an argument that an administrator filled',
      { command: 'tool', args: ['${variable:x}'], env: { K: '${env:K}' } },
      { values: { x: byAdmin('evil.com') } },
    ],
    [true, 'to a process of the file', { command: 'tool', env: { K: '${env:K}' } }, {}],
  ])('%s: %s', (expected, _what, definition, at) => {
    expect(filled(server(definition), at).takesEnvironment).toBe(expected);
  });
});

test('a tenant has a say in where a server is by its address and by each of its values', () => {
  const asks = server({
    url: 'https://a/',
    headers: { a: '${variable:x}' },
    variables: { x: 'usual' },
  });
  expect(filled(asks).elsewhere).toBe(false);
  expect(filled(asks, { values: { x: byFile('own') } }).elsewhere).toBe(true);
  expect(filled(asks, { override: { url: 'https://b/', managedBy: 'file' } }).elsewhere).toBe(true);
  expect(filled(server({ url: 'https://a/${variable:tenant}' })).elsewhere).toBe(true);
});

test('values that differ leave different marks, wherever they stand; no values leave none', () => {
  const process = server({ command: 'tool', args: ['${variable:x}', '${variable:y}'] });
  const mark = (x: string, y: string) => filled(process, { values: { x: byFile(x), y: byFile(y) } }).mark;
  const marks = [mark('a', 'b'), mark('b', 'a'), mark('a,b', ''.padEnd(1, 'b')), mark('a', 'b"]')];
  expect(new Set(marks).size).toBe(4);
  expect(mark('a', 'b')).toBe(mark('a', 'b'));
  expect(filled(server({ command: 'tool' })).mark).toBe('');
});

test('a process gets its arguments and its environment filled in', () => {
  const of = server({
    command: 'tool',
    args: ['--db', '${variable:db}', '--key', '${credential}'],
    env: { HOST: '${variable:host}:1', K: '${credential:k}' },
  });
  expect(filled(of, { values: { db: byFile('crm'), host: byFile('db.acme.com') } })).toMatchObject({
    url: undefined,
    args: ['--db', 'crm', '--key', '${credential}'],
    env: { HOST: 'db.acme.com:1', K: '${credential:k}' },
  });
});
