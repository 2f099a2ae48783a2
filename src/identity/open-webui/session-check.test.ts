import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';
import { startOpenWebUi } from '../../../test/fakes/open-webui.ts';
import { identityWorld, reasonOf } from '../../../test/identity-world.ts';
import { ownRedis } from '../../../test/redis.ts';
import { systemClock as clock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { openRedisLink } from '../../platform/redis/link.ts';
import { createSessionCheck } from './session-check.ts';

const webUi = await startOpenWebUi();
const server = await ownRedis();
await server.start();
const redis = await openRedisLink(server.url, { purpose: 'test', log: createLog('silent'), clock });
const marks = new Redis(server.url);
marks.on('error', () => undefined);
afterAll(async () => {
  marks.disconnect();
  await redis.close();
  await webUi.close();
});
const sessionCheck = createSessionCheck({ secret: webUi.secret, redis, prefix: 'open-webui' });
const world = await identityWorld({ openWebUiUrl: webUi.origin, sessionCheck });

const accountsPath = '/api/v1/auths/';
const asked = () => webUi.asked[accountsPath] ?? 0;
let people = 0;
const newcomer = () => webUi.account(`person${++people}@acme.com`);
const claimsIn = (token: string) =>
  JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString('utf8'));

test('a session counts for ten minutes where its end would be seen in Redis', async () => {
  const account = newcomer();
  const token = await webUi.session(account);
  expect((await world.call(token)).id).toBe(account.email);
  const before = asked();
  world.pass(9 * 60_000);
  expect((await world.call(token)).id).toBe(account.email);
  expect(asked()).toBe(before);
  world.pass(2 * 60_000);
  await world.call(token);
  expect(asked()).toBe(before + 1);
});

test('a sign-out is seen within seconds, and Open WebUI need not be asked', async () => {
  const token = await webUi.session(newcomer());
  await world.call(token);
  await marks.set(`open-webui:auth:token:${claimsIn(token).jti}:revoked`, '1');
  world.pass(6_000);
  const before = asked();
  expect(reasonOf(await world.refused(token))).toBe('session_ended');
  expect(asked()).toBe(before);
});

test('the end of all sessions of a person ends those that began before it, and those that do not say when', async () => {
  const account = newcomer();
  const now = Math.floor(world.clock() / 1000);
  const old = await webUi.session(account, { claims: { iat: now - 10 } });
  const dateless = await webUi.session(account, { claims: { iat: undefined } });
  const young = await webUi.session(account, { claims: { iat: now + 1 } });
  await marks.set(`open-webui:auth:user:${account.id}:revoked_at`, String(now));
  for (const token of [old, dateless]) expect(reasonOf(await world.refused(token))).toBe('session_ended');
  expect((await world.call(young)).id).toBe(account.email);
});

test('a session that was signed with another key never reaches Open WebUI', async () => {
  const before = asked();
  const forged = await webUi.session(newcomer(), { secret: 'another key' });
  expect(reasonOf(await world.refused(forged))).toBe('session_forged');
  expect(asked()).toBe(before);
});

test('a session that can end by a stamp in the database is asked about once a minute, as ever', async () => {
  const token = await webUi.session(newcomer(), { claims: { session_stamp: 'abc' } });
  await world.call(token);
  webUi.revoke(token);
  world.pass(61_000);
  expect(reasonOf(await world.refused(token))).toBe('session_unknown');
});

test('without Redis only Open WebUI tells, once a minute', async () => {
  const known = await webUi.session(newcomer());
  await world.call(known);
  await server.stop();
  await expect.poll(() => redis.isUsable()).toBe(false);
  const before = asked();
  world.pass(61_000);
  webUi.revoke(known);
  expect(reasonOf(await world.refused(known))).toBe('session_unknown');
  const fresh = newcomer();
  expect((await world.call(await webUi.session(fresh))).id).toBe(fresh.email);
  expect(asked()).toBe(before + 2);
});
