import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { pictureOf } from '../../test/gateway-world.ts';
import { type Binding, groupOwner, sharedOwner, tenantOwner, userOwner } from '../secrets/binding.ts';
import { CredentialIndex } from '../secrets/vault/credential-index.ts';
import { ladder } from '../secrets/vault/ladder.ts';
import { MasterKey } from '../secrets/master-keys/master-key.ts';
import { createSecretBox } from '../secrets/sealing/secret-box.ts';
import type { Gate } from './call.ts';
import { explainCredentials } from './explain-credential.ts';
import { targetAs } from './reach-as.ts';

const picture = pictureOf({
  servers: {
    crm: {
      ...{ type: 'http', url: 'https://crm.example/mcp' },
      headers: { Authorization: 'Basic ${credential.basic:user:password}' },
    },
    github: { type: 'http', url: 'https://github.example/mcp', headers: { a: 'Bearer ${credential}' } },
    off: { type: 'http', url: 'https://off.example/mcp', headers: { a: '${credential}' }, enabled: false },
    open: { type: 'http', url: 'https://open.example/mcp' },
    drive: {
      ...{ type: 'http', url: 'https://drive.example/mcp', headers: { a: 'Bearer ${credential}' } },
      account: { kind: 'oauth' },
    },
    regional: { type: 'http', url: 'https://${variable:HOST}/mcp', headers: { a: '${credential}' } },
  },
  tenants: {
    acme: { endpoints: { github: 'https://github.acme.com/mcp' }, emailDomains: ['acme.com'] },
    globex: {},
  },
  groups: {
    Developers: {},
    Acme: { tenant: 'acme' },
    Globex: { tenant: 'globex' },
  },
  users: {
    'alice@acme.com': { groups: ['Developers', 'Acme', 'Globex'], defaultTenant: 'acme' },
    'bob@acme.com': { groups: ['Acme', 'Globex'] },
    'carol@acme.com': { disabled: true },
  },
});

const key = (owner: Binding['owner'], tenant: string | null, server = 'github', name = 'default') => ({
  ...{
    id: `${owner.level} ${owner.id} ${tenant}`,
    tenant,
    owner,
    server,
    name,
    sealed: 'sealed',
    lastFour: '1234',
  },
});

function gateWith(rows: readonly ReturnType<typeof key>[], connect?: object): Gate {
  const index = new CredentialIndex(createSecretBox(new MasterKey(randomBytes(32))));
  index.put(rows);
  const vault: Pick<Gate['vault'], 'find' | 'ladder'> = {
    find: (q) => index.find(q),
    ladder: (q, strangers) => ladder(index, q, strangers),
  };
  // Nothing else of the gate is looked at for servers without accounts.
  return { snapshot: () => picture, vault, connect, clock: () => 0 } as unknown as Gate;
}

const alices = key(userOwner('alice@acme.com'), null);
const alicesInGlobex = key(userOwner('alice@acme.com'), 'globex');
const ofDevelopers = key(groupOwner('Developers'), null);
const ofGlobexGroup = key(groupOwner('Globex'), 'globex');
const acmes = key(tenantOwner('acme'), 'acme');
const shared = key(sharedOwner, null);

test('who looks through the eyes of a person sees which key is used, and why each other one is not', () => {
  const gate = gateWith([alices, alicesInGlobex, ofDevelopers, ofGlobexGroup, acmes, shared]);
  const answer = explainCredentials(gate, 'github', { user: 'alice@acme.com', tenant: 'globex' });
  expect(answer).toMatchObject({ user: 'alice@acme.com', tenant: 'globex', elsewhere: false, problem: null });
  const [{ name, used, reason, ladder: rungs } = { name: '', used: null, reason: '', ladder: [] }] =
    answer.names;
  expect([name, used]).toEqual([
    'default',
    {
      ...{ kind: 'key', level: 'user', owner: 'alice@acme.com', tenant: 'globex' },
      ...{ id: alicesInGlobex.id, lastFour: '1234' },
    },
  ]);
  expect(reason).toBe('The key of alice@acme.com for the tenant globex (it ends in 1234).');
  expect(rungs.map(({ why }) => why)).toEqual([
    'The key of alice@acme.com for the tenant globex (it ends in 1234) is used: nothing more specific is set.',
    'The key of alice@acme.com (it ends in 1234) is not used: something more specific is set.',
    'The key of the group Globex, which belongs to the tenant globex (it ends in 1234) is not used: something more specific is set.',
    'The key of the group Developers (it ends in 1234) is not used: something more specific is set.',
    'The shared key (it ends in 1234) is not used: something more specific is set.',
  ]);
});

test('a tenant with an address of its own gets no key that belongs to nobody there', () => {
  const gate = gateWith([alices, ofDevelopers, ofGlobexGroup, acmes, shared]);
  const answer = explainCredentials(gate, 'github', { user: 'alice@acme.com' });
  expect(answer).toMatchObject({ tenant: 'acme', elsewhere: true });
  expect(answer.names[0]?.used).toMatchObject({ level: 'tenant', owner: 'acme' });
  expect(answer.names[0]?.ladder.map(({ id, verdict }) => [id, verdict])).toEqual([
    [alices.id, 'elsewhere'],
    [ofDevelopers.id, 'elsewhere'],
    [ofGlobexGroup.id, 'group_of_other_tenant'],
    [acmes.id, 'used'],
    [shared.id, 'beaten'],
  ]);
});

test('each name of a server is looked for by itself', () => {
  const gate = gateWith([
    key(tenantOwner('acme'), 'acme', 'crm', 'user'),
    key(userOwner('alice@acme.com'), null, 'crm', 'password'),
  ]);
  const of = (user: string | undefined) =>
    explainCredentials(gate, 'crm', { user, tenant: 'acme' }).names.map(({ name, used }) => [
      name,
      used?.level,
    ]);
  expect(of('alice@acme.com')).toEqual([
    ['password', 'user'],
    ['user', 'tenant'],
  ]);
  expect(of(undefined)).toEqual([
    ['password', undefined],
    ['user', 'tenant'],
  ]);
  expect(explainCredentials(gate, 'crm', { tenant: 'acme' }).names[0]?.reason).toMatch(/^None: .* refused/);
});

test('a server without keys, one that is disabled, and one that cannot be filled in say so', () => {
  const gate = gateWith([]);
  expect(explainCredentials(gate, 'open', {})).toMatchObject({ names: [], problem: null });
  expect(explainCredentials(gate, 'off', {}).names).toHaveLength(1);
  expect(explainCredentials(gate, 'regional', { tenant: 'globex' })).toMatchObject({
    ...{ names: [], problem: expect.stringContaining('HOST') },
  });
});

test('a connected account comes before every key but one of the person, and one that is to be connected again lets none stand in', () => {
  const account = { id: 'account-1', owner: 'user', ownerId: 'alice@acme.com', version: '', open: () => '' };
  const rows = [{ ...acmes, server: 'drive' }];
  const gateOf = (state: string, found: object | null) =>
    gateWith(rows, {
      accounts: { stateOf: () => ({ state }), find: () => found },
    });
  const as = { user: 'alice@acme.com', tenant: 'acme' };
  const [connected] = explainCredentials(gateOf('connected', account), 'drive', as).names;
  expect(connected?.used).toMatchObject({ kind: 'account', id: 'account-1', level: 'user' });
  expect(connected?.ladder.map(({ verdict }) => verdict)).toEqual(['beaten']);
  const [broken] = explainCredentials(gateOf('reconnect', null), 'drive', as).names;
  expect(broken).toMatchObject({ used: null, reason: expect.stringContaining('connected again') });
  const [none] = explainCredentials(gateOf('none', null), 'drive', as).names;
  expect(none?.used).toMatchObject({ kind: 'key', level: 'tenant' });
});

test.each([
  ['github', { user: 'bob@acme.com' }, 'tenant_ambiguous'],
  ['github', { user: 'carol@acme.com' }, 'user_disabled'],
  ['github', { user: 'nobody@globex.example', tenant: 'acme' }, 'tenant_unknown'],
  ['github', { tenant: 'nowhere' }, 'tenant_not_found'],
  ['nothing', {}, 'server_not_found'],
])('%s as %j is refused with %s', (id, whom, code) => {
  const gate = gateWith([shared]);
  expect(() => explainCredentials(gate, id, whom)).toThrow(expect.objectContaining({ code }));
  expect(() => targetAs(gate, id, whom)).toThrow(expect.objectContaining({ code }));
});

test('a server is tested with the keys of the person, and nobody’s keys otherwise', () => {
  const gate = gateWith([alices, ofGlobexGroup]);
  const as = { user: 'alice@acme.com', tenant: 'globex' };
  expect(targetAs(gate, 'github', as)).toMatchObject({ scope: 'user:alice@acme.com', tenant: 'globex' });
  expect(() => targetAs(gate, 'github', { tenant: 'globex' })).toThrow('needs the key "default"');
  expect(() => targetAs(gate, 'off', {})).toThrow('is disabled');
});
