import { expect, test } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { stubAccounts } from '../../../test/stub-accounts.ts';
import type { SnapshotServer } from '../../access/index.ts';
import type { FoundCredential } from '../../secrets/index.ts';
import { destinationOf } from '../upstreams/destination.ts';
import { makeTarget, neededCredentials } from '../upstreams/target.ts';

const place = { user: 'alice@acme.com', tenant: null, server: 's' };
const resource = 'https://s.example/mcp';

function serverOf(definition: object): SnapshotServer {
  const account = { kind: 'oauth' };
  const found = pictureOf({ servers: { s: { type: 'http', url: resource, account, ...definition } } });
  const server = found.servers.get('s');
  if (!server) throw new Error('the definition is none');
  return server;
}

function destination(definition: object, more: readonly [string, FoundCredential][] = []) {
  const accounts = stubAccounts();
  accounts.connect(place, 'first');
  const account = accounts.find({ ...place, resource });
  if (!account) throw new Error('it was just connected');
  const asking = { principal: place.user, tenant: null, session: null };
  const target = makeTarget(
    serverOf(definition),
    asking,
    undefined,
    new Map([['default', account], ...more]),
  );
  const made = destinationOf(target, { env: {}, directory: '/' });
  if (made.type === 'stdio') throw new Error('it has a URL');
  return { accounts, target, headers: made.headers, changing: made.changing };
}

test('without a placeholder the token is a bearer token, asked for with each request', async () => {
  const { accounts, headers, changing } = destination({ headers: { 'X-App': 'gate' } });
  expect(neededCredentials(serverOf({}), undefined)).toEqual(['default']);
  expect(headers).toEqual({ 'X-App': 'gate' });
  expect(await changing?.current()).toEqual({ authorization: 'Bearer first' });
  accounts.renew(place, 'second');
  expect(await changing?.current()).toEqual({ authorization: 'Bearer second' });
});

test('the same headers are given out as long as the token is the same', () => {
  const { changing } = destination({});
  expect(changing?.current()).toBe(changing?.current());
});

test('a placeholder says where it goes; a header that was written down gives way to an account', async () => {
  const own = destination({ headers: { 'X-Key': 'key ${credential}', Authorization: 'Basic abc' } });
  expect(own.headers).toEqual({ Authorization: 'Basic abc' });
  expect(await own.changing?.current()).toEqual({ 'x-key': 'key first' });
  const replaced = destination({ headers: { authorization: 'Basic abc' } });
  expect(replaced.headers).toEqual({});
  expect(await replaced.changing?.current()).toEqual({ authorization: 'Bearer first' });
});

test('other keys stand beside it', async () => {
  const app: FoundCredential = {
    id: 'k',
    owner: 'tenant',
    ownerId: 'acme',
    version: '1',
    open: () => 'app-key',
  };
  const { changing } = destination({ headers: { 'X-Both': '${credential} ${credential:app}' } }, [
    ['app', app],
  ]);
  expect(await changing?.current()).toEqual({ 'x-both': 'first app-key' });
});

test('the token goes into no address', () => {
  expect(() => destination({ url: 'https://s.example/mcp?token=${credential}' })).toThrow(/in its address/);
});

test('which headers were refused is known by the headers themselves', async () => {
  const { accounts, changing } = destination({});
  const sent = await changing?.current();
  accounts.renew(place, 'second');
  await changing?.refused(sent ?? {});
  await changing?.refused({ authorization: 'Bearer made-up' });
  expect(accounts.refused).toEqual(['first']);
});

test('a renewed token keeps the connection, an account connected anew gets another one', () => {
  const one = destination({});
  const key = one.target.key;
  expect(key).not.toContain('first');
  const account = one.accounts.find({ ...place, resource });
  one.accounts.renew(place, 'second');
  expect(one.accounts.find({ ...place, resource })).toBe(account);
  one.accounts.connect(place);
  expect(one.accounts.find({ ...place, resource })?.version).not.toBe(account?.version);
});

test('a token that no header can carry is refused, and not quoted', async () => {
  const { accounts, changing } = destination({});
  accounts.renew(place, 'sesame\r\nX-Evil: 1');
  const refusal = await Promise.resolve()
    .then(() => changing?.current())
    .catch((error: unknown) => String(error));
  expect(refusal).toMatch(/line break/);
  expect(refusal).not.toContain('sesame');
});
