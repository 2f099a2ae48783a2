// What each kind of provider writes into its tokens, and whom and which groups it means here.
import { sql } from 'kysely';
import type { JWTPayload } from 'jose';
import { afterAll, expect, test } from 'vitest';
import { startIssuer } from '../../../test/fakes/oidc-issuer.ts';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';
import { oidcIssuer } from '../contract.ts';

const world = await identityWorld();
const issuer = await startIssuer();
afterAll(() => issuer.close());
const tenant = '11111111-2222-3333-4444-555555555555';
const entraUrl = `${issuer.origin}/${tenant}/v2.0`;
const v1 = `https://sts.windows.net/${tenant}/`;
const keycloakUrl = `${issuer.origin}/realms/corp`;
issuer.aliases.set(`${issuer.origin}/${tenant}`, v1);
world.trust(
  { name: 'entra', kind: 'entra', issuer: entraUrl, audience: ['app-id', 'api://toolgate'] },
  { name: 'keycloak', kind: 'keycloak', issuer: keycloakUrl, audience: ['toolgate'] },
  {
    name: 'idp',
    kind: 'generic',
    issuer: issuer.origin,
    audience: ['toolgate'],
    groupsClaim: 'https://acme.com/groups',
  },
);

await sql`insert into mcp_proxy.groups (name, display_name, external_ids) values
  ('MCP-Admin', '', '{}'), ('MCP-GitHub', '', '{aaaaaaaa-0000-0000-0000-000000000001}'), ('Same-Id', '', '{aaaaaaaa-0000-0000-0000-000000000001}'),
  ('/dept/dev', '', '{}'), ('top/sub', '', '{}'), ('By-Path', '', '{/a/b}')`.execute(world.db);
await world.snapshot.refresh();

const times = () => ({ iat: Math.floor(world.clock() / 1000), exp: Math.floor(world.clock() / 1000) + 300 });
const without = (claims: object): JWTPayload => JSON.parse(JSON.stringify(claims));
let people = 0;

const entraToken = (changes: object = {}, header = {}) =>
  issuer.sign(
    without({
      ...times(),
      iss: entraUrl,
      aud: 'app-id',
      ver: '2.0',
      tid: tenant,
      oid: `oid-${++people}`,
      sub: `pairwise-${people}`,
      scp: 'access',
      azp: 'client',
      preferred_username: `entra${people}@acme.com`,
      ...changes,
    }),
    { header },
  );
const v1Claims = {
  iss: v1,
  ver: '1.0',
  aud: 'api://toolgate',
  azp: undefined,
  appid: 'client',
  preferred_username: undefined,
};
const keycloakToken = (changes: object = {}) =>
  issuer.sign(
    without({
      ...times(),
      iss: keycloakUrl,
      aud: ['toolgate', 'account'],
      typ: 'Bearer',
      sub: `kc-${++people}`,
      azp: 'webui',
      email: `kc${people}@acme.com`,
      email_verified: true,
      preferred_username: `kc${people}`,
      ...changes,
    }),
  );
const genericToken = (changes: object = {}) =>
  issuer.sign(
    without({
      ...times(),
      iss: issuer.origin,
      aud: 'toolgate',
      sub: `g-${++people}`,
      email: `g${people}@acme.com`,
      ...changes,
    }),
  );

test.each([
  ['a v2 token by preferred_username', { preferred_username: 'V2@acme.com' }, 'v2@acme.com'],
  ['a v2 token by email before preferred_username', { email: 'mail@acme.com' }, 'mail@acme.com'],
  [
    'a v2 token by another name when nobody owns the domain of the e-mail',
    { email: 'ceo@acme.com', xms_edov: false, preferred_username: 'real@acme.com' },
    'real@acme.com',
  ],
  ['a v1 token by upn', { ...v1Claims, upn: 'v1@acme.com' }, 'v1@acme.com'],
  ['a v1 token by unique_name', { ...v1Claims, unique_name: 'unique@acme.com' }, 'unique@acme.com'],
])('Entra: %s', async (_, changes, id) => {
  await expect(world.call(await entraToken(changes))).resolves.toMatchObject({
    kind: 'user',
    id,
    authSource: 'oidc:entra',
  });
});

test('Entra: v1 and v2 tokens of one person mean the same person, by oid and not by sub', async () => {
  const v2Token = await entraToken({ oid: 'one-person', sub: 'a', preferred_username: 'one@acme.com' });
  const v1Token = await entraToken({ ...v1Claims, oid: 'one-person', sub: 'b', upn: 'one.alias@acme.com' });
  expect((await world.call(v2Token)).id).toBe('one@acme.com');
  expect(await world.call(v1Token)).toMatchObject({
    id: 'one@acme.com',
    credentialId: 'oidc:entra:one-person',
  });
});

test.each([
  ['another tenant', { tid: '99999999-2222-3333-4444-555555555555' }, 'wrong_tenant'],
  ['the v2 issuer and version 1.0', { ver: '1.0' }, 'wrong_version'],
  ['the v1 issuer and version 2.0', { ...v1Claims, ver: '2.0', upn: 'x@acme.com' }, 'wrong_version'],
  [
    'neither scopes nor an application, as ID tokens',
    { scp: undefined, azp: undefined, roles: ['MCP-Admin'] },
    'not_access_token',
  ],
  ['no scopes for a person', { scp: undefined, roles: ['MCP-Admin'] }, 'not_access_token'],
  ['no oid', { oid: undefined }, 'no_subject'],
  ['no name that is an address', { preferred_username: '+49 30 123' }, 'no_email'],
])('Entra: a token with %s is refused', async (_, changes, reason) => {
  expect(reasonOf(await world.refused(await entraToken(changes)))).toBe(reason);
});

test('Entra: a token for Microsoft Graph is refused', async () => {
  expect(reasonOf(await world.refused(await entraToken({}, { nonce: 'graph' })))).toBe('graph_token');
});

test.each([
  ['of this tenant', entraUrl, true],
  ['of any tenant', `${issuer.origin}/{tenantid}/v2.0`, true],
  ['of personal accounts', `${issuer.origin}/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0`, false],
])('Entra: a key %s counts: %s %s', async (_, keyIssuer, counts) => {
  issuer.keyFields = { issuer: keyIssuer };
  world.pass(11 * 60_000);
  const token = await entraToken();
  if (counts) await expect(world.call(token)).resolves.toMatchObject({ kind: 'user' });
  else expect(reasonOf(await world.refused(token))).toBe('wrong_key_issuer');
  issuer.keyFields = {};
  world.pass(11 * 60_000);
});

test.each([
  ['v2', { azp: 'AAAA-client', idtyp: 'app' }, /^service:entra\.aaaa-client-[0-9a-f]{8}$/],
  [
    'v1',
    { ...v1Claims, appid: '0f0f0f0f-0000-4000-8000-000000000001', oid: 'sp', sub: 'sp' },
    /^service:entra\.0f0f0f0f-0000-4000-8000-000000000001$/,
  ],
])('Entra: an app-only token (%s) stands for a service with its roles', async (_, changes, id) => {
  const token = await entraToken({
    scp: undefined,
    roles: ['MCP-Admin', 'Unknown'],
    preferred_username: undefined,
    ...changes,
  });
  const principal = await world.call(token);
  expect(principal).toMatchObject({
    kind: 'service',
    authSource: 'oidc:entra',
    assertedGroups: ['MCP-Admin'],
  });
  expect(principal.id).toMatch(id);
});

test.each([
  [
    'ids',
    { groups: ['aaaaaaaa-0000-0000-0000-000000000001', 'bbbb'] },
    ['MCP-GitHub', 'Same-Id'],
    'oidc:entra',
  ],
  ['names', { groups: ['MCP-GitHub', 'Nothing-Here'] }, ['MCP-GitHub'], 'oidc:entra'],
  ['an empty list', { groups: [] }, [], 'oidc:entra'],
  ['ids and app roles', { groups: ['bbbb'], roles: ['MCP-Admin'] }, ['MCP-Admin'], 'oidc:entra'],
  ['app roles only', { roles: ['MCP-Admin'] }, ['MCP-Admin'], null],
  [
    'an overage marker',
    {
      _claim_names: { groups: 'src1' },
      _claim_sources: { src1: { endpoint: 'https://graph.windows.net/x' } },
    },
    [],
    null,
  ],
  ['the overage marker of the implicit flow', { hasgroups: 'true' }, [], null],
  ['nothing', {}, [], null],
  ['something that is no list', { groups: { a: 1 } }, [], null],
])('Entra: groups as %s', async (_, changes, assertedGroups, assertedBy) => {
  await expect(world.call(await entraToken(changes))).resolves.toMatchObject({ assertedGroups, assertedBy });
});

test('Entra: overage is told in the log', () => {
  expect(world.logs.filter((line) => line.includes('too many'))).toHaveLength(1);
});

test.each([
  [
    'full paths',
    ['/dept/dev', '/top/sub', '/a/b', '/dept', 'MCP-Admin'],
    ['/dept/dev', 'By-Path', 'MCP-Admin', 'top/sub'],
  ],
  ['a part of a path, which is not the group', ['dev', 'b', 'sub'], []],
])('Keycloak: groups by %s', async (_, groups, assertedGroups) => {
  await expect(world.call(await keycloakToken({ groups }))).resolves.toMatchObject({
    assertedGroups,
    assertedBy: 'oidc:keycloak',
  });
});

test.each([
  ['the type of an ID token', { typ: 'ID' }, 'not_access_token'],
  ['the type of a refresh token', { typ: 'Refresh' }, 'not_access_token'],
  ['an unverified address', { email_verified: false }, 'no_email'],
  [
    'the user name of a service account but a person behind it',
    { azp: 'ci', preferred_username: 'service-account-ci', email: undefined },
    'no_email',
  ],
])('Keycloak: a token with %s is refused', async (_, changes, reason) => {
  expect(reasonOf(await world.refused(await keycloakToken(changes)))).toBe(reason);
});

test('Keycloak: a service account stands for a service', async () => {
  const token = await keycloakToken({
    azp: 'CI',
    client_id: 'CI',
    preferred_username: 'service-account-ci',
    email: undefined,
  });
  expect((await world.call(token)).id).toMatch(/^service:keycloak\.ci-[0-9a-f]{8}$/);
});

test('generic: a groups claim of any name, also as one text', async () => {
  const token = await genericToken({ 'https://acme.com/groups': 'MCP-GitHub' });
  await expect(world.call(token)).resolves.toMatchObject({
    assertedGroups: ['MCP-GitHub'],
    assertedBy: 'oidc:idp',
  });
});

test('generic: a token whose subject is the client stands for a service', async () => {
  const token = await genericToken({ sub: 'batch', client_id: 'batch', email: undefined });
  await expect(world.call(token)).resolves.toMatchObject({ kind: 'service', id: 'service:idp.batch' });
});

test('groups are mapped anew when they change here, for tokens that were seen before', async () => {
  const token = await keycloakToken({ groups: ['Late-Group'] });
  expect((await world.call(token)).assertedGroups).toEqual([]);
  await sql`insert into mcp_proxy.groups (name, display_name) values ('Late-Group', '')`.execute(world.db);
  await world.snapshot.refresh();
  expect((await world.call(token)).assertedGroups).toEqual(['Late-Group']);
});

test('an Entra issuer must name one tenant', () => {
  const common = {
    name: 'x',
    kind: 'entra',
    issuer: 'https://login.microsoftonline.com/common/v2.0',
    audience: ['a'],
  };
  expect(oidcIssuer.safeParse(common).success).toBe(false);
});
