import { expect, test } from 'vitest';
import { alice, bob, evil, signedIn, site, world } from '../../../test/connect-pages.ts';
import { AppError } from '../../platform/errors.ts';

test('people see what they can connect, how it stands, and nothing of servers that are not theirs', async () => {
  const { accounts } = await world();
  accounts.connect({ user: alice, tenant: null, server: 'github' });
  const page = await (await signedIn(alice)).get('/gateway/accounts');
  expect(page.status).toBe(200);
  expect(page.text).toMatch(/GitHub<\/h2><span class="badge good">connected/);
  expect(page.text).toContain('Code and issues.');
  expect(page.text).not.toMatch(/aria-label="(others|plain|exchanged)"/);
  accounts.expire({ user: alice, tenant: null, server: 'github' }, 'Its access was taken back.');
  const later = await (await signedIn(alice)).get('/gateway/accounts');
  expect(later.text).toMatch(/connect again/);
  expect(later.text).toContain('Its access was taken back.');
});

test('names and texts of servers are shown as text, whatever is in them', async () => {
  const { accounts } = await world();
  accounts.connect({ user: alice, tenant: null, server: 'evil' });
  accounts.expire({ user: alice, tenant: null, server: 'evil' }, evil);
  const { text } = await (await signedIn(alice)).get('/gateway/accounts');
  expect(text).not.toContain('<img');
  expect(text).toContain('&#60;img src=x onerror=alert(1)&#62;&#34;&#39;');
});

test('people disconnect with a button, and nobody does it for them', async () => {
  const { accounts } = await world();
  const at = { user: alice, tenant: null, server: 'github' };
  accounts.connect(at);
  accounts.connect({ ...at, user: bob });
  const client = await signedIn(alice);
  const page = await client.get('/gateway/accounts');
  const fields = { server: 'github' };
  const path = '/gateway/accounts/disconnect';
  const theirs = await (await signedIn(bob)).get('/gateway/accounts');
  expect((await client.get(path)).status).toBe(405);
  expect((await client.post(path, fields)).status).toBe(403);
  expect((await client.post(path, fields, { page: theirs })).status).toBe(403);
  // A page of another site: its browser's cookies do not even count.
  const foreign = await client.post(path, fields, { page, headers: { origin: 'https://evil.example' } });
  expect(foreign.location).toMatch(/^\/gateway\/sign-in\?/);
  expect(accounts.listFor(alice)).toHaveLength(1);
  const done = await client.post(path, fields, { page });
  expect(done.location).toBe('/gateway/accounts?done=disconnected');
  expect((await client.get(done.location ?? '')).text).toContain('The account is disconnected.');
  expect([accounts.listFor(alice).length, accounts.listFor(bob).length]).toEqual([0, 1]);
});

test('an account at a server that is not the person’s any more can still be disconnected', async () => {
  const { accounts } = await world();
  accounts.connect({ user: alice, tenant: null, server: 'others' });
  const client = await signedIn(alice);
  const page = await client.get('/gateway/accounts');
  expect(page.text).toContain('You may not use this server any more');
  await client.post('/gateway/accounts/disconnect', { server: 'others' }, { page });
  expect(accounts.listFor(alice)).toEqual([]);
});

test('people set and remove keys of their own where a server asks for one, and see whose is used', async () => {
  const { stored } = await world({ secrets: { '/wiki/default': 'shared-one' } });
  const client = await signedIn(alice);
  const page = await client.get('/gateway/accounts');
  expect(page.text).toContain('key for everybody');
  expect(page.text).toContain('Key “app”');
  const done = await client.post(
    '/gateway/accounts/key',
    { server: 'wiki', name: 'app', value: ' my key ' },
    { page },
  );
  expect(done.location).toBe('/gateway/accounts?done=key-saved');
  await client.post('/gateway/accounts/key/remove', { server: 'wiki', name: 'app' }, { page });
  const place = { user: alice, tenant: null, server: 'wiki', name: 'app' };
  expect(stored).toEqual([
    { place, value: 'my key', by: alice },
    { place, value: null, by: alice },
  ]);
});

test('keys go nowhere but where the page offers it, and come back in no page', async () => {
  const { stored, keys } = await world();
  const client = await signedIn(alice);
  const page = await client.get('/gateway/accounts');
  const set = (fields: Record<string, string>, o: object = { page }) =>
    client.post('/gateway/accounts/key', { server: 'wiki', name: 'app', value: 'sesame-123', ...fields }, o);
  for (const fields of [
    { server: 'others' },
    { server: 'github', name: 'default' },
    { name: 'oauth-client-secret' },
    { server: 'plain', name: 'default' },
  ])
    expect((await set(fields)).status).toBe(404);
  expect((await set({}, {})).status).toBe(403);
  expect((await set({ value: '' })).status).toBe(400);
  expect((await set({ value: 'x'.repeat(20_001) })).status).toBe(400);
  keys.failing = new AppError('credential_malformed', 400, 'The credential holds a NUL character.');
  const failed = await set({});
  expect(failed.text).toContain('holds a NUL character');
  expect(failed.text).not.toContain('sesame');
  expect(stored).toEqual([]);
  expect(site.logs.join()).not.toContain('sesame');
});

test('people in several tenants choose one, and see what is connected for it', async () => {
  const { accounts } = await world();
  const user = 'tom@acme.com';
  accounts.connect({ user, tenant: 'acme', server: 'github' });
  const client = await signedIn(user);
  const acme = await client.get('/gateway/accounts?tenant=acme');
  expect(acme.text).toMatch(/aria-current="page">acme/);
  expect(acme.text).toMatch(/GitHub<\/h2><span class="badge good">connected/);
  const bolt = await client.get('/gateway/accounts?tenant=bolt');
  expect(bolt.text).toMatch(/GitHub<\/h2><span class="badge ">not connected/);
  const other = await client.get('/gateway/accounts?tenant=somebody-elses');
  expect(other.text).toMatch(/aria-current="page">acme/);
  await client.post('/gateway/accounts/disconnect', { server: 'github', tenant: 'bolt' }, { page: bolt });
  expect(accounts.listFor(user)).toHaveLength(1);
});

test('a made-up note in the address is not shown', async () => {
  await world();
  const client = await signedIn(alice);
  for (const done of ['Call+0800', 'constructor', '__proto__'])
    expect((await client.get(`/gateway/accounts?done=${done}`)).text).not.toMatch(/0800|class="note/);
});
