import { afterEach, expect, test } from 'vitest';
import { type Site, startSite } from '../../../test/fakes/open-webui-site.ts';
import { systemClock as clock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { abandon, answered, ClientLeft } from './attempt.ts';
import { Upstream } from './upstream.ts';

const closing: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Open WebUI with one connection, which an answer keeps that never comes. */
async function busyWorld(connectMs: number) {
  const site: Site = await startSite();
  const upstream = new Upstream({
    ...{ url: site.origin, log: createLog('silent'), clock, times: { connectMs } },
    most: { connections: 1, waiting: 2 },
  });
  closing.push(
    () => site.close(),
    () => upstream.close(),
  );
  const ask = (path: string) => {
    const out = upstream.request({
      method: 'POST',
      path,
      headers: ['Host', 'a', 'Content-Length', '0'],
      use: 'once',
    });
    const head = answered(out, upstream);
    out.end();
    return { out, head };
  };
  const first = ask('/hold');
  // Broken off when the test ends.
  first.head.catch(() => undefined);
  await expect.poll(() => site.held.length).toBe(1);
  return { site, upstream, ask, first };
}

test('a request that finds no free connection is told so in time, and one that comes too late is never sent', async () => {
  const { site, upstream, ask, first } = await busyWorld(300);
  await expect(ask('/echo').head).rejects.toMatchObject({ code: 'open_webui_busy', status: 503 });
  site.held[0]?.end('x');
  const found = await first.head;
  if (found.kind === 'answer') found.answer.resume();
  const next = await ask('/file').head;
  expect(next.kind === 'answer' && next.answer.statusCode).toBe(200);
  expect(site.arrived.map(({ url }) => url)).toEqual(['/hold', '/file']);
  expect(await upstream.awaySince()).toBeNull();
});

test('whoever leaves while waiting for a connection is gone at once', async () => {
  const { ask } = await busyWorld(60_000);
  const { out, head } = ask('/echo');
  abandon(out, new ClientLeft());
  await expect(head).rejects.toThrow(ClientLeft);
});

test('only so many wait for a connection', async () => {
  const { ask } = await busyWorld(60_000);
  const waiting = [ask('/echo'), ask('/echo')];
  expect(() => ask('/echo')).toThrow(expect.objectContaining({ code: 'open_webui_busy' }));
  for (const { out, head } of waiting) {
    abandon(out, new ClientLeft());
    await expect(head).rejects.toThrow(ClientLeft);
  }
});
