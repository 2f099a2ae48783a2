import { expect, test } from 'vitest';
import { pictureOf } from '../../test/gateway-world.ts';
import { wantedKeys } from './wanted-keys.ts';

const picture = pictureOf({
  servers: {
    crm: {
      ...{ type: 'http', url: 'https://crm.example/${credential:path}', displayName: 'CRM' },
      headers: { Authorization: 'Basic ${credential.basic:user:password}', 'X-User': '${credential:user}' },
    },
    env: {
      ...{ type: 'http', url: 'https://env.example/mcp' },
      headers: { a: 'Bearer ${env:ENV_TOKEN}', b: '$${env:NOT_THIS}' },
    },
    mixed: {
      ...{ type: 'http', url: 'https://env.example/${env:ONE}' },
      headers: { a: '${env:TWO}', b: '${credential}' },
    },
    files: { command: 'files' },
    notion: {
      command: 'notion',
      args: ['--token', '${credential:cli}'],
      env: {
        NOTION_TOKEN: '${credential}',
        HEADERS: '{"Authorization": "Bearer ${credential:api}"}',
        BOTH: '${credential:a}:${credential:b}',
        PAIR: '${credential.basic:a}',
        PLAIN: 'x',
      },
    },
    drive: {
      type: 'http',
      url: 'https://drive.example/mcp',
      headers: { a: 'Bearer ${credential}' },
      account: { kind: 'oauth' },
    },
    calendar: { type: 'http', url: 'https://calendar.example/mcp', account: { kind: 'oauth' } },
    off: { type: 'http', url: 'https://off.example/mcp', headers: { a: '${credential}' }, enabled: false },
  },
  tenants: { acme: { endpoints: { crm: 'https://crm.acme.com/${credential:own}' } }, globex: {} },
  groups: { Sales: { servers: ['crm'] } },
  users: { 'alice@acme.com': { servers: ['files'] } },
});
const needs = wantedKeys(() => picture);
const of = (tenant: string | null, id: string) =>
  needs.forTenant(tenant).find(({ server }) => server === id)!;

test('what a server asks for, and where, as each tenant has it', () => {
  expect(Object.fromEntries(of('globex', 'crm').names)).toEqual({
    password: ['header Authorization'],
    path: ['url'],
    user: ['header Authorization', 'header X-User'],
  });
  expect([...of('acme', 'crm').names.keys()].sort()).toEqual(['own', 'password', 'user']);
  expect(Object.fromEntries(of(null, 'notion').names)).toMatchObject({
    ...{ cli: ['argument 2'], default: ['variable NOTION_TOKEN'], api: ['variable HEADERS'] },
  });
  expect(of(null, 'files').names.size).toBe(0);
});

test('who may use it, whether it is there for anybody, and what it does without', () => {
  expect(of(null, 'crm')).toMatchObject({ displayName: 'CRM', granted: true, enabled: true, optional: [] });
  expect(of(null, 'files').granted).toBe(true);
  expect(of(null, 'notion').granted).toBe(false);
  expect(of(null, 'off').enabled).toBe(false);
  expect(of(null, 'drive').optional).toEqual(['default']);
});

test('every name that is asked for in any tenant', () => {
  expect(needs.namesOf('crm')).toEqual(['own', 'password', 'path', 'user']);
  expect(needs.namesOf('files')).toEqual([]);
  for (const id of ['drive', 'calendar'])
    expect(needs.namesOf(id)).toEqual(['default', 'oauth-client-secret']);
  expect(needs.namesOf('nothing')).toBeUndefined();
});

/** Of the names that are asked about, what each is taken for. */
function places(names: readonly string[], of = needs) {
  const found = of.envPlaces().filter(({ env }) => names.includes(env));
  return found.map(({ env, server, name, before, after }) => [env, server, name, before, after]);
}

test('names of an environment that definitions take keys from', () => {
  expect(
    places(['ENV_TOKEN', 'ONE', 'TWO', 'NOTION_TOKEN', 'HEADERS', 'BOTH', 'PAIR', 'PLAIN', 'NOT_THIS']),
  ).toEqual([
    ['NOTION_TOKEN', 'notion', 'default', '', ''],
    ['HEADERS', 'notion', 'api', '{"Authorization": "Bearer ', '"}'],
    ['ENV_TOKEN', 'env', 'default', '', ''],
    ['ONE', 'mixed', 'ONE', '', ''],
    ['TWO', 'mixed', 'TWO', '', ''],
  ]);
  expect(needs.envPlaces().find(({ env }) => env === 'ENV_TOKEN')?.note).toBe(
    'The definition of env takes it from the environment: write ${credential} there instead of ${env:ENV_TOKEN}.',
  );
});

test('names that servers of one key are usually given, and none for those of several', () => {
  expect(
    places(['DRIVE_TOKEN', 'DRIVE_API_KEY', 'OFF_TOKEN', 'CRM_TOKEN', 'FILES_TOKEN', 'NOTION_API_KEY']),
  ).toEqual([
    ['DRIVE_TOKEN', 'drive', 'default', '', ''],
    ['DRIVE_API_KEY', 'drive', 'default', '', ''],
    ['OFF_TOKEN', 'off', 'default', '', ''],
  ]);
});

test('names of the catalog, for servers that came from it and for those that are not there yet', () => {
  const catalog = [
    { entry: 'google-drive', server: 'google-drive', env: 'GDRIVE_SECRET' },
    { entry: 'drive', server: 'drive', env: 'DRIVE_SECRET' },
    { entry: 'crm', server: 'crm', env: 'CRM_SECRET' },
    { entry: 'linear', server: 'linear', env: 'LINEAR_API_KEY' },
  ];
  const origin = { entry: 'google-drive' } as unknown as NonNullable<typeof drive>['origin'];
  const drive = picture.servers.get('drive');
  const from = { ...picture, servers: new Map([...picture.servers, ['drive', { ...drive!, origin }]]) };
  const found = wantedKeys(
    () => from,
    () => catalog,
  );
  expect(places(['GDRIVE_SECRET', 'DRIVE_SECRET', 'CRM_SECRET'], found)).toEqual([
    ['GDRIVE_SECRET', 'drive', 'default', '', ''],
    ['DRIVE_SECRET', 'drive', 'default', '', ''],
  ]);
  const away = found.envPlaces().find(({ env }) => env === 'LINEAR_API_KEY');
  expect(away).toMatchObject({ server: 'linear', exists: false });
});
