import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { decodeJwt, SignJWT } from 'jose';
import { sql } from 'kysely';
import { afterAll, expect, test } from 'vitest';
import { listenOnLoopback } from '../../../test/fakes/loopback.ts';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';
import { createIdentitySigner, type SignedIdentity } from '../open-webui/signed-identity.ts';

const audience = 'http://inner:8085';
let ahead = 0;
const clock = () => Date.now() + ahead;
const signerFor = (more: object = {}) =>
  createIdentitySigner({
    secret: randomBytes(32),
    issuer: 'https://chat.acme.com',
    audience,
    clock,
    ...more,
  });
const secret = randomBytes(32);
const signer = await signerFor({ secret });
const front = await listenOnLoopback((request, response) => {
  response.writeHead(request.url === '/gateway/jwks.json' ? 200 : 404, {
    'content-type': 'application/json',
  });
  response.end(JSON.stringify(signer.keys));
});
afterAll(() => front.close());
const world = await identityWorld({ gatewayInFront: { url: front.origin, audience } });
await sql`insert into mcp_proxy.groups (name, display_name) values ('MCP-GitHub', ''), ('Zoë, & co', '')`.execute(
  world.db,
);
await world.snapshot.refresh();

const alice: SignedIdentity = {
  ...{ email: 'Alice@Acme.com', name: 'Alice', admin: false, authSource: 'open-webui' },
  groups: ['MCP-GitHub', 'Zoë, & co', 'Unknown'],
};

async function headersFor(facts = alice, by = signer): Promise<Record<string, string>> {
  const raw = await by.headers(facts);
  return Object.fromEntries(
    raw.flatMap((name, at) => (at % 2 === 0 ? [[name.toLowerCase(), raw[at + 1] ?? '']] : [])),
  );
}

const signatureOf = async (facts = alice, by = signer) =>
  (await headersFor(facts, by))['x-gateway-signature'] ?? '';

test('a signature stands for the person that it names, with their groups', async () => {
  expect(await world.call(await headersFor())).toEqual({
    ...{
      kind: 'user',
      id: 'alice@acme.com',
      assertedGroups: ['MCP-GitHub', 'Zoë, & co'],
      assertedBy: 'gateway',
    },
    ...{ tokenTenant: null, authSource: 'gateway', credentialId: 'gateway:alice@acme.com' },
  });
});

test('the plain headers beside it count for nothing, alone or altered', async () => {
  const { 'x-gateway-signature': signature = '', ...plain } = await headersFor();
  expect((await world.refused(plain)).status).toBe(401);
  const altered = { 'x-user-email': 'boss@acme.com', 'x-user-groups': 'MCP-Admin', 'x-user-admin': 'true' };
  expect((await world.call({ ...altered, 'x-gateway-signature': signature })).id).toBe('alice@acme.com');
});

test('every process of an installation signs with the same key, and another installation with another', async () => {
  expect((await signerFor({ secret })).keys).toEqual(signer.keys);
  expect((await signerFor()).keyId).not.toBe(signer.keyId);
});

test('one signature does for some seconds, and then there is a new one', async () => {
  const own = await signerFor({ secret });
  const first = await signatureOf(alice, own);
  expect(await signatureOf(alice, own)).toBe(first);
  ahead += 21_000;
  expect(await signatureOf(alice, own)).not.toBe(first);
  ahead = 0;
});

const { privateKey } = generateKeyPairSync('ed25519');
const claims = () => {
  const now = Math.floor(Date.now() / 1000);
  const { email, ...rest } = alice;
  return { ...rest, email, sub: email, iss: 'https://chat.acme.com', aud: audience, iat: now, exp: now + 60 };
};
const made = (more: object, header: object = {}) =>
  new SignJWT({ ...claims(), ...more })
    .setProtectedHeader({ alg: 'EdDSA', kid: signer.keyId, typ: 'toolgate-identity+jwt', ...header })
    .sign(privateKey);
const unsigned = (header: object) =>
  [header, claims()].map((part) => Buffer.from(JSON.stringify(part)).toString('base64url')).join('.');

test.each<[string, () => Promise<string>]>([
  ['of another key under the same id', () => made({})],
  ['of another installation', async () => signatureOf(alice, await signerFor())],
  [
    'for another audience',
    async () => signatureOf(alice, await signerFor({ secret, audience: 'http://other:8080' })),
  ],
  ['without one', async () => `${unsigned({ alg: 'none', typ: 'toolgate-identity+jwt' })}.`],
  [
    'by the public key as a shared secret',
    () =>
      new SignJWT(claims())
        .setProtectedHeader({ alg: 'HS256', typ: 'toolgate-identity+jwt', kid: signer.keyId })
        .sign(new TextEncoder().encode(JSON.stringify(signer.keys.keys[0]))),
  ],
  [
    'altered',
    async () =>
      (await signatureOf()).replace(
        /\.[^.]+\./,
        `.${Buffer.from(JSON.stringify({ ...claims(), email: 'boss@acme.com' })).toString('base64url')}.`,
      ),
  ],
  ['that is none', async () => 'nonsense'],
])('a signature %s is refused', async (_what, make) => {
  const error = await world.refused({ 'x-gateway-signature': await make() });
  expect(error.status).toBe(401);
});

test('a signature that is over counts no more', async () => {
  const headers = await headersFor();
  await world.call(headers);
  world.pass(75_000);
  expect(reasonOf(await world.refused(headers))).toMatch(/gateway_signature/);
  world.pass(-75_000);
});

test('it decides alone: no other credential beside it is tried', async () => {
  const error = await world.refused({
    'x-gateway-signature': 'nonsense',
    authorization: 'Bearer tg_anything',
  });
  expect(reasonOf(error)).not.toBe('token_damaged');
});

test('it does not open the admin API', async () => {
  await expect(world.callAdmin(await headersFor())).rejects.toMatchObject({ status: 401 });
});

test('an address that is none is refused', async () => {
  const headers = await headersFor({ ...alice, email: 'no address' });
  expect(reasonOf(await world.refused(headers))).toBe('gateway_signature_unreadable');
});

test('where there is no gateway in front, the header is not looked at', async () => {
  const alone = await identityWorld();
  expect(reasonOf(await alone.refused(await headersFor()))).toBe('no_credential');
});

test('it holds the claims that a service behind needs', async () => {
  expect(decodeJwt(await signatureOf())).toMatchObject({
    iss: 'https://chat.acme.com',
    aud: audience,
    authSource: 'open-webui',
  });
});
