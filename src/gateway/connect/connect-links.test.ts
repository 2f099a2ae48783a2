import { expect, test } from 'vitest';
import { alice, bob, evil, linkNamed, signedIn, site, world } from '../../../test/connect-pages.ts';
import { AppError } from '../../platform/errors.ts';
import { ConnectFailed } from '../../secrets/index.ts';

test('whoever is not signed in is sent to do so, and comes back', async () => {
  const { link } = await world();
  const client = site.client();
  for (const path of [
    '/gateway/accounts?tenant=acme',
    link(alice),
    '/gateway/connect/callback?code=1&state=2',
  ]) {
    const visit = await client.get(path);
    expect(visit.status).toBe(303);
    const back = new URL(visit.location ?? '', site.origin);
    expect([back.pathname, back.searchParams.get('return')]).toEqual(['/gateway/sign-in', path]);
  }
});

test('what an authorization server says of a failure is shown as text, too', async () => {
  const { accounts, link } = await world();
  accounts.failing = new AppError('account_discovery_failed', 502, `It said ${evil}.`);
  const client = await signedIn(alice);
  const begun = await client.get(link(alice));
  expect([begun.status, begun.location]).toEqual([400, undefined]);
  expect(begun.text).toContain('GitHub could not be connected');
  const at = { server: 'evil', tenant: null, returnTo: '/gateway/accounts' };
  accounts.failing = new ConnectFailed(new AppError('account_sign_in_refused', 400, `No: ${evil}`), at);
  const finished = await client.get('/gateway/connect/callback?error=x');
  expect(finished.text).toContain('could not be connected');
  expect(linkNamed(finished, 'Try again')).toMatch(/^\/gateway\/connect\?link=/);
  for (const { text } of [begun, finished]) expect(text).not.toContain('<img');
});

test('a link from the chat leads to the authorization server, and back to a page that says how it went', async () => {
  const { accounts, link } = await world();
  const client = await signedIn(alice);
  const away = await client.get(link(alice));
  expect(away).toMatchObject({ status: 303, location: 'https://as.example/authorize?state=1' });
  expect(accounts.begun[0]).toMatchObject({
    user: alice,
    tenant: null,
    returnTo: '/gateway/accounts',
    server: {
      id: 'github',
      displayName: 'GitHub',
      url: 'http://127.0.0.1:9/mcp',
      trusted: true,
      elsewhere: false,
    },
  });
  const back = await client.get('/gateway/connect/callback?state=1&code=2');
  expect(back.text).toContain('GitHub is connected');
  expect(back.text).toContain('go back to your chat');
  expect(accounts.listFor(alice)).toMatchObject([{ server: 'github', state: 'connected' }]);
});

test('a link is for one person: whoever else opens it connects nothing and learns nobody’s name', async () => {
  const { accounts, link } = await world();
  const client = await signedIn(bob);
  const refused = await client.get(link(alice));
  expect(refused.status).toBe(403);
  expect(refused.text).toContain('signed in as bob@acme.com');
  expect(refused.text).not.toContain(alice);
  expect(accounts.begun).toEqual([]);
});

test('whoever has two accounts can sign in as the other one, and goes on with the link', async () => {
  const { link } = await world();
  const client = await signedIn(bob);
  const path = link(alice);
  const refused = await client.get(path);
  const [, target = ''] = /name="return" value="([^"]+)"/.exec(refused.text) ?? [];
  const out = await client.post('/gateway/sign-out', { return: target }, { page: refused });
  const next = new URL(out.location ?? '', site.origin);
  expect([next.pathname, next.searchParams.get('anew')]).toEqual(['/gateway/sign-in', '1']);
  expect(next.searchParams.get('return')).toBe(path);
});

test('a link that is older than half an hour begins nothing', async () => {
  const { accounts, oldLink } = await world();
  const client = await signedIn(alice);
  expect((await client.get(oldLink(29))).status).toBe(303);
  const over = await client.get(oldLink(31));
  expect(over.status).toBe(410);
  expect(over.text).toContain('too old');
  expect(accounts.begun).toHaveLength(1);
});

test.each(['', '?link=', '?link=made-up', '?link=AAAA', `?link=${'A'.repeat(3_000)}`])(
  'a link that was not made here begins nothing: %s',
  async (query) => {
    const { accounts } = await world();
    const client = await signedIn(alice);
    expect((await client.get(`/gateway/connect${query}`)).status).toBe(400);
    expect(accounts.begun).toEqual([]);
  },
);

test('sealed texts of other purposes are no links', async () => {
  const { gate, accounts } = await world();
  const client = await signedIn(alice);
  const text = JSON.stringify([alice, null, 'github', Date.now() + 60_000]);
  for (const purpose of ['connect-state', 'browser-session', 'openapi-link'])
    expect((await client.get(`/gateway/connect?link=${gate.sealerFor(purpose).seal(text)}`)).status).toBe(
      400,
    );
  expect(accounts.begun).toEqual([]);
});

test('a link opens no server that is not the person’s any more, and no tenant but its own', async () => {
  const { accounts, link } = await world();
  const client = await signedIn(alice);
  for (const path of [
    link(alice, 'others'),
    link(alice, 'nothing'),
    link(alice, 'plain'),
    link(alice, 'exchanged'),
  ])
    expect((await client.get(path)).status).toBe(404);
  expect((await client.get(link(alice, 'github', 'acme'))).status).toBe(404);
  const tom = await signedIn('tom@acme.com');
  expect((await tom.get(link('tom@acme.com', 'github', null))).status).toBe(404);
  expect(accounts.begun).toEqual([]);
  expect((await tom.get(link('tom@acme.com', 'github', 'bolt'))).status).toBe(303);
  expect(accounts.begun).toMatchObject([{ tenant: 'bolt' }]);
});

test('a server with a secret in its address begins nothing, and the page says why', async () => {
  const { accounts, link } = await world();
  const client = await signedIn('sam@acme.com');
  const refused = await client.get(link('sam@acme.com', 'secret'));
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('has to write the address without it');
  expect(refused.text).not.toContain(process.env['PATH']);
  expect((await client.get('/gateway/accounts')).text).not.toContain('Connect secret');
  expect(accounts.begun).toEqual([]);
});

test('an answer that belongs to somebody else’s attempt connects nothing here', async () => {
  const { accounts, link } = await world();
  const mallory = await signedIn(bob);
  await mallory.get(link(bob));
  const victim = await signedIn(alice);
  const refused = await victim.get('/gateway/connect/callback?state=1&code=2');
  expect(refused.status).toBe(400);
  expect(refused.text).toContain('Somebody else began this.');
  expect(accounts.listFor(alice)).toEqual([]);
});

test('a link begins something only when a browser follows it by GET', async () => {
  const { accounts, link } = await world();
  const client = await signedIn(alice);
  expect((await client.post(link(alice), {})).status).toBe(405);
  expect(accounts.begun).toEqual([]);
});

test('the button of the page is a link of its own', async () => {
  const { accounts } = await world();
  const client = await signedIn(alice);
  const page = await client.get('/gateway/accounts');
  expect((await client.get(linkNamed(page, 'Connect GitHub'))).status).toBe(303);
  expect(accounts.begun).toHaveLength(1);
});

test('the client metadata document is there for everybody', async () => {
  await world();
  for (const path of ['/gateway/oauth/client-metadata.json', '/gateway/oauth/client-metadata/x.json']) {
    const visit = await site.client().get(path);
    expect(visit.headers.get('content-type')).toBe('application/json');
    expect(JSON.parse(visit.text)).toEqual({ client_id: `https://gate.example.com${path}` });
  }
});

test('browsers come back to the address of an authorization server, too', async () => {
  const { accounts, link } = await world();
  const client = await signedIn(alice);
  await client.get(link(alice));
  const back = await client.get('/gateway/oauth/callback/aaaaaaaaaaaaaaaaaaaaaa?state=1&code=2');
  expect(back.text).toContain('GitHub is connected');
  expect(accounts.listFor(alice)).toMatchObject([{ server: 'github' }]);
  expect((await client.post('/gateway/oauth/callback/a?state=1&code=2', {})).status).toBe(405);
  expect((await client.get('/gateway/oauth/callback/a/b?state=1&code=2')).status).toBe(404);
});
