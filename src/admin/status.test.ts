import { expect, onTestFinished, test } from 'vitest';
import { listen } from '../platform/http/listen.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { createLog } from '../platform/log.ts';
import { type Degraded, statusMount } from './status.ts';

const token = 'a-token-of-prometheus';
const since = new Date('2026-11-20T12:00:00Z');
const later = new Date('2026-11-20T12:30:00Z');
const parts: Degraded[] = [
  { part: 'records', since, meaning: '5 records wait.' },
  { part: 'server payroll', since: later, meaning: 'The server "payroll" cannot be reached.' },
  { part: 'server github', since, meaning: 'The server "github" cannot be reached.' },
];

async function served(degraded: readonly Degraded[]) {
  const mount = statusMount({
    ...{ version: '0', startedAt: 0, clock: () => 1_000, leaving: () => false },
    ...{ token, publicUrl: 'https://gate.acme.com', degraded: async () => degraded },
  });
  const server = createHttpServer({
    mounts: [mount],
    guard: { check: () => ({ ok: true, headers: [] }) },
    limit: () => 0,
    log: createLog('silent'),
  });
  const port = await listen(server, '127.0.0.1', 0);
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return async (headers: Record<string, string> = {}) =>
    (await fetch(`http://127.0.0.1:${port}/gateway/ready`, { headers })).json();
}

test('which servers exist is told to whoever may read the metrics, and to others how many cannot be reached', async () => {
  const ready = await served(parts);
  expect(await ready()).toEqual({
    status: 'degraded',
    degraded: [
      { part: 'records', since: since.toISOString(), meaning: '5 records wait.' },
      { part: 'servers', since: since.toISOString(), meaning: expect.stringContaining('2') },
    ],
  });
  const all = await ready({ authorization: `Bearer ${token}` });
  expect(all).toMatchObject({ degraded: parts.map(({ part }) => ({ part })) });
});

test('nothing is made up where all servers can be reached', async () => {
  const ready = await served([]);
  expect(await ready()).toEqual({ status: 'ready', degraded: [] });
});
