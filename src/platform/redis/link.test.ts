import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { ownRedis } from '../../../test/redis.ts';
import { systemClock } from '../clock.ts';
import { createLog } from '../log.ts';
import { scriptOf } from './contract.ts';
import { openRedisLink } from './link.ts';

const closing: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

const echo = scriptOf('return { KEYS[1], ARGV[1] }');

async function linkTo(url: string) {
  const lines: string[] = [];
  const log = createLog('info', { write: (line: string) => void lines.push(line) });
  const link = await openRedisLink(url, { purpose: 'a test', log, clock: systemClock });
  closing.push(() => link.close());
  return { link, lines };
}

/** Passes everything on to a Redis until it is told to hang. */
async function hanging(target: string) {
  const { hostname, port } = new URL(target);
  const sockets = new Set<Socket>();
  let isHanging = false;
  const server = createServer((front) => {
    const behind = connect(Number(port), hostname);
    for (const [a, b] of [[front, behind] as const, [behind, front] as const]) {
      sockets.add(a);
      a.on('data', (chunk) => void (isHanging || b.write(chunk)));
      a.on('error', () => b.destroy());
      a.on('close', () => b.destroy());
    }
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  closing.push(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const url = new URL(target);
  url.port = String((server.address() as { port: number }).port);
  return {
    url: url.href,
    hang: (value: boolean) => {
      isHanging = value;
    },
  };
}

test('runs scripts, says when Redis is away, is back by itself, and never names the password', async () => {
  const redis = await ownRedis();
  const { link, lines } = await linkTo(redis.url);
  expect(link.isUsable()).toBe(false);
  expect(link.awaySince()).toBeInstanceOf(Date);
  await expect(link.run(echo, ['a'], ['b'])).rejects.toThrow();
  await redis.start();
  await expect.poll(() => link.isUsable(), { timeout: 30_000 }).toBe(true);
  expect(link.awaySince()).toBeNull();
  expect(await link.run(echo, ['a'], ['b'])).toEqual(['a', 'b']);
  await redis.stop();
  await expect.poll(() => link.awaySince(), { timeout: 30_000 }).toBeInstanceOf(Date);
  expect(link.isUsable()).toBe(false);
  await redis.start();
  await expect.poll(() => link.awaySince(), { timeout: 30_000 }).toBeNull();
  expect(await link.run(echo, ['a'], ['b'])).toEqual(['a', 'b']);
  expect(lines.join('')).toMatch(/Redis cannot be used.*Redis can be used.*Redis cannot be used/s);
  expect(lines.join('')).not.toContain('canary');
}, 90_000);

test('a Redis that hangs is given up, left alone, and tried again by one', async () => {
  const redis = await ownRedis();
  await redis.start();
  const proxy = await hanging(redis.url);
  const { link } = await linkTo(proxy.url);
  await expect.poll(() => link.isUsable(), { timeout: 30_000 }).toBe(true);
  proxy.hang(true);
  const asked = await Promise.allSettled(Array.from({ length: 50 }, () => link.run(echo, ['a'], ['b'])));
  expect(asked.every(({ status }) => status === 'rejected')).toBe(true);
  expect(link.isUsable()).toBe(false);
  expect(link.awaySince()).toBeInstanceOf(Date);
  await expect.poll(() => link.isUsable(), { timeout: 10_000 }).toBe(true);
  const probe = link.run(echo, ['a'], ['b']);
  expect(link.isUsable()).toBe(false);
  await expect(probe).rejects.toMatchObject({ code: 'SILENT' });
  proxy.hang(false);
  await expect.poll(() => link.awaySince(), { timeout: 30_000 }).toBeNull();
}, 60_000);

test('a Redis that refuses scripts is away until it runs one', async () => {
  const redis = await ownRedis();
  await redis.start();
  const { link } = await linkTo(redis.url);
  await expect.poll(() => link.isUsable(), { timeout: 30_000 }).toBe(true);
  const wrong = scriptOf("return redis.call('no-such-command')");
  await expect(link.run(wrong, [], [])).rejects.toThrow();
  expect(link.awaySince()).toBeInstanceOf(Date);
  expect(await link.run(echo, ['a'], ['b'])).toEqual(['a', 'b']);
  expect(link.awaySince()).toBeNull();
}, 60_000);
