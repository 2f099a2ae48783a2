import { afterEach, expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { listen } from './listen.ts';
import { createOriginGuard } from './origin-guard.ts';
import { createHttpServer, type HttpServer, type Mount, sendJson } from './server.ts';

const open: HttpServer[] = [];
afterEach(async () => {
  for (const server of open.splice(0)) {
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }
});

const echo: Mount = {
  takes: (path) => path === '/own',
  serve: (req, res) =>
    sendJson(res, 200, { cookie: req.headers.cookie ?? null, raw: req.rawHeaders.join(' ') }),
};
const behind: Mount = {
  takes: (path) => path === '/behind',
  isForeign: true,
  serve: (_req, res) =>
    void res.writeHead(200, { 'content-security-policy': "default-src 'self'" }).end('page'),
};

async function start(o: { publicUrl?: string; allowed?: string[] } = {}): Promise<string> {
  const publicUrl = o.publicUrl ?? 'http://localhost:8085';
  const server = createHttpServer({
    mounts: [echo, behind],
    guard: createOriginGuard({ bindHost: '127.0.0.1', publicUrl, allowed: o.allowed ?? [] }),
    isSecure: publicUrl.startsWith('https:'),
    limit: () => 0,
    log: createLog('silent'),
  });
  open.push(server);
  return `http://127.0.0.1:${await listen(server, '127.0.0.1', 0)}`;
}

const strict = {
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'cache-control': 'no-store',
};

test.each(['/own', '/nothing', '/%2e%2e'])(
  'every answer tells browsers to do nothing with it: %s',
  async (path) => {
    const { headers } = await fetch((await start()) + path);
    for (const [name, value] of Object.entries(strict)) expect(headers.get(name)).toBe(value);
    expect(headers.get('content-security-policy')).toMatch(/default-src 'none'.*frame-ancestors 'none'/);
  },
);

test('a program behind keeps its own rules', async () => {
  const { headers } = await fetch(`${await start()}/behind`);
  expect(headers.get('content-security-policy')).toBe("default-src 'self'");
  for (const name of Object.keys(strict)) expect(headers.get(name)).toBeNull();
});

test('browsers are held to https only where people come by https', async () => {
  const plain = await fetch(`${await start()}/own`);
  expect(plain.headers.get('strict-transport-security')).toBeNull();
  const secure = await start({ publicUrl: 'https://gate.acme.com' });
  for (const path of ['/own', '/behind', '/nothing'])
    expect((await fetch(secure + path)).headers.get('strict-transport-security')).toBe('max-age=31536000');
});

const chat = 'https://chat.acme.com';
const asked = (url: string, origin: string | undefined, more: RequestInit & { headers?: object } = {}) =>
  fetch(`${url}/own`, {
    ...more,
    headers: { ...(origin !== undefined && { origin }), cookie: 'toolgate_session=secret', ...more.headers },
  });

test.each([
  ['a page that nobody listed', 'https://evil.example'],
  ['one whose name only begins like a listed one', 'https://chat.acme.com.evil.example'],
  ['one whose name only ends like it', 'https://evilchat.acme.com'],
  ['the listed one over plain HTTP', 'http://chat.acme.com'],
  ['the listed one at another port', 'https://chat.acme.com:8443'],
  ['a sandboxed page or a file', 'null'],
  ['a name that leads to this machine', 'http://rebind.example:8085'],
  ['several origins', `${chat}, https://evil.example`],
])('%s is refused, and no header tells it anything', async (_what, origin) => {
  const url = await start({ allowed: [chat] });
  for (const method of ['GET', 'POST', 'OPTIONS']) {
    const { status, headers } = await asked(url, origin, { method });
    expect(status).toBe(403);
    expect([...headers.keys()].filter((name) => name.startsWith('access-control-'))).toEqual([]);
  }
});

test('a host name that leads to this machine is refused', async () => {
  const url = await start();
  const { request } = await import('node:http');
  const status = await new Promise((resolve) => {
    request(`${url}/own`, { headers: { host: 'rebind.example' } }, (res) => resolve(res.statusCode)).end();
  });
  expect(status).toBe(403);
});

test('a listed page may ask, by name, and its browser’s cookies do not count', async () => {
  const url = await start({ allowed: [chat] });
  const preflight = await asked(url, chat, {
    method: 'OPTIONS',
    headers: { 'access-control-request-method': 'POST' },
  });
  expect([preflight.status, preflight.headers.get('access-control-allow-origin')]).toEqual([204, chat]);
  const { headers } = await asked(url, chat);
  expect(headers.get('access-control-allow-origin')).toBe(chat);
  expect(headers.get('access-control-allow-credentials')).toBeNull();
  expect(headers.get('vary')).toBe('origin');
  const told = (await (await asked(url, chat)).json()) as { cookie: unknown; raw: string };
  expect(told.cookie).toBeNull();
  expect(told.raw).not.toContain('secret');
});

test('where all pages may ask, none is named and none brings cookies', async () => {
  const response = await asked(await start({ allowed: ['*'] }), 'https://evil.example');
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('access-control-allow-credentials')).toBeNull();
  expect(await response.json()).toMatchObject({ cookie: null });
});

test('another program’s page on this machine brings no cookies of ours; our own page does', async () => {
  const url = await start();
  expect(await (await asked(url, 'http://localhost:3000')).json()).toMatchObject({ cookie: null });
  expect(await (await asked(url, url)).json()).toMatchObject({ cookie: 'toolgate_session=secret' });
  expect(await (await asked(url, undefined)).json()).toMatchObject({ cookie: 'toolgate_session=secret' });
});
