import { once } from 'node:events';
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { ownRedis, testRedisUrl } from '../../../test/redis.ts';
import { createLog } from '../log.ts';
import { busContract } from './bus.contract.ts';
import { redisTransport } from './redis.ts';

const log = createLog('silent');
const url = await testRedisUrl();

busContract('Redis', () => redisTransport(url, log));

/** A log whose lines can be read. */
function noted() {
  const lines: string[] = [];
  const target = { write: (line: string) => void lines.push(line) };
  return { lines, log: createLog('debug', target) };
}

test('starts without Redis, delivers once it is there, survives its restart, and never names its password', async () => {
  const redis = await ownRedis();
  const { lines, log: notes } = noted();
  const open = redisTransport(redis.url, notes);
  const heard: string[] = [];
  const [a, b] = await Promise.all([open('a', () => undefined), open('b', (text) => heard.push(text))]);
  expect(a.awaySince()).toBeInstanceOf(Date);
  const arrives = (text: string) =>
    expect
      .poll(
        () => {
          a.publish('b', text);
          return heard;
        },
        { timeout: 30_000, interval: 50 },
      )
      .toContain(text);
  await redis.start();
  await arrives('first');
  await expect.poll(() => a.awaySince()).toBeNull();
  await redis.stop();
  await expect.poll(() => a.awaySince()).toBeInstanceOf(Date);
  a.publish('b', 'meanwhile');
  await redis.start();
  await arrives('again');
  await expect.poll(() => b.awaySince()).toBeNull();
  await a.close();
  await b.close();
  const wrong = await redisTransport(redis.url.replace(redis.password, 'wrong-canary'), notes)(
    'c',
    () => undefined,
  );
  expect(wrong.awaySince()).toBeInstanceOf(Date);
  await wrong.close();
  expect(lines.length).toBeGreaterThan(0);
  expect(lines.join('')).not.toMatch(/canary/);
}, 60_000);

test('a Redis that accepts and never answers delays the start by seconds only', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await once(silent, 'listening');
  const { port } = silent.address() as { port: number };
  const transport = await redisTransport(`redis://127.0.0.1:${port}`, log)('a', () => undefined);
  expect(transport.awaySince()).toBeInstanceOf(Date);
  await transport.close();
  silent.close();
});
