import { sql } from 'kysely';
import { SignJWT } from 'jose';
import { expect, test, vi } from 'vitest';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';
import { tokenInput } from '../contract.ts';
import { createToken } from '../routes.ts';

const secret = 'open-webui-header-secret-0123456789';
const world = await identityWorld({ openWebUiJwtSecret: secret });
const { db } = world;
const signedKey = await createToken(db, tokenInput.parse({ service: 'webui', mayForwardUsers: 'signed' }), {
  id: 'test',
});
const plainKey = await createToken(db, tokenInput.parse({ service: 'old-webui', mayForwardUsers: 'plain' }), {
  id: 'test',
});
await world.identity.refreshTokens();

const seconds = () => Math.floor(world.clock() / 1000);

function userJwt(
  claims: Record<string, unknown> = {},
  o: { secret?: string; alg?: string } = {},
): Promise<string> {
  const all = {
    sub: 'u1',
    email: 'Alice@acme.com',
    iss: 'open-webui',
    iat: seconds(),
    exp: seconds() + 300,
    ...claims,
  };
  return new SignJWT(JSON.parse(JSON.stringify(all)))
    .setProtectedHeader({ alg: o.alg ?? 'HS256' })
    .sign(new TextEncoder().encode(o.secret ?? secret));
}

const withKey = (key: { token: string }, headers: Record<string, string>) => ({
  authorization: `Bearer ${key.token}`,
  ...headers,
});

test.each([
  ['signed', signedKey],
  ['plain', plainKey],
])('a signed header names the user for a key that may forward %s ones', async (_, key) => {
  const principal = await world.call(withKey(key, { 'x-openwebui-user-jwt': await userJwt() }));
  expect(principal).toMatchObject({
    kind: 'user',
    id: 'alice@acme.com',
    authSource: 'connection-key+signed',
    credentialId: key.id,
    assertedGroups: [],
  });
});

test('the same signed header is not verified twice, and not believed after its end', async () => {
  const headers = withKey(signedKey, { 'x-openwebui-user-jwt': await userJwt({ email: 'twice@acme.com' }) });
  await world.call(headers);
  const request = {
    header: (name: string) => new Map(Object.entries(headers)).get(name),
    clientIp: '',
    path: '/mcp',
  };
  expect(world.identity.authenticate(request)).toMatchObject({ id: 'twice@acme.com' });
  world.pass(331_000);
  expect(reasonOf(await world.refused(headers))).toBe('forwarded_user_unverified');
});

test.each([
  ['with another secret', {}, { secret: 'another-secret-0123456789-0123456789' }],
  ['with another algorithm', {}, { alg: 'HS512' }],
  ['of another issuer', { iss: 'somebody' }, {}],
  ['without an end', { exp: undefined }, {}],
  ['that has ended', { exp: seconds() - 31 }, {}],
])('a user header signed %s is refused', async (_, claims, how) => {
  const jwt = await userJwt(claims, how);
  const both = { 'x-openwebui-user-jwt': jwt, 'x-openwebui-user-email': 'alice@acme.com' };
  for (const key of [signedKey, plainKey]) {
    expect(reasonOf(await world.refused(withKey(key, both)))).toBe('forwarded_user_unverified');
  }
});

test('a signed header without an address is refused', async () => {
  const jwt = await userJwt({ email: 'nobody' });
  expect(reasonOf(await world.refused(withKey(signedKey, { 'x-openwebui-user-jwt': jwt })))).toBe(
    'forwarded_user_unreadable',
  );
});

test('a signed header cannot be checked without the secret', async () => {
  const other = await identityWorld();
  const key = await createToken(other.db, tokenInput.parse({ service: 'webui', mayForwardUsers: 'signed' }), {
    id: 'test',
  });
  await other.identity.refreshTokens();
  expect(reasonOf(await other.refused(withKey(key, { 'x-openwebui-user-jwt': await userJwt() })))).toBe(
    'no_header_secret',
  );
});

test.each([
  'x-openwebui-user-email',
  'x-openwebui-user-id',
  'x-openwebui-user-name',
  'x-openwebui-user-role',
])('the plain header %s is refused from a key that may send signed ones only', async (name) => {
  const error = await world.refused(withKey(signedKey, { [name]: 'alice@acme.com' }));
  expect(reasonOf(error)).toBe('plain_headers_refused');
  expect(error.message).toContain('FORWARD_USER_INFO_HEADER_JWT_SECRET');
});

test('a plain address counts from a key that may send it', async () => {
  const principal = await world.call(withKey(plainKey, { 'x-openwebui-user-email': 'Bob@acme.com' }));
  expect(principal).toMatchObject({ kind: 'user', id: 'bob@acme.com', authSource: 'connection-key+plain' });
});

test.each([
  'X-OpenWebUI-User-Groups',
  'X-OpenWebUI-User-Role',
  'X-User-Groups',
  'X-Gw-Groups',
  'X-User-Admin',
])(
  'a header %s gives no groups, whatever the key may send and whether a placeholder was filled in',
  async (name) => {
    for (const value of ['MCP-Admin', '{{USER_GROUPS}}', '{{USER_GROUP_IDS}}', 'admin', 'true']) {
      const plain = { 'x-openwebui-user-email': 'bob@acme.com', [name.toLowerCase()]: value };
      const signed = { 'x-openwebui-user-jwt': await userJwt(), [name.toLowerCase()]: value };
      for (const [key, headers] of [
        [plainKey, plain],
        [plainKey, signed],
        [signedKey, signed],
      ] as const) {
        const principal = await world.call(withKey(key, headers));
        expect(principal).toMatchObject({ kind: 'user', assertedGroups: [], assertedBy: null });
      }
    }
  },
);

test('a signed header that is an unfilled placeholder is refused, not overlooked', async () => {
  const headers = { 'x-openwebui-user-jwt': '{{USER_JWT}}', 'x-openwebui-user-email': 'bob@acme.com' };
  for (const key of [signedKey, plainKey]) {
    expect(reasonOf(await world.refused(withKey(key, headers)))).toBe('forwarded_user_unverified');
  }
});

test.each([
  ['an unfilled placeholder', '{{USER_EMAIL}}'],
  ['a placeholder inside an address', 'x{{USER_ID}}@acme.com'],
  ['no address', 'alice'],
  ['nothing', ''],
  ['an address that becomes another one when decoded', 'a%6cice@acme.com'],
  ['two addresses', 'a@acme.com, b@acme.com'],
  ['a pattern', '*@acme.com'],
  ['a control character', 'a\u0001@acme.com'],
  ['a letter that lower-cases into another one', '\u212aate@acme.com'],
])('a plain header with %s names nobody and is refused', async (_, header) => {
  expect(reasonOf(await world.refused(withKey(plainKey, { 'x-openwebui-user-email': header })))).toBe(
    'forwarded_user_unreadable',
  );
});

test('other plain headers without the address are refused', async () => {
  expect(reasonOf(await world.refused(withKey(plainKey, { 'x-openwebui-user-id': 'u1' })))).toBe(
    'forwarded_user_unreadable',
  );
});

test('without any user header the key stands for its service', async () => {
  expect(await world.call(signedKey.token)).toMatchObject({
    kind: 'service',
    id: 'service:webui',
    authSource: 'connection-key',
  });
});

test('a forwarded user appears in the database', async () => {
  await world.call(withKey(plainKey, { 'x-openwebui-user-email': 'new@acme.com' }));
  await vi.waitFor(async () => {
    const { rows } = await sql`select source from mcp_proxy.users where email = 'new@acme.com'`.execute(db);
    expect(rows).toEqual([{ source: 'connection-key' }]);
  }, 10_000);
});

test('a disabled user is refused behind a key, and so is everybody behind a disabled service', async () => {
  await sql`insert into mcp_proxy.users (email, disabled) values ('gone@acme.com', true)`.execute(db);
  await world.snapshot.refresh();
  const gone = withKey(plainKey, { 'x-openwebui-user-email': 'gone@acme.com' });
  expect(reasonOf(await world.refused(gone))).toBe('user_disabled');
  await sql`update mcp_proxy.users set disabled = true where email = 'service:old-webui'`.execute(db);
  await world.snapshot.refresh();
  const fine = withKey(plainKey, { 'x-openwebui-user-email': 'fine@acme.com' });
  expect(reasonOf(await world.refused(fine))).toBe('service_disabled');
});
