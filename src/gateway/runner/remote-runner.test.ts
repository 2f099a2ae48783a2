import { once } from 'node:events';
import { createServer, type RequestListener, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../../platform/log.ts';
import { RemoteRunner } from './remote-runner.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

const stop = (server: Server) =>
  new Promise<void>((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });

async function listening(answer: RequestListener, port = 0): Promise<{ server: Server; port: number }> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve));
  closing.push(() => stop(server));
  return { server, port: (server.address() as AddressInfo).port };
}

function runnerAt(port: number): RemoteRunner {
  const url = `http://127.0.0.1:${port}`;
  const runner = new RemoteRunner({ url, key: 'k', log: createLog('silent'), lookEvery: 10 });
  closing.push(() => runner.close());
  return runner;
}

const healthy: RequestListener = (_req, res) =>
  void res.end(JSON.stringify({ status: 'ok', processes: 0, inForce: [] }));

test.each<[string, RequestListener, RegExp]>([
  [
    'refuses the key',
    (_req, res) => void res.writeHead(401).end('{}'),
    /refuses the key; both need the same/,
  ],
  ['is a page', (_req, res) => void res.end('<html>'), /is no runner/],
  ['is another JSON', (_req, res) => void res.end('{"status":"ok"}'), /is no runner/],
  ['breaks off', (_req, res) => void res.destroy(), /does not answer/],
])('what answers there %s: it is away, and says why', async (_what, answer, why) => {
  const runner = runnerAt((await listening(answer)).port);
  await expect.poll(() => runner.away()?.why).toMatch(why);
});

test('one that goes and comes back is away since it went, and says when it is back', async () => {
  const { server, port } = await listening(healthy);
  const runner = runnerAt(port);
  let back = 0;
  runner.onBack(() => void back++);
  await stop(server);
  await expect.poll(() => runner.away()).not.toBeNull();
  const since = runner.away()?.since;
  const refusing = await listening((_req, res) => void res.writeHead(401).end('{}'), port);
  await expect.poll(() => runner.away()?.why).toContain('refuses the key');
  expect(runner.away()?.since).toEqual(since);
  expect(back).toBe(0);
  await stop(refusing.server);
  await listening(healthy, port);
  await expect.poll(() => runner.away()).toBeNull();
  expect(back).toBe(1);
});

test('one that is closed while it is asked how it is tells nobody that it is back', async () => {
  const asked: ServerResponse[] = [];
  const { port } = await listening((_req, res) => {
    if (asked.push(res) === 1) res.writeHead(401).end('{}');
  });
  const runner = runnerAt(port);
  let back = 0;
  runner.onBack(() => void back++);
  await expect.poll(() => asked.length).toBe(2);
  runner.close();
  const [, second] = asked;
  const over = once(second?.socket ?? process, 'close');
  second?.end(JSON.stringify({ status: 'ok', processes: 0, inForce: [] }));
  await over;
  for (let turn = 0; turn < 10; turn++) await setImmediate();
  expect(back).toBe(0);
});
