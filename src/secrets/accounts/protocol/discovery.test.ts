import type { IncomingMessage, ServerResponse } from 'node:http';
import { expect, onTestFinished, test } from 'vitest';
import { accountServer, handClock } from '../../../../test/accounts-world.ts';
import { listenOnLoopback } from '../../../../test/fakes/loopback.ts';
import { createGuardedFetch } from '../../../platform/guarded-fetch.ts';
import { createNetGuard } from '../../../platform/net-guard.ts';
import type { AccountServer } from '../accounts.ts';
import { createDiscovery } from './discovery.ts';

type Answer = object | string | ((req: IncomingMessage, res: ServerResponse) => void);

/** A host that answers 404 but for these paths, and what it was asked. */
async function host(paths: (origin: string) => Record<string, Answer>) {
  const asked: string[] = [];
  let answers: Record<string, Answer> = {};
  const served = await listenOnLoopback((req, res) => {
    const path = req.url ?? '';
    asked.push(`${req.method} ${path}`);
    const answer = answers[path];
    if (typeof answer === 'function') return answer(req, res);
    if (answer === undefined) return void res.writeHead(404).end();
    return void res.writeHead(200).end(typeof answer === 'string' ? answer : JSON.stringify(answer));
  });
  onTestFinished(() => served.close());
  answers = paths(served.origin);
  return { asked, ...served };
}

function discovery(allow: readonly string[] = ['127.0.0.1']) {
  const clock = handClock();
  const fetch = createGuardedFetch({ guard: createNetGuard({ allow }), deadlineMs: 1000 });
  onTestFinished(() => fetch.close());
  return { ...createDiscovery(fetch, clock), clock };
}

function metadata(issuer: string, more: object = {}) {
  const endpoints = { authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token` };
  return { issuer, ...endpoints, code_challenge_methods_supported: ['S256'], ...more };
}

const challenged =
  (header: string): Answer =>
  (_req, res) =>
    void res.writeHead(401, { 'www-authenticate': header }).end();

const at = (url: string, more: Partial<AccountServer> = {}) => accountServer({ url }, {}, more);
const oauth = '/.well-known/oauth-authorization-server';
const oidc = '/.well-known/openid-configuration';
const resourceAt = '/.well-known/oauth-protected-resource';

test('the address in the challenge comes first, then that of the path, then that of the host', async () => {
  const named = await host((origin) => ({
    '/mcp': challenged(`Bearer resource_metadata="${origin}/named", scope="a b"`),
    '/named': { resource: `${origin}/mcp`, authorization_servers: [origin], scopes_supported: ['c'] },
    [oauth]: metadata(origin),
  }));
  const found = await discovery().ofServer(at(`${named.origin}/mcp`));
  expect(found).toMatchObject({ indicator: `${named.origin}/mcp`, scopes: ['a', 'b'] });
  expect(named.asked).toEqual(['POST /mcp', 'GET /named', `GET ${oauth}`]);

  const unnamed = await host((origin) => ({
    '/mcp': challenged('Bearer'),
    [resourceAt]: { resource: origin, authorization_servers: [origin], scopes_supported: ['c', 'd e', 7] },
    [oidc]: metadata(origin),
  }));
  expect(await discovery().ofServer(at(`${unnamed.origin}/mcp`))).toMatchObject({
    indicator: unnamed.origin,
  });
  expect(unnamed.asked).toEqual([
    ...['POST /mcp', `GET ${resourceAt}/mcp`, `GET ${resourceAt}`, `GET ${oauth}`, `GET ${oidc}`],
  ]);
});

test('an issuer with a path has its metadata in one of three places, in the order of the specification', async () => {
  const there = await host((origin) => ({
    [`${resourceAt}/mcp`]: { resource: `${origin}/mcp`, authorization_servers: [`${origin}/tenant1`] },
    [`/tenant1${oidc}`]: metadata(`${origin}/tenant1`),
  }));
  const { server } = await discovery().ofServer(at(`${there.origin}/mcp`));
  expect(server.issuer).toBe(`${there.origin}/tenant1`);
  expect(there.asked.slice(-3)).toEqual([
    ...[`GET ${oauth}/tenant1`, `GET ${oidc}/tenant1`, `GET /tenant1${oidc}`],
  ]);
});

test('a server that says nothing signs people in at its own host, as before 2025-06-18', async () => {
  const old = await host((origin) => ({ '/sse': 'an open page', [oauth]: metadata(origin) }));
  expect(await discovery().ofServer(at(`${old.origin}/sse`))).toMatchObject({
    ...{ server: { issuer: old.origin }, indicator: `${old.origin}/sse`, scopes: undefined },
  });
});

test('a server that answers everybody, or with a stream that never ends, is asked for its metadata all the same', async () => {
  const open = await host((origin) => ({
    '/mcp': (_req, res) =>
      void res.writeHead(200, { 'content-type': 'text/event-stream' }).write(': hello\n\n'),
    [resourceAt]: { resource: origin, authorization_servers: [origin] },
    [oauth]: metadata(origin),
  }));
  expect((await discovery().ofServer(at(`${open.origin}/mcp`))).server.issuer).toBe(open.origin);
});

test('pages and broken documents are the same as none', async () => {
  const pages = await host((origin) => ({
    [`${resourceAt}/mcp`]: '<html>',
    [resourceAt]: { resource: origin, authorization_servers: [] },
    [oauth]: '<html>',
    [oidc]: metadata(origin),
  }));
  expect((await discovery().ofServer(at(`${pages.origin}/mcp`))).server.issuer).toBe(pages.origin);
});

test.each([
  ['another host', () => 'https://evil.example.com/mcp'],
  ['a path beside', (origin: string) => `${origin}/mcp2`],
  ['a path below', (origin: string) => `${origin}/mcp/deeper`],
  ['a fragment', (origin: string) => `${origin}/mcp#x`],
  ['another query', (origin: string) => `${origin}/mcp?a=b`],
  ['no address', () => 'mcp'],
])('metadata of %s is refused', async (_name, resource) => {
  const wrong = await host((origin) => ({
    [`${resourceAt}/mcp`]: { resource: resource(origin), authorization_servers: [origin] },
    [oauth]: metadata(origin),
  }));
  await expect(discovery().ofServer(at(`${wrong.origin}/mcp`))).rejects.toMatchObject({
    code: 'account_discovery_failed',
  });
});

test('the resource is named as its metadata does, else by its address without a needless slash', async () => {
  const root = await host((origin) => ({ '/': challenged('Bearer'), [oauth]: metadata(origin) }));
  expect((await discovery().ofServer(at(`${root.origin}/`))).indicator).toBe(root.origin);
  const slash = await host((origin) => ({
    [`${resourceAt}/mcp`]: { resource: `${origin}/mcp/`, authorization_servers: [origin] },
    [oauth]: metadata(origin),
  }));
  expect((await discovery().ofServer(at(`${slash.origin}/mcp`))).indicator).toBe(`${slash.origin}/mcp/`);
});

test.each<[string, (origin: string) => object]>([
  ['no PKCE', (origin) => metadata(origin, { code_challenge_methods_supported: undefined })],
  ['plain PKCE alone', (origin) => metadata(origin, { code_challenge_methods_supported: ['plain'] })],
  ['another issuer', (origin) => metadata(origin, { issuer: 'https://honest.example.com' })],
  ['its issuer spelt with a path', (origin) => metadata(origin, { issuer: `${origin}/x` })],
  ['no token endpoint', (origin) => metadata(origin, { token_endpoint: undefined })],
  [
    'a script for an endpoint',
    (origin) => metadata(origin, { authorization_endpoint: 'javascript:alert(1)' }),
  ],
  ['no authorization code', (origin) => metadata(origin, { response_types_supported: ['token'] })],
])('nobody signs in at an authorization server with %s', async (_name, document) => {
  const unsafe = await host((origin) => ({
    [`${resourceAt}/mcp`]: { resource: `${origin}/mcp`, authorization_servers: [origin] },
    [oauth]: document(origin),
    [oidc]: metadata(origin),
  }));
  await expect(discovery().ofServer(at(`${unsafe.origin}/mcp`))).rejects.toMatchObject({
    code: 'account_server_unsafe',
  });
});

test('the operator names the issuer where the server does not, or names another', async () => {
  const own = await host((origin) => ({ [`/right${oidc}`]: metadata(`${origin}/right`) }));
  const server = await host(() => ({ '/mcp': challenged('Bearer') }));
  const settings = { issuer: `${own.origin}/right` };
  const found = await discovery().ofServer(accountServer({ url: `${server.origin}/mcp` }, settings));
  expect(found.server.issuer).toBe(`${own.origin}/right`);
});

test('what is behind private addresses is not asked, whoever names it', async () => {
  const inside = await host((origin) => ({ [oauth]: metadata(origin) }));
  const outside = await host((origin) => ({
    [`${resourceAt}/mcp`]: { resource: `${origin}/mcp`, authorization_servers: [inside.origin] },
  }));
  // The operator wrote the address of the server, so that it alone is reached.
  const trusted = at(`${outside.origin}/mcp`, { trusted: true });
  await expect(discovery([]).ofServer(trusted)).rejects.toMatchObject({ code: 'account_server_away' });
  await expect(discovery([]).ofServer(at(`${outside.origin}/mcp`))).rejects.toMatchObject({
    code: 'account_discovery_failed',
  });
  expect(inside.asked).toEqual([]);
  for (const named of [
    'https://169.254.169.254',
    'https://[::1]',
    'https://0x7f.1',
    'file:///etc',
    'gopher://x',
    'x',
  ]) {
    const evil = await host((origin) => ({
      '/mcp': challenged(`Bearer resource_metadata="${origin}/m"`),
      '/m': { resource: origin, authorization_servers: [named] },
    }));
    await expect(discovery().ofServer(at(`${evil.origin}/mcp`))).rejects.toMatchObject({
      code: expect.stringMatching(/^account_server_(away|unsafe)$/) as string,
    });
  }
});

test('what was found is remembered for ten minutes, and of an issuer for as long as it is away', async () => {
  const once = await host((origin) => ({
    [`${resourceAt}/mcp`]: { resource: `${origin}/mcp`, authorization_servers: [origin] },
    [oauth]: metadata(origin),
  }));
  const { ofServer, ofIssuer, clock } = discovery();
  await ofServer(at(`${once.origin}/mcp`));
  const asked = once.asked.length;
  await ofServer(at(`${once.origin}/mcp`));
  expect(once.asked.length).toBe(asked);
  clock.forward(11 * 60_000);
  await ofServer(at(`${once.origin}/mcp`));
  expect(once.asked.length).toBe(2 * asked);
  await once.close();
  clock.forward(11 * 60_000);
  expect((await ofIssuer(once.origin, null)).issuer).toBe(once.origin);
  clock.forward(25 * 3_600_000);
  await expect(ofIssuer(once.origin, null)).rejects.toMatchObject({ code: 'account_server_away' });
});
