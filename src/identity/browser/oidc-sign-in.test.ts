import { sql } from 'kysely';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { browserWorld } from '../../../test/browser-world.ts';
import { makeKey } from '../../../test/fakes/oidc-issuer.ts';
import { startSignInService } from '../../../test/fakes/sign-in-service.ts';
import type { WebClient } from '../../../test/web-client.ts';

const world = await browserWorld();
const { db } = world;
const service = await startSignInService();
afterAll(() => service.close());

const { origin, clientId, clientSecret } = service;
const signIn = { clientId, clientSecret, label: 'Acme' };
const acme = { name: 'acme', kind: 'generic', issuer: origin, audience: ['api'] };

beforeEach(() => {
  world.signInAt({ ...acme, signIn });
  service.person = { sub: 'alice-1', email: 'Alice@acme.com', name: 'Alice A.' };
  service.twist = (claims) => claims;
  service.otherKey = undefined;
  service.responseIssuer = origin;
});

const begin = '/gateway/sign-in/oidc?issuer=acme&return=%2Fgateway%2Fsessions';

/** Where the sign-in service sends the browser back to, with the answer in the query. */
async function answered(client: WebClient, path = begin): Promise<string> {
  const { location = '' } = await client.get(path);
  const response = await fetch(location, { redirect: 'manual' });
  const back = new URL(response.headers.get('location') ?? '');
  return back.pathname + back.search;
}

async function whoAt(client: WebClient): Promise<string | undefined> {
  const { text } = await client.get('/gateway/sessions');
  return /href="\/gateway\/sessions">([^<]+)</.exec(text)?.[1];
}

test('somebody signs in at the issuer, appears here, and is where they wanted to be', async () => {
  const client = world.client();
  const page = await client.get('/gateway/sign-in?return=%2Fgateway%2Fsessions');
  expect(page.text).toContain('Sign in with Acme');
  const [, href = ''] = /href="(\/gateway\/sign-in\/oidc[^"]+)"/.exec(page.text) ?? [];
  const there = await client.follow(href.replaceAll('&#38;', '&'));
  expect(there.text).toContain('alice@acme.com');
  const { rows } = await sql`
    select display_name from mcp_proxy.users where email = 'alice@acme.com'`.execute(db);
  expect(rows).toEqual([{ display_name: 'Alice A.' }]);
  await expect
    .poll(async () => {
      const found = await sql`select issuer, subject from mcp_proxy.user_identities`.execute(db);
      return found.rows;
    })
    .toContainEqual({ issuer: origin, subject: 'alice-1' });
});

test('the request has PKCE, state and nonce, and the secret goes to the token endpoint alone', async () => {
  await world.client().follow(begin);
  const asked = Object.fromEntries(service.asked.at(-1) ?? []);
  expect(asked).toMatchObject({
    response_type: 'code',
    client_id: 'toolgate',
    redirect_uri: `${world.origin}/gateway/sign-in/callback`,
    scope: 'openid profile email',
    code_challenge_method: 'S256',
  });
  for (const name of ['code_challenge', 'state', 'nonce']) expect(asked[name]?.length).toBeGreaterThan(40);
  expect(JSON.stringify(asked)).not.toContain(clientSecret);
  expect(service.tokenRequests.at(-1)?.get('client_secret')).toBe(clientSecret);
});

test('an answer counts in the browser where it was asked for, and nowhere else', async () => {
  const [mallory, victim] = [world.client(), world.client()];
  service.person = { sub: 'mallory-1', email: 'mallory@acme.com' };
  const callback = await answered(mallory);
  await victim.get('/gateway/sign-in');
  const refused = await victim.get(callback);
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('did not begin in this browser');
  expect(await whoAt(victim)).toBeUndefined();
});

test('an answer counts once', async () => {
  const client = world.client();
  const callback = await answered(client);
  const held = new Map(client.cookies);
  expect((await client.get(callback)).status).toBe(303);
  const again = world.client();
  for (const [name, value] of held) again.cookies.set(name, value);
  const replayed = await again.get(callback);
  expect([replayed.status, await whoAt(again)]).toEqual([403, undefined]);
});

test('an answer that comes after a quarter of an hour is too late', async () => {
  const client = world.client();
  const callback = await answered(client);
  world.pass(16 * 60_000);
  expect((await client.get(callback)).status).toBe(400);
});

test('two sign-ins in two windows of one browser do not disturb each other', async () => {
  const client = world.client();
  const first = await answered(client);
  const second = await answered(client, '/gateway/sign-in/oidc?issuer=acme&return=%2Fgateway%2Faccounts');
  const cookies = new Map(client.cookies);
  expect((await client.get(first)).location).toBe('/gateway/sessions');
  for (const [name, value] of cookies) client.cookies.set(name, value);
  expect((await client.get(second)).location).toBe('/gateway/accounts');
});

const otherKey = await makeKey('sign-in-1');
test.each([
  ['an ID token for another sign-in', () => (service.twist = (claims) => ({ ...claims, nonce: 'other' }))],
  ['an ID token without the nonce', () => (service.twist = ({ nonce: _nonce, ...rest }) => rest)],
  [
    'an ID token of another issuer',
    () => (service.twist = (claims) => ({ ...claims, iss: 'https://evil.example' })),
  ],
  ['an ID token for another client', () => (service.twist = (claims) => ({ ...claims, aud: 'other' }))],
  ['an ID token that is over', () => (service.twist = (claims) => ({ ...claims, exp: 1_000 }))],
  ['an ID token that somebody else signed', () => (service.otherKey = otherKey)],
  ['an answer of another issuer', () => (service.responseIssuer = 'https://evil.example')],
  ['an answer that names no issuer', () => (service.responseIssuer = undefined)],
  ['somebody without an address', () => (service.person = { sub: 'nobody' })],
  [
    'an address that was not verified',
    () => (service.person = { sub: 'x', email: 'alice@acme.com', email_verified: false }),
  ],
])('%s signs nobody in', async (_what, lie) => {
  lie();
  const client = world.client();
  const refused = await client.get(await answered(client));
  expect(refused.status).toBe(403);
  expect(await whoAt(client)).toBeUndefined();
});

test('an address that is linked to another account there is refused, in plain words', async () => {
  const client = world.client();
  service.person = { sub: 'first', email: 'shared@acme.com' };
  await client.follow(begin);
  service.person = { sub: 'second', email: 'shared@acme.com' };
  const other = world.client();
  const refused = await other.get(await answered(other));
  expect(refused.text).toContain('belongs to another account');
  expect(await whoAt(other)).toBeUndefined();
});

test('a changed address is the same person, as with an access token', async () => {
  service.person = { sub: 'erin-1', email: 'erin@acme.com' };
  await world.client().follow(begin);
  await expect
    .poll(async () => {
      await world.snapshot.refresh();
      return world.snapshot.current().memberByIdentity(origin, 'erin-1')?.id;
    })
    .toBe('erin@acme.com');
  service.person = { sub: 'erin-1', email: 'erin.married@acme.com' };
  const client = world.client();
  await client.follow(begin);
  expect(await whoAt(client)).toBe('erin@acme.com');
});

test('an Entra tenant: the object id names the person, and the address comes from the user name', async () => {
  const tenant = '11111111-2222-3333-4444-555555555555';
  const entra = await startSignInService(`/${tenant}/v2.0`);
  try {
    const { clientId: id, clientSecret: secret } = entra;
    world.signInAt({
      ...{ name: 'entra', kind: 'entra', issuer: entra.issuer, audience: ['api'] },
      signIn: { clientId: id, clientSecret: secret },
    });
    entra.person = { sub: 'pairwise', oid: 'object-1', tid: tenant, preferred_username: 'Frank@acme.com' };
    const client = world.client();
    const { location = '' } = await client.get('/gateway/sign-in/oidc?issuer=entra&anew=1');
    expect(new URL(location).searchParams.get('prompt')).toBe('select_account');
    await client.follow('/gateway/sign-in/oidc?issuer=entra&return=%2Fgateway%2Fsessions');
    expect(await whoAt(client)).toBe('frank@acme.com');
    await expect
      .poll(async () => {
        await world.snapshot.refresh();
        return world.snapshot.current().memberByIdentity(entra.issuer, 'object-1')?.id;
      })
      .toBe('frank@acme.com');
  } finally {
    await entra.close();
  }
});

test('who cancels is told so, and what the service says of it is not shown', async () => {
  service.person = null;
  const client = world.client();
  const refused = await client.get(await answered(client));
  expect(refused.text).toContain('it was cancelled');
  expect(refused.text).not.toMatch(/<b>no|&#60;b/);
});

test('a made-up error in the address shows nothing of itself', async () => {
  const client = world.client();
  await client.get('/gateway/sign-in');
  const { text } = await client.get(
    '/gateway/sign-in/callback?error=x&error_description=Call+0800+123&state=%3Cscript%3E',
  );
  expect(text).not.toMatch(/0800|script>/);
});

test('a code cannot be put into another sign-in: it is bound to the verifier of its own', async () => {
  const [mallory, victim] = [world.client(), world.client()];
  service.person = { sub: 'mallory-1', email: 'mallory@acme.com' };
  const stolen = new URL(await answered(mallory), origin).searchParams.get('code') ?? '';
  const own = new URL(await answered(victim), origin);
  own.searchParams.set('code', stolen);
  expect((await victim.get(own.pathname + own.search)).status).toBe(403);
});

test('groups that the service states count for an hour, as those of its access tokens do', async () => {
  await sql`insert into mcp_proxy.groups (name, display_name) values ('dev', 'dev') on conflict do nothing`.execute(
    db,
  );
  await world.snapshot.refresh();
  service.person = { sub: 'g-1', email: 'grace@acme.com', groups: ['dev', 'elsewhere'] };
  const client = world.client();
  await client.follow(begin);
  const cookie = [...client.cookies].map(([name, value]) => `${name}=${value}`).join('; ');
  const who = async () => world.browser.whoIs({ headers: { cookie } } as never);
  expect((await who())?.principal).toMatchObject({ assertedGroups: ['dev'], assertedBy: 'oidc:acme' });
  world.pass(61 * 60_000);
  expect((await who())?.principal).toMatchObject({ assertedGroups: [], assertedBy: null });
});

test('as somebody else means that the service asks anew', async () => {
  await world.client().get(`${begin}&anew=1`);
  const { location = '' } = await world.client().get(`${begin}&anew=1`);
  expect(new URL(location).searchParams.get('prompt')).toBe('login');
});

test('an issuer without sign-in offers none, and one that is not there neither', async () => {
  world.signInAt(acme);
  const client = world.client();
  expect((await client.get('/gateway/sign-in')).text).not.toContain('Sign in with');
  for (const issuer of ['acme', 'other'])
    expect((await client.get(`/gateway/sign-in/oidc?issuer=${issuer}`)).location).toMatch(
      /^\/gateway\/sign-in\?/,
    );
});

test('a service that is away is told in plain words', async () => {
  world.signInAt({ ...acme, issuer: 'http://127.0.0.1:9', signIn });
  const { status, text } = await world.client().get(begin);
  expect(status).toBe(400);
  expect(text).toContain('could not confirm who you are');
});
