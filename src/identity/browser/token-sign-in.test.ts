import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { browserWorld } from '../../../test/browser-world.ts';
import { formToken, type WebClient, webClient } from '../../../test/web-client.ts';
import { tokenInput } from '../contract.ts';
import { createToken } from '../routes.ts';

const world = await browserWorld();
const { db } = world;

async function tokenOf(input: Record<string, unknown>) {
  if (typeof input['user'] === 'string')
    await sql`insert into mcp_proxy.users (email) values (${input['user']}) on conflict do nothing`.execute(
      db,
    );
  const made = await createToken(db, tokenInput.parse(input), { id: 'test' });
  await world.identity.refreshTokens();
  return made;
}

async function signIn(client: WebClient, token: string, returnTo = '') {
  const page = await client.get(`/gateway/sign-in${returnTo && `?return=${encodeURIComponent(returnTo)}`}`);
  const fields = { token, ...(returnTo !== '' && { return: returnTo }) };
  return client.post('/gateway/sign-in/token', fields, { page });
}

async function signedIn(user = 'alice@acme.com') {
  const client = world.client();
  const { token, id } = await tokenOf({ user });
  expect((await signIn(client, token)).status).toBe(303);
  return { client, token, id };
}

/** Whom the browser is signed in as, by the page that shows it. */
async function whoAt(client: WebClient): Promise<string | undefined> {
  const { text } = await client.get('/gateway/sessions');
  return /href="\/gateway\/sessions">([^<]+)</.exec(text)?.[1];
}

test('a person’s API token signs in, and the browser goes where it wanted to', async () => {
  const client = world.client();
  const { token } = await tokenOf({ user: 'alice@acme.com' });
  const done = await signIn(client, token, '/gateway/accounts?tenant=acme');
  expect(done).toMatchObject({ status: 303, location: '/gateway/accounts?tenant=acme' });
  expect(await whoAt(client)).toBe('alice@acme.com');
});

test('the session is a cookie that no script reads and no other site’s form brings along', async () => {
  const { client } = await signedIn();
  const line = client.setCookies.find((one) => one.startsWith('toolgate_session='));
  expect(line).toMatch(/; Path=\/; HttpOnly; SameSite=Lax$/);
  expect(line).toContain('Max-Age=28800');
  expect(line).not.toMatch(/domain/i);
});

test('where people come by https, cookies are Secure and bound to this host', async () => {
  const secure = await browserWorld({ publicUrl: 'https://gate.example.com' });
  await sql`insert into mcp_proxy.users (email) values ('alice@acme.com') on conflict do nothing`.execute(
    secure.db,
  );
  const { token } = await createToken(secure.db, tokenInput.parse({ user: 'alice@acme.com' }), {
    id: 'test',
  });
  await secure.identity.refreshTokens();
  const client = secure.client();
  const page = await client.get('/gateway/sign-in');
  const headers = { origin: 'https://gate.example.com' };
  const done = await client.post('/gateway/sign-in/token', { token }, { page, headers });
  expect(done.status).toBe(303);
  const lines = client.setCookies.filter((line) => !line.includes('Max-Age=0'));
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines)
    expect(line).toMatch(/^__Host-toolgate_\w+=.*; Path=\/; HttpOnly; SameSite=Lax; Secure$/);
});

test('every token that does not count gets one and the same answer', async () => {
  const revoked = await tokenOf({ user: 'alice@acme.com' });
  await sql`update mcp_proxy.api_tokens set revoked_at = now() where id = ${revoked.id}`.execute(db);
  const program = await tokenOf({ service: 'ci' });
  const key = await tokenOf({ service: 'chat', mayForwardUsers: 'signed' });
  await world.identity.refreshTokens();
  const tokens = [
    '',
    'nonsense',
    'tg_x',
    revoked.token,
    program.token,
    key.token,
    'eyJhbGciOiJub25lIn0.e30.',
  ];
  const answers = await Promise.all(
    tokens.map(async (token) => {
      const { status, text } = await signIn(world.client(), token);
      return `${status} ${text.replaceAll(/value="[^"]*"/g, '')}`;
    }),
  );
  expect(new Set(answers).size).toBe(1);
  expect(answers[0]).toContain('401 ');
  expect(answers[0]).toContain('This token cannot be used here.');
});

test('a token never stands in a page or an address', async () => {
  const { token } = await tokenOf({ user: 'alice@acme.com' });
  const client = world.client();
  const done = await signIn(client, `${token.slice(0, -1)}x`);
  expect(done.text).not.toContain(token.slice(0, 20));
  expect((await client.get(`/gateway/sign-in?token=${token}`)).status).toBe(200);
  expect(await whoAt(client)).toBeUndefined();
  expect(world.logs.join()).not.toContain(token.slice(0, 20));
});

test.each(['https://evil.example/', '//evil.example', '/\\evil.example', '/gateway/../../evil'])(
  'signing in leads to a page of its own, not to %s',
  async (wanted) => {
    const { token } = await tokenOf({ user: 'alice@acme.com' });
    const client = world.client();
    expect((await signIn(client, token, wanted)).location).toBe('/gateway/accounts');
    const again = await client.get(`/gateway/sign-in?return=${encodeURIComponent(wanted)}`);
    expect(again.location).toBe('/gateway/accounts');
  },
);

test('a form of another site signs nobody in', async () => {
  const { token } = await tokenOf({ user: 'mallory@acme.com' });
  const client = world.client();
  const page = await client.get('/gateway/sign-in');
  for (const headers of [
    { origin: 'https://evil.example' },
    { origin: 'null' },
    { origin: `${world.origin}.evil.example` },
    { 'sec-fetch-site': 'cross-site' },
    { 'sec-fetch-site': 'same-site' },
  ]) {
    const done = await client.post('/gateway/sign-in/token', { token }, { page, headers });
    expect(done.status).toBe(403);
  }
  expect(await whoAt(client)).toBeUndefined();
});

test('a form from another browser’s page signs nobody in: nobody is made to act as somebody else', async () => {
  const { token } = await tokenOf({ user: 'mallory@acme.com' });
  const [mallory, victim] = [world.client(), world.client()];
  const page = await mallory.get('/gateway/sign-in');
  expect((await victim.post('/gateway/sign-in/token', { token }, { page })).status).toBe(403);
  await victim.get('/gateway/sign-in');
  expect((await victim.post('/gateway/sign-in/token', { token }, { page })).status).toBe(403);
  expect((await victim.post('/gateway/sign-in/token', { token })).status).toBe(403);
  expect(await whoAt(victim)).toBeUndefined();
});

test('what is no form, or too long, is refused in plain words', async () => {
  const client = world.client();
  await client.get('/gateway/sign-in');
  const headers = { 'content-type': 'application/json' };
  expect((await client.post('/gateway/sign-in/token', {}, { headers })).status).toBe(400);
  const long = await client.post('/gateway/sign-in/token', { token: 'x'.repeat(80_000) });
  expect(long.status).toBe(400);
  expect(long.text).toContain('is too long');
});

test('signing in begins a session of its own: what the browser held before opens nothing', async () => {
  const { client } = await signedIn();
  const before = client.cookies.get('toolgate_session') ?? '';
  const { token } = await tokenOf({ user: 'bob@acme.com' });
  const page = await client.get('/gateway/sign-in?anew=1');
  await client.post('/gateway/sign-in/token', { token }, { page });
  expect(client.cookies.get('toolgate_session')).not.toBe(before);
  expect(await whoAt(client)).toBe('bob@acme.com');
  const old = world.client();
  old.cookies.set('toolgate_session', before);
  expect(await whoAt(old)).toBeUndefined();
});

test('a cookie that was made up, or stands there twice, is nobody’s', async () => {
  const { client } = await signedIn();
  const mine = client.cookies.get('toolgate_session') ?? '';
  for (const cookie of [
    'toolgate_session=made-up',
    `toolgate_session=${mine}x`,
    `toolgate_session=${mine}; toolgate_session=${mine}`,
    `toolgate_visitor=${mine}`,
    `toolgate_session=${'a'.repeat(4_000)}`,
  ])
    expect((await webClient(world.origin).get('/gateway/sessions', { cookie })).status).toBe(303);
});

test('signing out ends the session, also for whoever copied the cookie', async () => {
  const { client } = await signedIn();
  const thief = world.client();
  thief.cookies.set('toolgate_session', client.cookies.get('toolgate_session') ?? '');
  expect(await whoAt(thief)).toBe('alice@acme.com');
  const page = await client.get('/gateway/sessions');
  expect((await client.post('/gateway/sign-out', {}, { page })).location).toBe('/gateway/sign-in?signed-out');
  expect(client.cookies.has('toolgate_session')).toBe(false);
  expect(await whoAt(thief)).toBeUndefined();
});

test('nobody is signed out by a link, or by another site', async () => {
  const { client } = await signedIn();
  expect((await client.get('/gateway/sign-out')).status).toBe(405);
  const page = await client.get('/gateway/sessions');
  const foreign = { page, headers: { origin: 'https://evil.example' } };
  // Its browser's cookies do not even count, so there is nobody to sign out.
  expect((await client.post('/gateway/sign-out', {}, foreign)).headers.get('location')).toBe(
    '/gateway/sign-in',
  );
  expect((await client.post('/gateway/sign-out', {})).status).toBe(403);
  const other = await signedIn('bob@acme.com');
  const theirs = await other.client.get('/gateway/sessions');
  expect((await client.post('/gateway/sign-out', {}, { page: theirs })).status).toBe(403);
  expect(await whoAt(client)).toBe('alice@acme.com');
});

test('a disabled person is signed out at once', async () => {
  const { client } = await signedIn('carol@acme.com');
  await sql`update mcp_proxy.users set disabled = true where email = 'carol@acme.com'`.execute(db);
  await world.snapshot.refresh();
  expect(await whoAt(client)).toBeUndefined();
});

test('a session ends with the token that it began with', async () => {
  const { client, id } = await signedIn('dora@acme.com');
  expect(await whoAt(client)).toBe('dora@acme.com');
  await sql`update mcp_proxy.api_tokens set revoked_at = now() where id = ${id}`.execute(db);
  world.pass(5_000);
  expect(await whoAt(client)).toBeUndefined();
});

test('a session ended elsewhere is over here within five seconds', async () => {
  const { client } = await signedIn('eve@acme.com');
  expect(await whoAt(client)).toBe('eve@acme.com');
  await sql`delete from mcp_proxy.browser_sessions where user_email = 'eve@acme.com'`.execute(db);
  world.pass(5_000);
  expect(await whoAt(client)).toBeUndefined();
});

test('a session lasts eight hours', async () => {
  const { client } = await signedIn('fay@acme.com');
  world.pass(8 * 3_600_000 - 60_000);
  expect(await whoAt(client)).toBe('fay@acme.com');
  world.pass(61_000);
  expect(await whoAt(client)).toBeUndefined();
});

test('people see their own browsers and can sign each of them out, and nobody else’s', async () => {
  const one = await signedIn('gina@acme.com');
  const two = await signedIn('gina@acme.com');
  const page = await one.client.get('/gateway/sessions');
  const ids = [...page.text.matchAll(/name="session" value="([^"]+)"/g)].map(([, id]) => id ?? '');
  expect(ids).toHaveLength(2);
  const other = await signedIn('hal@acme.com');
  const theirs = await other.client.get('/gateway/sessions');
  for (const session of ids) await other.client.post('/gateway/sessions/end', { session }, { page: theirs });
  expect(await whoAt(two.client)).toBe('gina@acme.com');
  await one.client.post('/gateway/sessions/end', {}, { page });
  expect([await whoAt(one.client), await whoAt(two.client)]).toEqual([undefined, undefined]);
});

test('the table holds nothing that signs in', async () => {
  const { client, token } = await signedIn();
  const { rows } = await sql<{
    row: string;
  }>`select s::text as row from mcp_proxy.browser_sessions s`.execute(db);
  const stored = rows.map(({ row }) => row).join('\n');
  expect(stored).toContain('alice@acme.com');
  expect(stored).not.toContain(token);
  expect(stored).not.toContain(client.cookies.get('toolgate_session'));
});

test('pages run nothing, load nothing, are framed by nobody and kept by nobody', async () => {
  const { headers, text } = await world.client().get('/gateway/sign-in');
  expect(headers.get('content-security-policy')).toMatch(
    /^default-src 'none'; style-src 'sha256-[^']+'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'$/,
  );
  expect(headers.get('cache-control')).toBe('no-store');
  expect(headers.get('referrer-policy')).toBe('same-origin');
  expect(headers.get('x-content-type-options')).toBe('nosniff');
  expect(text).not.toMatch(/<script|<img|style=|\son\w+=/i);
});

test('the hidden field is another one each time and says nothing', async () => {
  const client = world.client();
  const [one, two] = [await client.get('/gateway/sign-in'), await client.get('/gateway/sign-in')];
  expect(formToken(one)).not.toBe(formToken(two));
});

test('by another name of this machine the browser is sent to the one that cookies belong to', async () => {
  const local = world.origin.replace('127.0.0.1', 'localhost');
  const visit = await webClient(local).get('/gateway/sign-in?return=%2Fgateway%2Faccounts');
  expect(visit.location).toBe(`${world.origin}/gateway/sign-in?return=%2Fgateway%2Faccounts`);
});
