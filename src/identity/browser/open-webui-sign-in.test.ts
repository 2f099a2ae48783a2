import { afterAll, expect, test } from 'vitest';
import { browserWorld } from '../../../test/browser-world.ts';
import { startOpenWebUi } from '../../../test/fakes/open-webui.ts';
import type { WebClient } from '../../../test/web-client.ts';

const openWebUi = await startOpenWebUi();
afterAll(() => openWebUi.close());
const world = await browserWorld({ openWebUiUrl: openWebUi.origin });

async function whoAt(client: WebClient): Promise<string | undefined> {
  const { text } = await client.get('/gateway/sessions');
  return /href="\/gateway\/sessions">([^<]+)</.exec(text)?.[1];
}

async function withSession(email: string) {
  const client = world.client();
  const token = await openWebUi.session(openWebUi.account(email));
  client.cookies.set('token', token);
  return { client, token };
}

async function signedIn(email: string) {
  const found = await withSession(email);
  const page = await found.client.get('/gateway/sign-in');
  const done = await found.client.post('/gateway/sign-in/open-webui', {}, { page });
  expect(done.status).toBe(303);
  return found;
}

test('whoever is signed in to Open WebUI is asked whether to go on as that person, and does', async () => {
  const { client } = await withSession('alice@acme.com');
  const page = await client.get('/gateway/sign-in?return=%2Fgateway%2Fsessions');
  expect(page.text).toContain('Continue as alice@acme.com');
  const fields = { return: '/gateway/sessions' };
  const done = await client.post('/gateway/sign-in/open-webui', fields, { page });
  expect(done.location).toBe('/gateway/sessions');
  expect(await whoAt(client)).toBe('alice@acme.com');
});

test('the cookie alone signs nobody in: it takes a click on a page of this browser', async () => {
  const { client } = await withSession('alice@acme.com');
  expect(await whoAt(client)).toBeUndefined();
  expect((await client.post('/gateway/sign-in/open-webui', {})).status).toBe(403);
  const elsewhere = {
    headers: { origin: 'https://evil.example' },
    page: await client.get('/gateway/sign-in'),
  };
  expect((await client.post('/gateway/sign-in/open-webui', {}, elsewhere)).status).toBe(403);
  expect(await whoAt(client)).toBeUndefined();
});

test('signing out of Open WebUI signs out here', async () => {
  const { client, token } = await signedIn('bob@acme.com');
  expect(await whoAt(client)).toBe('bob@acme.com');
  openWebUi.revoke(token);
  world.pass(61_000);
  expect(await whoAt(client)).toBeUndefined();
});

test('the session counts together with the cookie that it was begun with, not with another person’s', async () => {
  const { client } = await signedIn('carol@acme.com');
  client.cookies.set('token', await openWebUi.session(openWebUi.account('mallory@acme.com')));
  expect(await whoAt(client)).toBeUndefined();
  client.cookies.delete('token');
  expect(await whoAt(client)).toBeUndefined();
});

test.each(['nonsense', 'eyJhbGciOiJIUzI1NiJ9.eyJpZCI6IngifQ.AAAA', 'sk-00000000000000000000000000000000'])(
  'a cookie that Open WebUI does not know offers nothing: %s',
  async (token) => {
    const client = world.client();
    client.cookies.set('token', token);
    const page = await client.get('/gateway/sign-in');
    expect(page.text).not.toContain('Continue as');
    expect((await client.post('/gateway/sign-in/open-webui', {}, { page })).status).toBe(401);
  },
);

test('an account that waits for approval offers nothing', async () => {
  const client = world.client();
  const pending = openWebUi.account('new@acme.com', { role: 'pending' });
  client.cookies.set('token', await openWebUi.session(pending));
  expect((await client.get('/gateway/sign-in')).text).not.toContain('Continue as');
});

test('while Open WebUI is away, the other ways in are still there, and its sessions wait', async () => {
  const { client } = await signedIn('dora@acme.com');
  world.pass(61_000);
  openWebUi.instead = (_path, response) => void response.writeHead(502).end();
  try {
    const { client: other } = await withSession('eve@acme.com');
    const page = await other.get('/gateway/sign-in');
    expect(page.status).toBe(200);
    expect(page.text).toContain('API token');
    const waits = await client.get('/gateway/sessions');
    expect(waits.status).toBe(503);
    expect(waits.text).toContain('Open WebUI cannot be asked');
  } finally {
    openWebUi.instead = undefined;
  }
});
