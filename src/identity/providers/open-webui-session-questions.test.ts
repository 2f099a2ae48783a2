// How often Open WebUI is asked, and who waits for it.
import { afterAll, beforeEach, expect, test, vi } from 'vitest';
import { startOpenWebUi } from '../../../test/fakes/open-webui.ts';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';

const webUi = await startOpenWebUi();
afterAll(() => webUi.close());
const world = await identityWorld({ openWebUiUrl: webUi.origin });
let people = 0;
const newcomer = () => webUi.account(`person${++people}@acme.com`);

beforeEach(() => {
  webUi.instead = undefined;
  webUi.hold = undefined;
});

test('in the last part of its time an answer counts on while another one is asked for', async () => {
  const account = newcomer();
  const token = await webUi.session(account);
  const nameOf = async () => (await world.identity.visitorOf(token, '127.0.0.1'))?.displayName;
  await nameOf();
  const request = { header: () => `Bearer ${token}`, clientIp: '', path: '/mcp' };
  const waits = () => world.identity.authenticate(request) instanceof Promise;
  webUi.instead = (_, response) => void response.destroy();
  world.pass(41_000);
  expect(waits()).toBe(false);
  await vi.waitFor(() => expect(world.logs.join('\n')).toContain('cannot be asked'), 10_000);
  expect(waits()).toBe(false);
  webUi.instead = undefined;
  account.name = 'Renewed';
  world.pass(6_000);
  await vi.waitFor(async () => expect(await nameOf()).toBe('Renewed'), 10_000);
  // The first answer ended long ago, and nobody has waited for the second.
  world.pass(30_000);
  expect(waits()).toBe(false);
});

test('a session that ended is out as soon as it is asked about again', async () => {
  const token = await webUi.session(newcomer());
  await world.call(token);
  webUi.revoke(token);
  world.pass(41_000);
  expect((await world.call(token)).kind).toBe('user');
  await vi.waitFor(async () => expect(reasonOf(await world.refused(token))).toBe('session_unknown'), 10_000);
});

test('what was asked before somebody signed out is not kept', async () => {
  const account = newcomer();
  const token = await webUi.session(account);
  await world.call(token);
  const held: (() => void)[] = [];
  const body = JSON.stringify({ id: account.id, email: account.email, name: '', role: 'user' });
  webUi.instead = (_, response) => void held.push(() => response.end(body));
  world.pass(41_000);
  await world.call(token);
  await vi.waitFor(() => expect(held).toHaveLength(1), 10_000);
  webUi.instead = undefined;
  webUi.revoke(token);
  world.identity.forgetVisitor(token);
  const asked = world.refused(token);
  held[0]?.();
  expect(reasonOf(await asked)).toBe('session_unknown');
  expect(reasonOf(await world.refused(token))).toBe('session_unknown');
});

test('a flood of made-up sessions from one network delays neither others nor those who are known', async () => {
  const held: (() => void)[] = [];
  const [before, after] = await Promise.all([webUi.session(newcomer()), webUi.session(newcomer())]);
  const isMadeUp = (token: string | undefined) => token !== before && token !== after;
  const ask = (token: string, clientIp: string) =>
    world.identity.authenticate({ header: () => `Bearer ${token}`, clientIp, path: '/mcp' });
  await ask(before, '2001:db8::1');
  webUi.hold = (token, go) => (isMadeUp(token) ? held.push(go) > 0 : false);
  const forged = await Promise.all(
    Array.from({ length: 521 }, () => webUi.session(newcomer(), { secret: 'another' })),
  );
  const asked = forged.map(async (token, at) => {
    const refused = ask(token, `2001:db8::${at.toString(16)}`);
    return Promise.resolve(refused).catch(({ code }: { code: string }) => code);
  });
  // Twenty are asked about, five hundred wait, and there is no room for one more.
  await vi.waitFor(() => expect(held).toHaveLength(20), 10_000);
  expect(await asked[520]).toBe('identity_unavailable');
  expect(held).toHaveLength(20);
  expect(await ask(after, '2001:db8:0:1::1')).toMatchObject({ kind: 'user' });
  world.pass(55_001);
  expect(await ask(before, '2001:db8::1')).toMatchObject({ kind: 'user' });
  webUi.hold = undefined;
  for (const go of held) go();
  expect(await asked[0]).toBe('unauthenticated');
  await Promise.all(asked);
});
