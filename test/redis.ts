// A throw-away Redis for one test file. TOOLGATE_TEST_REDIS_URL names a server to use instead of an own one.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { connect } from 'node:net';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll } from 'vitest';
import { freePort } from './e2e/program.ts';

const password = 'redis-canary-password';
const open: OwnRedis[] = [];

afterAll(async () => {
  for (const redis of open.splice(0)) await redis.stop();
});

/** A Redis that a test may stop and start again; it keeps nothing. */
export interface OwnRedis {
  /** Holds a password, which must never show up anywhere. */
  readonly url: string;
  readonly password: string;
  start(): Promise<void>;
  stop(): Promise<void>;
}

/** The URL of a Redis that this test file shares with nobody, or of the one that was named. */
export async function testRedisUrl(): Promise<string> {
  const given = process.env['TOOLGATE_TEST_REDIS_URL'];
  if (given !== undefined) return given;
  const redis = await ownRedis();
  await redis.start();
  return redis.url;
}

/** One that is not started yet; stopped after the test file. */
export async function ownRedis(): Promise<OwnRedis> {
  const port = await freePort();
  let running: ChildProcess | undefined;
  const redis: OwnRedis = {
    url: `redis://:${password}@127.0.0.1:${port}`,
    password,
    async start() {
      // Ends with its standard input, so that no server outlives the test run however that ends.
      const script = '"$@" </dev/null >/dev/null 2>&1 & server=$!; cat >/dev/null; kill -KILL $server';
      const settings = { port, bind: '127.0.0.1', save: '', appendonly: 'no', requirepass: password };
      const flags = Object.entries(settings).flatMap(([name, value]) => [`--${name}`, String(value)]);
      running = spawn('/bin/sh', ['-c', script, 'sh', findServer(), ...flags], {
        cwd: '/tmp',
        detached: true,
        stdio: ['pipe', 'ignore', 'ignore'],
      });
      await untilItListens(port);
    },
    async stop() {
      if (!running) return;
      const exited = once(running, 'exit');
      running.stdin?.end();
      await exited;
      running = undefined;
    },
  };
  open.push(redis);
  return redis;
}

function findServer(): string {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter).filter(Boolean), '/usr/bin'];
  const found = folders
    .flatMap((folder) => ['redis-server', 'valkey-server'].map((name) => join(folder, name)))
    .find((file) => existsSync(file));
  if (found !== undefined) return found;
  throw new Error('The tests need Redis: install it, or name a server in TOOLGATE_TEST_REDIS_URL.');
}

async function untilItListens(port: number): Promise<void> {
  const deadline = Date.now() + 30_000;
  for (;;) {
    const socket = connect(port, '127.0.0.1');
    const isThere = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    if (isThere) return;
    if (Date.now() > deadline) throw new Error('The test Redis did not start.');
    await sleep(20);
  }
}
