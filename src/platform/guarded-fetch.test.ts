import type { RequestListener } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { listenOnLoopback } from '../../test/fakes/loopback.ts';
import { createGuardedFetch } from './guarded-fetch.ts';
import { createNetGuard } from './net-guard.ts';

async function site(listener: RequestListener): Promise<string> {
  const served = await listenOnLoopback(listener);
  onTestFinished(() => served.close());
  return served.origin;
}

function fetcher(allow: readonly string[], limits: { maxBytes?: number; deadlineMs?: number } = {}) {
  const made = createGuardedFetch({ guard: createNetGuard({ allow }), ...limits });
  onTestFinished(() => made.close());
  return made;
}

const hello: RequestListener = (_req, res) => res.end('hello');

test('a private address is reached without TLS when the operator allows it, and not at all otherwise', async () => {
  const origin = await site(hello);
  const byName = origin.replace('127.0.0.1', 'localhost');
  expect(await (await fetcher(['127.0.0.1']).fetch(origin)).text()).toBe('hello');
  expect(await (await fetcher(['127.0.0.1']).fetch(byName)).text()).toBe('hello');
  for (const url of [origin, byName]) {
    await expect(fetcher([]).fetch(url)).rejects.toMatchObject({ name: 'FetchFailed', kind: 'not_allowed' });
  }
});

test('an origin that the operator wrote himself is reached, and nothing beside it', async () => {
  const origin = await site(hello);
  const other = await site(hello);
  const { fetch } = fetcher([]);
  expect((await fetch(`${origin}/any`, { trustedOrigin: origin })).status).toBe(200);
  await expect(fetch(other, { trustedOrigin: origin })).rejects.toMatchObject({ kind: 'not_allowed' });
});

test('a public address is not asked without TLS, even one that the operator allows', async () => {
  const { fetch } = fetcher(['1.1.1.1']);
  await expect(fetch('http://1.1.1.1/')).rejects.toMatchObject({ kind: 'insecure', host: '1.1.1.1' });
});

test.each([
  'ftp://example.com/',
  'file:///etc/passwd',
  'javascript:alert(1)',
  'nonsense',
  'https://a:b@example.com/',
])('nothing is sent to %s', async (url) => {
  await expect(fetcher(['0.0.0.0/0']).fetch(url)).rejects.toMatchObject({ name: 'FetchFailed' });
});

test('a GET follows redirects within its origin, a few of them, and none to elsewhere', async () => {
  const other = await site(hello);
  const origin = await site((req, res) => {
    if (req.url === '/away') return res.writeHead(302, { location: `${other}/` }).end();
    if (req.url === '/round') return res.writeHead(302, { location: '/round' }).end();
    if (req.url === '/there') return res.end('there');
    return res.writeHead(307, { location: '/there' }).end();
  });
  const { fetch } = fetcher(['127.0.0.1']);
  expect(await (await fetch(`${origin}/here`)).text()).toBe('there');
  expect((await fetch(`${origin}/away`)).status).toBe(302);
  expect((await fetch(`${origin}/round`)).status).toBe(302);
  expect((await fetch(`${origin}/here`, { method: 'POST', body: 'x' })).status).toBe(307);
});

test('an answer that is too long, never ends or never comes is given up', async () => {
  const origin = await site((req, res) => {
    if (req.url === '/long') return res.end('x'.repeat(2000));
    if (req.url === '/endless') res.write('x');
    return undefined;
  });
  const { fetch } = fetcher(['127.0.0.1'], { maxBytes: 1000, deadlineMs: 300 });
  await expect(fetch(`${origin}/long`)).rejects.toMatchObject({ kind: 'too_large' });
  await expect(fetch(`${origin}/endless`)).rejects.toMatchObject({ kind: 'timeout' });
  await expect(fetch(`${origin}/silent`)).rejects.toMatchObject({ kind: 'timeout' });
});

test('a compressed answer, which could grow beyond every limit, is not taken', async () => {
  const origin = await site((_req, res) => res.writeHead(200, { 'content-encoding': 'gzip' }).end('x'));
  await expect(fetcher(['127.0.0.1']).fetch(origin)).rejects.toMatchObject({ kind: 'protocol' });
});

test('what nobody listens on cannot be reached', async () => {
  const closed = await listenOnLoopback(hello);
  await closed.close();
  await expect(fetcher(['127.0.0.1']).fetch(closed.origin)).rejects.toMatchObject({ kind: 'unreachable' });
});
