import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { drain, listen } from './listen.ts';
import { createHttpServer, type Mount, sendJson } from './server.ts';
import { takeSocket } from './upgrade.ts';

const clients: Socket[] = [];
afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
});

/** A server with an answer that waits, and a socket that stays until its part leaves. */
async function world() {
  const said: string[] = [];
  const waiting: (() => void)[] = [];
  const sockets: Socket[] = [];
  const slow: Mount = {
    takes: (path) => path === '/slow',
    serve: async (_req, res) => {
      await new Promise<void>((resolve) => waiting.push(resolve));
      said.push('answered');
      sendJson(res, 200, {});
    },
    leave: () => void said.push('calls leave'),
    giveUp: () => {
      said.push('calls give up');
      for (const go of waiting.splice(0)) go();
    },
  };
  const socket: Mount = {
    takes: (path) => path === '/socket',
    hasSockets: true,
    leavesLast: true,
    serve: (req, res) => {
      const taken = takeSocket(req, res)?.socket;
      if (taken) sockets.push(taken as Socket); // What a TCP server gives.
    },
    leave: () => {
      if (sockets.length > 0) said.push('sockets leave');
      for (const one of sockets.splice(0)) one.end('goodbye');
    },
  };
  const mounts = [slow, socket];
  const server = createHttpServer({
    mounts,
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    log: createLog('silent'),
  });
  const port = await listen(server, '127.0.0.1', 0);
  const client = async (text: string) => {
    const one = connect(port, '127.0.0.1');
    clients.push(one);
    let heard = '';
    one.on('data', (part: Buffer) => (heard += part.toString())).on('error', () => undefined);
    await once(one, 'connect');
    one.write(text);
    return () => heard;
  };
  const ask = () => client('GET /slow HTTP/1.1\r\nHost: a\r\n\r\n');
  const open = () =>
    client('GET /socket HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n');
  return { said, waiting, sockets, ask, open, drain: (ms: number) => drain(server, mounts, ms) };
}

test('sockets stay while calls under way finish, and are closed when the last one has', async () => {
  const { said, waiting, sockets, ask, open, drain: stop } = await world();
  const [answer, socket] = [await ask(), await open()];
  await expect.poll(() => [waiting.length, sockets.length]).toEqual([1, 1]);
  const stopped = stop(60_000);
  expect(said).toEqual(['calls leave']);
  // Longer than connections with nothing under way stay.
  await new Promise((resolve) => setTimeout(resolve, 2_500));
  expect([said, socket()]).toEqual([['calls leave'], '']);
  waiting.pop()?.();
  await stopped;
  expect(said).toEqual(['calls leave', 'answered', 'sockets leave']);
  expect(answer()).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*connection: close/i);
  await expect.poll(socket).toBe('goodbye');
});

test('when time is up sockets are closed all the same, and calls answered as well as it goes', async () => {
  const { said, waiting, sockets, ask, open, drain: stop } = await world();
  const [answer, socket] = [await ask(), await open()];
  await expect.poll(() => [waiting.length, sockets.length]).toEqual([1, 1]);
  await stop(300);
  expect(said).toEqual(['calls leave', 'sockets leave', 'calls give up', 'answered']);
  await expect.poll(answer).toContain('200 OK');
  await expect.poll(socket).toBe('goodbye');
});

test('with nothing under way it takes a moment, whatever time there is', async () => {
  const { said, sockets, open, drain: stop } = await world();
  await open();
  await expect.poll(() => sockets.length).toBe(1);
  await stop(3_600_000);
  expect(said).toEqual(['calls leave', 'sockets leave']);
});
