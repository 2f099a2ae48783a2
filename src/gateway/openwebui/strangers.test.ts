// Whoever has no session shares what is left of the connections to Open WebUI, and never has all of them.
import { expect, test } from 'vitest';
import { openWebUiWorld, requestText } from '../../../test/open-webui-world.ts';
import { OpenAnswers } from './open-answers.ts';

const drip = requestText(
  'POST /api/v1/auths/signin HTTP/1.1',
  'Host: chat.acme.com',
  'Transfer-Encoding: chunked',
);

test('a request without a session that never ends is ended, one of a person goes on, and Open WebUI is not called away', async () => {
  const { raw, url, mount } = await openWebUiWorld({ times: { strangerMs: 50 } });
  const person = await raw(
    requestText('POST /echo HTTP/1.1', 'Host: a', 'Cookie: token=session-alice', 'Content-Length: 4'),
  );
  const stranger = await raw(`${drip}1\r\nx\r\n`);
  const forged = await raw(`${drip.replace('\r\n\r\n', '\r\nCookie: token=made-up\r\n\r\n')}1\r\nx\r\n`);
  await Promise.all([stranger.closed, forged.closed]);
  expect(await mount.awaySince()).toBeNull();
  person.socket.write('done');
  await expect.poll(person.text).toContain('"bytes":4');
  const whole = await fetch(`${url}/echo`, { method: 'POST', body: 'x' });
  expect(whole.status).toBe(200);
});

test('what one network without a session holds leaves room for others, and people have their own', async () => {
  const { raw, url, site } = await openWebUiWorld();
  const held = await Promise.all(Array.from({ length: 100 }, () => raw(`${drip}1\r\nx\r\n`)));
  await expect.poll(() => site.arrived.length, { timeout: 20_000 }).toBe(100);
  const post = (headers: Record<string, string>) => fetch(`${url}/echo`, { method: 'POST', headers });
  expect((await post({})).status).toBe(503);
  expect((await post({ cookie: 'token=session-alice' })).status).toBe(200);
  expect((await fetch(`${url}/echo`)).status).toBe(200);
  held[0]?.socket.destroy();
  await expect.poll(async () => (await post({})).status).toBe(200);
});

test.each([
  ['that say something', false, 100, 500],
  ['that only read', true, 500, 1_000],
] as const)('of requests %s all networks together have a share', (_what, isReading, each, all) => {
  const answers = new OpenAnswers();
  const take = (network: string) => answers.reserve({ person: undefined, network, isReading });
  for (let network = 0; network < all / each; network++)
    for (let count = 0; count < each; count++) take(`2001:db8:0:${network}::/64`);
  expect(() => take('198.51.100.7')).toThrow('Too many requests');
  expect(() => answers.reserve({ person: 'alice@acme.com', network: '', isReading })).not.toThrow();
  answers.close();
});
