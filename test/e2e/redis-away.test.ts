import { expect, test } from 'vitest';
import { ownRedis } from '../redis.ts';
import { startUpstream, toolsNamed } from './upstream.ts';
import { ask } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';

interface Ready {
  readonly status: string;
  readonly degraded: readonly { part: string; since: string; meaning: string }[];
}

test('without its Redis Toolgate starts, serves, and says what does not work; with it, it is well again', async () => {
  const redis = await ownRedis();
  const upstream = await startUpstream({ tools: {} }, toolsNamed(['one']));
  const config = configOf({ up: { type: 'http', url: upstream.url } });
  const gate = await startGate({ config, env: { REDIS_URL: redis.url } });
  const ready = async () => (await (await fetch(`${gate.url}/gateway/ready`)).json()) as Ready;
  const away = async () => (await ready()).degraded.some(({ part }) => part === 'messages between replicas');
  expect(await ready()).toMatchObject({ status: 'degraded' });
  expect(await away()).toBe(true);
  const raw = { url: `${gate.url}/mcp`, token: await gate.tokenFor('alice@acme.com') };
  const call = async () => (await ask(raw, 'tools/call', { name: 'up__one' })).message.result;
  expect(await call()).toMatchObject({ content: [{ text: 'I am one' }] });
  await redis.start();
  await eventually('it is well', async () => (await ready()).status === 'ready', 30);
  await redis.stop();
  await eventually('it says so', away, 30);
  expect(await call()).toMatchObject({ content: [{ text: 'I am one' }] });
  expect(gate.logs()).not.toContain(redis.password);
  expect(JSON.stringify(await ready())).not.toContain(redis.password);
}, 120_000);
