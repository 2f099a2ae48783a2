// What makes an access token valid or not, one thing at a time. Claims by kind: claims.test.ts.
import { createHmac, createPublicKey } from 'node:crypto';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import type { JWTPayload } from 'jose';
import { afterAll, expect, test } from 'vitest';
import { makeKey, startIssuer } from '../../../test/fakes/oidc-issuer.ts';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';

const world = await identityWorld();
const issuer = await startIssuer();
afterAll(() => issuer.close());
const corp = {
  name: 'corp',
  kind: 'generic',
  issuer: issuer.origin,
  audience: ['toolgate', 'api://toolgate'],
};
world.trust(corp);

const seconds = () => Math.floor(world.clock() / 1000);
let people = 0;

/** A right token of somebody new, with changes; `undefined` leaves a claim out. */
function claims(changes: Record<string, unknown> = {}): JWTPayload {
  people += 1;
  const who = { sub: `subject-${people}`, email: `user${people}@acme.com`, name: 'A Person' };
  const all = {
    iss: issuer.origin,
    aud: 'toolgate',
    iat: seconds(),
    exp: seconds() + 300,
    ...who,
    ...changes,
  };
  return JSON.parse(JSON.stringify(all));
}

test('a right token is let in, and at once when it comes again', async () => {
  const token = await issuer.sign(claims({ email: 'Right@acme.com', sub: 'right' }));
  expect(await world.call(token)).toEqual({
    kind: 'user',
    id: 'right@acme.com',
    assertedGroups: [],
    assertedBy: null,
    tokenTenant: null,
    authSource: 'oidc:corp',
    credentialId: 'oidc:corp:right',
  });
  const again = world.identity.authenticate({ header: () => `Bearer ${token}`, clientIp: '', path: '/mcp' });
  expect(again).not.toBeInstanceOf(Promise);
});

test('somebody who came once does not keep the picture of then in memory', async () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void; // that is what the flag puts there
  await world.call(await issuer.sign(claims()));
  const then = new WeakRef(world.snapshot.current());
  await world.snapshot.refresh();
  const isKept = () => {
    collect();
    return then.deref() !== undefined;
  };
  await expect.poll(isKept).toBe(false);
});

test.each<[string, Record<string, unknown>, Record<string, unknown>?]>([
  ['the second accepted audience', { aud: 'api://toolgate' }],
  ['an accepted audience among others', { aud: ['account', 'toolgate'] }],
  ['an end within the tolerance', { exp: seconds() - 50 }],
  ['a start within the tolerance', { nbf: seconds() + 50 }],
  ['a type of access token', {}, { typ: 'at+jwt' }],
  ['no type', {}, { typ: undefined }],
])('a token with %s is let in', async (_, changes, header = {}) => {
  await expect(world.call(await issuer.sign(claims(changes), { header }))).resolves.toMatchObject({
    kind: 'user',
  });
});

test.each([
  ['another issuer', { iss: 'https://evil.example' }, 'issuer_unknown'],
  ['the issuer with a slash added', { iss: `${issuer.origin}/` }, 'issuer_unknown'],
  ['no issuer', { iss: undefined }, 'issuer_unknown'],
  ['another audience', { aud: 'other' }, 'wrong_audience'],
  ['no audience', { aud: undefined }, 'wrong_audience'],
  ['an end that has passed', { exp: seconds() - 61 }, 'token_expired'],
  ['no end', { exp: undefined }, 'token_invalid'],
  ['an end that is no number', { exp: 'tomorrow' }, 'token_invalid'],
  ['a start in the future', { nbf: seconds() + 3_600 }, 'token_invalid'],
  ['no subject', { sub: undefined }, 'no_subject'],
  ['no address', { email: undefined }, 'no_email'],
  ['an address that is not verified', { email_verified: false }, 'no_email'],
  ['the marks of an ID token', { at_hash: 'x' }, 'not_access_token'],
  ['the marks of a logout token', { events: {} }, 'not_access_token'],
  ['a key that it is bound to', { cnf: { jkt: 'x' } }, 'sender_bound'],
])('a token with %s is refused', async (_, changes, reason) => {
  expect(reasonOf(await world.refused(await issuer.sign(claims(changes))))).toBe(reason);
});

test('a token of another type is refused', async () => {
  const token = await issuer.sign(claims(), { header: { typ: 'oauth-id-jag+jwt' } });
  expect(reasonOf(await world.refused(token))).toBe('not_access_token');
});

test('a token signed with another key under a known id is refused', async () => {
  const token = await issuer.sign(claims(), { key: await makeKey('key-1') });
  expect(reasonOf(await world.refused(token))).toBe('token_invalid');
});

const part = (value: unknown) => Buffer.from(JSON.stringify(value)).toString('base64url');

test.each(['none', 'None', 'nOnE'])('a token with algorithm %s is refused', async (alg) => {
  const token = `${part({ alg, typ: 'JWT', kid: 'key-1' })}.${part(claims())}.`;
  expect(reasonOf(await world.refused(token))).toBe('token_invalid');
});

test('a token whose HMAC secret is the public key is refused', async () => {
  const { jwk } = issuer.keys[0]!;
  const key = createPublicKey({ key: jwk, format: 'jwk' });
  const secrets = [
    key.export({ type: 'spki', format: 'pem' }),
    key.export({ type: 'spki', format: 'der' }),
    JSON.stringify(jwk),
  ];
  for (const secret of secrets) {
    const text = `${part({ alg: 'HS256', typ: 'JWT', kid: 'key-1' })}.${part(claims())}`;
    const token = `${text}.${createHmac('sha256', secret).update(text).digest('base64url')}`;
    expect(reasonOf(await world.refused(token))).toBe('token_invalid');
  }
});

test('a token with a changed payload or without its signature is refused', async () => {
  const [header, , signature] = (await issuer.sign(claims())).split('.');
  expect(reasonOf(await world.refused(`${header}.${part(claims())}.${signature}`))).toBe('token_invalid');
  expect(reasonOf(await world.refused(`${header}.${part(claims())}.`))).toBe('token_invalid');
  expect(reasonOf(await world.refused('not.a.token'))).toBe('token_malformed');
});

test('a key inside the token is not believed', async () => {
  const own = await makeKey('mine');
  const token = await issuer.sign(claims(), {
    key: own,
    header: { jwk: own.jwk, jku: `${issuer.origin}/keys` },
  });
  expect(reasonOf(await world.refused(token))).toBe('token_invalid');
});

test.each(['PS256', 'ES256', 'EdDSA'])('a key of algorithm %s counts', async (alg) => {
  const key = await makeKey(`key-${alg}`, alg);
  issuer.keys.push(key);
  world.pass(31_000);
  await expect(world.call(await issuer.sign(claims(), { key }))).resolves.toMatchObject({ kind: 'user' });
});

test('a verified token stops counting at its end and when its issuer is no longer trusted', async () => {
  const short = await issuer.sign(claims({ exp: seconds() + 30 }));
  await world.call(short);
  world.pass(91_000);
  expect(reasonOf(await world.refused(short))).toBe('token_expired');

  const token = await issuer.sign(claims());
  await world.call(token);
  world.trust({ ...corp, audience: ['somewhere-else'] });
  expect(reasonOf(await world.refused(token))).toBe('wrong_audience');
  world.trust();
  expect(reasonOf(await world.refused(token))).toBe('issuer_unknown');
  world.trust(corp);
  await expect(world.call(token)).resolves.toMatchObject({ kind: 'user' });
});

test('a new key is fetched when a token names it, and made-up ids do not become a stream of requests', async () => {
  const next = await makeKey('key-2');
  world.pass(31_000);
  await world.call(await issuer.sign(claims()));
  const before = issuer.keyFetches;
  const token = await issuer.sign(claims(), { key: next });
  expect(reasonOf(await world.refused(token))).toBe('token_invalid');
  expect(issuer.keyFetches).toBe(before + 1);
  for (const kid of ['a', 'b', 'c']) await world.refused(await issuer.sign(claims(), { header: { kid } }));
  expect(issuer.keyFetches).toBe(before + 1);

  issuer.keys = [next];
  world.pass(31_000);
  await expect(world.call(await issuer.sign(claims(), { key: next }))).resolves.toMatchObject({
    kind: 'user',
  });
});

test('a key that was withdrawn stops counting, for tokens that were verified before too', async () => {
  const old = issuer.keys[0]!;
  const token = await issuer.sign(claims({ exp: seconds() + 7_200 }), { key: old });
  await world.call(token);
  issuer.keys = [await makeKey('key-3')];
  world.pass(15 * 60_000);
  expect(reasonOf(await world.refused(token))).toBe('token_invalid');
});

test('while the keys cannot be fetched the last ones count, for a day', async () => {
  await world.call(await issuer.sign(claims()));
  issuer.down = true;
  world.pass(23 * 3_600_000);
  await expect(world.call(await issuer.sign(claims()))).resolves.toMatchObject({ kind: 'user' });
  world.pass(2 * 3_600_000);
  await expect(world.refused(await issuer.sign(claims()))).resolves.toMatchObject({
    status: 503,
    code: 'identity_unavailable',
  });
  issuer.down = false;
  world.pass(6_000);
  await expect(world.call(await issuer.sign(claims()))).resolves.toMatchObject({ kind: 'user' });
});

test('keys that never could be fetched are no reason to throw the token away', async () => {
  issuer.down = true;
  await world.restart();
  const token = await issuer.sign(claims());
  const error = await world.refused(token);
  expect(error).toMatchObject({ status: 503, code: 'identity_unavailable' });
  expect(error.headers).toEqual({});
  issuer.down = false;
  world.pass(6_000);
  await expect(world.call(token)).resolves.toMatchObject({ kind: 'user' });
});

test('a discovery document that speaks of another issuer is not believed', async () => {
  issuer.aliases.set(issuer.origin, 'https://evil.example');
  await world.restart();
  await expect(world.refused(await issuer.sign(claims()))).resolves.toMatchObject({ status: 503 });
  issuer.aliases.clear();
});

test('with a configured key URL there is no discovery', async () => {
  world.trust({ ...corp, issuer: 'https://issuer.example', jwksUri: `${issuer.origin}/keys` });
  const token = await issuer.sign(claims({ iss: 'https://issuer.example' }));
  await expect(world.call(token)).resolves.toMatchObject({ authSource: 'oidc:corp' });
});
