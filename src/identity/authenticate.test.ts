import { sql } from 'kysely';
import { beforeAll, expect, test } from 'vitest';
import { startIssuer } from '../../test/fakes/oidc-issuer.ts';
import { identityWorld, publicUrl, reasonOf } from '../../test/identity-world.ts';
import { tokenInput } from './contract.ts';
import { createToken } from './routes.ts';
import { afterAll } from 'vitest';

const adminToken = 'the-operators-own-token-1234567890';
const world = await identityWorld({ adminToken, openWebUiJwtSecret: 'open-webui-header-secret-0123456789' });
const issuer = await startIssuer();
afterAll(() => issuer.close());
const by = { id: 'test' };

beforeAll(() => {
  world.trust({ name: 'corp', kind: 'generic', issuer: issuer.origin, audience: ['toolgate'] });
});

test('a request without a credential is told where the resource metadata is, and nothing of an invalid token', async () => {
  const error = await world.refused({}, '/t/acme/mcp/github');
  expect(error).toMatchObject({ code: 'unauthenticated', status: 401 });
  expect(error.headers['WWW-Authenticate']).toBe(
    `Bearer resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/t/acme/mcp/github"`,
  );
});

test('a refused credential is told so beside the resource metadata', async () => {
  const error = await world.refused('nonsense');
  expect(error.headers['WWW-Authenticate']).toBe(
    `Bearer resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp", error="invalid_token", ` +
      'error_description="The bearer token is neither an API token nor an access token."',
  );
});

test('a path cannot end the quoted string of the challenge', async () => {
  const error = await world.refused({}, '/mcp/"x",error="y');
  expect(error.headers['WWW-Authenticate']).toBe(
    `Bearer resource_metadata="${publicUrl}/.well-known/oauth-protected-resource/mcp/%22x%22%2Cerror%3D%22y"`,
  );
});

test.each([
  ['nothing', ''],
  ['a scheme alone', 'Bearer'],
  ['another scheme', 'Basic YWxpY2U6c2VjcmV0'],
  ['no scheme', 'tg_something'],
  ['two credentials', 'Bearer one, Bearer two'],
  ['two tokens', 'Bearer one two'],
])('an Authorization header with %s is refused', async (_, authorization) => {
  expect(reasonOf(await world.refused({ authorization }))).toBe('header_malformed');
});

test('the scheme may be written in any case', async () => {
  const { token } = await createToken(world.db, tokenInput.parse({ service: 'cases' }), by);
  await world.identity.refreshTokens();
  expect((await world.call({ authorization: `bearer ${token}` })).id).toBe('service:cases');
});

test('the metadata of a path names that path, the issuers and how to send a token', () => {
  expect(world.identity.protectedResourceMetadata('/mcp/github')).toEqual({
    resource: `${publicUrl}/mcp/github`,
    authorization_servers: [issuer.origin],
    bearer_methods_supported: ['header'],
    resource_name: 'Toolgate',
  });
  expect(world.identity.protectedResourceMetadata('/')['resource']).toBe(publicUrl);
});

test('the metadata leaves the authorization servers out when there are none', async () => {
  const bare = await identityWorld();
  expect(bare.identity.protectedResourceMetadata('/mcp')).not.toHaveProperty('authorization_servers');
});

test('the admin token opens the admin API and nothing else', async () => {
  expect(await world.callAdmin(adminToken)).toMatchObject({
    kind: 'service',
    id: 'admin-token',
    authSource: 'admin-token',
  });
  expect(reasonOf(await world.refused(adminToken))).toBe('credential_unrecognised');
});

test.each([
  ['a wrong one', `${adminToken}x`],
  ['a part of it', adminToken.slice(0, -1)],
])('%s is refused as an admin token', async (_, token) => {
  await expect(world.callAdmin(token)).rejects.toMatchObject({ status: 401 });
});

test('without an admin token nobody comes in by an empty one', async () => {
  const bare = await identityWorld({ adminToken: '' });
  await expect(bare.callAdmin({ authorization: 'Bearer ' })).rejects.toMatchObject({ status: 401 });
  await expect(bare.callAdmin('undefined')).rejects.toMatchObject({ status: 401 });
});

test('an API token and an access token prove themselves to the admin API, a connection key does not', async () => {
  const service = await createToken(world.db, tokenInput.parse({ service: 'ops' }), by);
  const key = await createToken(
    world.db,
    tokenInput.parse({ service: 'webui', mayForwardUsers: 'plain' }),
    by,
  );
  await world.identity.refreshTokens();
  const exp = Math.floor(world.clock() / 1000) + 300;
  const jwt = await issuer.sign({
    iss: issuer.origin,
    aud: 'toolgate',
    sub: 'u1',
    email: 'admin@acme.com',
    exp,
  });
  expect(await world.callAdmin(service.token)).toMatchObject({ id: 'service:ops' });
  expect(await world.callAdmin(jwt)).toMatchObject({ id: 'admin@acme.com' });
  const forwarded = { authorization: `Bearer ${key.token}`, 'x-openwebui-user-email': 'admin@acme.com' };
  await expect(world.callAdmin(forwarded)).rejects.toMatchObject({
    code: 'unauthenticated',
    detail: { reason: 'not_for_admin' },
  });
});

test('a connection key in force speaks for many people, and no other credential does', async () => {
  const make = async (input: object) => {
    const made = await createToken(world.db, tokenInput.parse({ service: 'many', ...input }), by);
    await world.identity.refreshTokens();
    return made;
  };
  const expiresAt = new Date(world.clock() + 60_000).toISOString();
  const key = await make({ mayForwardUsers: 'signed', expiresAt });
  const many = (authorization?: string) => world.identity.speaksForMany(authorization);
  expect(many(`Bearer ${key.token}`)).toBe(true);
  expect(many(`Bearer ${(await make({})).token}`)).toBe(false);
  for (const header of [undefined, '', 'Bearer', key.token, 'Bearer x']) expect(many(header)).toBe(false);
  await sql`update mcp_proxy.api_tokens set revoked_at = now() where id = ${key.id}`.execute(world.db);
  await world.identity.refreshTokens();
  expect(many(`Bearer ${key.token}`)).toBe(false);
  const expiring = await make({ mayForwardUsers: 'plain', expiresAt });
  expect(many(`Bearer ${expiring.token}`)).toBe(true);
  const setDisabled = async (disabled: boolean) => {
    await sql`insert into mcp_proxy.users (email, disabled) values ('service:many', ${disabled})
      on conflict (email) do update set disabled = excluded.disabled`.execute(world.db);
    await world.snapshot.refresh();
  };
  await setDisabled(true);
  expect(many(`Bearer ${expiring.token}`)).toBe(false);
  await setDisabled(false);
  world.pass(60_001);
  expect(many(`Bearer ${expiring.token}`)).toBe(false);
});

test('no credential stands in a log line or an error, whatever is wrong with it', async () => {
  const { token } = await createToken(world.db, tokenInput.parse({ service: 'canary' }), by);
  const key = await createToken(
    world.db,
    tokenInput.parse({ service: 'canary-key', mayForwardUsers: 'signed' }),
    by,
  );
  await world.identity.refreshTokens();
  const claims = { iss: issuer.origin, aud: 'other', sub: 's', email: 'x@acme.com', exp: 1 };
  const jwt = await issuer.sign(claims);
  const stranger = await issuer.sign({ ...claims, iss: 'https://elsewhere.example' });
  const attempts = [
    token.slice(0, -1),
    `${token.slice(0, -7)}AAAAAAA`,
    jwt,
    stranger,
    `${jwt}x`,
    { authorization: `Bearer ${token} x` },
    { authorization: `Bearer ${key.token}`, 'x-openwebui-user-jwt': jwt },
    { authorization: `Bearer ${key.token}`, 'x-openwebui-user-email': 'x@acme.com' },
  ];
  const errors = [];
  for (const attempt of attempts) errors.push(await world.refused(attempt));
  for (const error of errors)
    world.log.error({ err: error, detail: error.detail, cause: error.cause }, error.message);
  const out = [
    ...world.logs,
    ...errors.map((e) => JSON.stringify({ ...e, message: e.message, stack: e.stack })),
  ].join('\n');
  for (const secret of [
    token.slice(8),
    key.token.slice(8),
    adminToken,
    jwt.split('.')[2]!,
    stranger.split('.')[1]!,
  ]) {
    expect(out).not.toContain(secret.slice(0, 20));
  }
});
