import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { exactResults } from '../../../test/fakes/hostile/kinds.ts';
import { runnerWorld } from '../../../test/runner-world.ts';
import { closeWorlds, maxResponseBytes, worldOf } from '../../../test/upstream-world.ts';
import { connectorContract } from './connectors.contract.ts';

const program = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));
const world = runnerWorld({
  fake0: { args: [program, '${variable:kind}'] },
  fake1: { args: [program, '${variable:kind}', '${variable:option}'] },
  fake2: { args: [program, '${variable:kind}', '${variable:option}', '${variable:option}'] },
});

beforeAll(() => world.health(), 60_000);
afterAll(() => world.close(), 30_000);

connectorContract('runner', {
  sharesOneStream: true,
  open: (kind, options, sink) => {
    const given = Object.entries(options).map(([key, value]) => `${key}=${value}`);
    return world.open(`fake${given.length}`, sink, { args: [program, kind, ...given], maxResponseBytes });
  },
  openBroken: (sink) => world.open('fake0', sink, { args: [program, 'exits'], maxResponseBytes }),
});

const open = (kind: string) =>
  worldOf((sink) => world.open('fake0', sink, { args: [program, kind], maxResponseBytes }));
afterEach(closeWorlds);

test('a server of the modern era is spoken to in its era', async () => {
  const modern = worldOf(
    (sink) => world.open('fake0', sink, { args: [program, 'modern'], maxResponseBytes }),
    'modern',
  );
  expect(await modern.list()).toContain('echo');
  expect(await modern.call('echo', { text: 'x' })).toBe('x');
  const controller = new AbortController();
  const slow = modern.call('slow', { ms: 60_000 }, { controller });
  setTimeout(() => controller.abort(new Error('enough')), 20);
  await expect(slow).rejects.toThrow('enough');
  await expect.poll(() => modern.received('notifications/cancelled')).toBe(1);
});

test('results pass byte for byte, big ones too', async () => {
  const exact = await open('unicode-numbers').upstream.request({
    ...{
      method: 'tools/call',
      rawParams: '{"name":"exact"}',
      controller: new AbortController(),
      timeoutMs: 10_000,
    },
  });
  expect(exact.rawResult).toBe(exactResults['tools/call']);
  expect((await open('ok').call('big', { bytes: 900_000 })).length).toBeGreaterThanOrEqual(900_000);
});

test('whoever closes an answer has cancelled, without a word; and the server is told once', async () => {
  const { call, received, list } = open('ok');
  await list();
  const { body } = await world.ask<{ items: { id: string }[] }>('GET', '/processes');
  const path = `/processes/${body.items[0]!.id}/mcp`;
  const params = { name: 'slow', arguments: { ms: 60_000 } };
  const gone = new AbortController();
  const left = world.ask('POST', path, {
    body: { jsonrpc: '2.0', id: 4711, method: 'tools/call', params },
    signal: gone.signal,
  });
  await call('echo', { text: 'x' });
  gone.abort();
  await expect(left).rejects.toThrow();
  await expect.poll(() => received('notifications/cancelled')).toBe(1);
  const late = { jsonrpc: '2.0', method: 'notifications/cancelled', params: { requestId: 4711 } };
  expect((await world.ask('POST', path, { body: late })).status).toBe(202);
  await call('echo', { text: 'x' });
  expect(await received('notifications/cancelled')).toBe(1);
});
