import { sql } from 'kysely';
import { afterAll, expect, test } from 'vitest';
import { startOpenWebUi } from '../../../test/fakes/open-webui.ts';
import { identityWorld } from '../../../test/identity-world.ts';

const webUi = await startOpenWebUi();
afterAll(() => webUi.close());
const world = await identityWorld({ openWebUiUrl: webUi.origin });
const visitorOf = (token: string) => world.identity.visitorOf(token, '127.0.0.1');

test('a session names its person as Open WebUI calls them, and it is asked once', async () => {
  const account = webUi.account('alice@acme.com', { name: 'Alice Ä.' });
  const token = await webUi.session(account);
  const [one, two] = await Promise.all([visitorOf(token), visitorOf(token)]);
  expect(one).toMatchObject({
    principal: { id: 'alice@acme.com', authSource: 'open-webui' },
    displayName: 'Alice Ä.',
  });
  expect(two).toEqual(one);
  expect(webUi.asked['/api/v1/auths/']).toBe(1);
});

test('what Open WebUI does not take names nobody', async () => {
  const pending = webUi.account('pending@acme.com', { role: 'pending' });
  const gone = await webUi.session(webUi.account('gone@acme.com'));
  webUi.revoke(gone);
  const forged = await webUi.session(webUi.account('forged@acme.com'), { secret: 'another' });
  const tokens = [
    gone,
    forged,
    await webUi.session(pending),
    'sk-00000000000000000000000000000000',
    'anything',
    'a.b.c',
    '',
  ];
  for (const token of tokens) expect(await visitorOf(token)).toBeUndefined();
});

test('a key that Open WebUI takes without saying whose it is lets nobody in, unless that is wanted', async () => {
  const account = webUi.account('keys@acme.com');
  const key = webUi.apiKey(account);
  webUi.humansOnly = true;
  await expect(visitorOf(key)).rejects.toMatchObject({ code: 'open_webui_key_unnamed', status: 403 });
  world.letUnnamedKeysOfOpenWebUi(true);
  expect(await visitorOf(key)).toBeUndefined();
  world.letUnnamedKeysOfOpenWebUi(false);
  webUi.humansOnly = false;
  world.pass(11_000);
  expect(await visitorOf(key)).toMatchObject({ principal: { id: 'keys@acme.com' } });
  // A key that it does not know is no more than none at all.
  expect(await visitorOf(`sk-${'0'.repeat(32)}`)).toBeUndefined();
});

test('whoever signed out is known at once by whoever is told of it', async () => {
  const token = await webUi.session(webUi.account('leaver@acme.com'));
  expect(await visitorOf(token)).toBeDefined();
  webUi.revoke(token);
  expect(await visitorOf(token)).toBeDefined();
  world.identity.forgetVisitor(token);
  expect(await visitorOf(token)).toBeUndefined();
});

test("the gate's own tokens are nobody there", async () => {
  expect(await visitorOf(`tg_${'x'.repeat(49)}`)).toBeUndefined();
});

test('nobody is let by while Open WebUI cannot tell who it is', async () => {
  const token = await webUi.session(webUi.account('late@acme.com'));
  webUi.instead = (_path, response) => void response.writeHead(500).end();
  await expect(visitorOf(token)).rejects.toMatchObject({ code: 'identity_unavailable', status: 503 });
  webUi.instead = undefined;
  expect(await visitorOf(token)).toBeDefined();
});

test('somebody who comes by there is known here from then on', async () => {
  await visitorOf(await webUi.session(webUi.account('new@acme.com')));
  await expect
    .poll(async () => {
      const { rows } = await sql`select email from mcp_proxy.users where email = 'new@acme.com'`.execute(
        world.db,
      );
      return rows.length;
    })
    .toBe(1);
});
