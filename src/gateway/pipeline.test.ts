import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../test/fakes/hostile-http.ts';
import { as, gatewayWorld, type Picture } from '../../test/gateway-world.ts';
import { pipeline } from './pipeline.ts';
import { attachCredentials } from './steps/attach-credentials.ts';
import { authenticate } from './steps/authenticate.ts';
import { authorize } from './steps/authorize.ts';
import { forward } from './steps/forward.ts';
import { limitRate } from './steps/limit-rate.ts';
import { relay } from './steps/relay.ts';
import { resolveServer } from './steps/resolve-server.ts';
import { resolveTenant } from './steps/resolve-tenant.ts';

type Row = readonly [unknown, readonly string[]];
const rows: readonly Row[] = pipeline;
const faces = [...new Set(rows.flatMap(([, columns]) => columns))];
const stepsOf = (face: string) => rows.filter(([, columns]) => columns.includes(face)).map(([step]) => step);

describe.each(faces)('the face %s', (face) => {
  test('authenticates first, whatever else it does', () => {
    expect(stepsOf(face)[0]).toBe(authenticate);
  });

  test('resolves the tenant and limits the rate before it looks at a server', () => {
    const steps = stepsOf(face);
    // Open WebUI is passed on as a whole: nothing of it is looked at.
    if (face === 'webui') return expect(steps.indexOf(limitRate)).toBeLessThan(steps.indexOf(relay));
    const order = [resolveTenant, limitRate, resolveServer].map((step) => steps.indexOf(step));
    expect(order).toEqual([...order].sort((a, b) => a - b));
    expect(order).not.toContain(-1);
  });

  test('forwards nothing that was not authorized, with credentials attached after that', () => {
    const steps = stepsOf(face);
    if (!steps.includes(forward)) return;
    const order = [authorize, attachCredentials, forward].map((step) => steps.indexOf(step));
    expect(order).not.toContain(-1);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });
});

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

function picture(): Picture {
  return {
    servers: {
      ok: { type: 'http', url: http.url('ok') },
      off: { type: 'http', url: http.url('ok'), enabled: false },
      secret: { type: 'http', url: http.url('ok'), headers: { 'x-key': '${credential}' } },
      dead: { type: 'http', url: 'http://127.0.0.1:1/mcp' },
      never: { type: 'http', url: http.url('never-call'), timeoutMs: 1_000 },
    },
    groups: {
      all: { servers: ['ok', 'off', 'secret', 'dead', 'never'] },
      some: { servers: { ok: ['echo'] } },
      'Tenant-a': { tenant: 'a', servers: [] },
      'Tenant-b': { tenant: 'b', servers: [] },
    },
    tenants: { a: {}, b: {} },
    users: {
      'alice@acme.com': { groups: ['all'] },
      'bob@acme.com': { groups: ['some'] },
      'twice@acme.com': { groups: ['all', 'Tenant-a', 'Tenant-b'] },
      'out@acme.com': { groups: ['all'], disabled: true },
    },
  };
}

const call = (name: string) => ({ id: 1, method: 'tools/call', params: { name, arguments: { text: 'x' } } });
const session = { 'mcp-session-id': 'made-up' };
const form = { 'content-type': 'text/plain' };

const refusals: readonly {
  readonly when: string;
  readonly path?: string;
  readonly message?: unknown;
  readonly headers?: Record<string, string>;
  readonly is: { outcome: string; reason?: string; status?: number };
}[] = [
  {
    when: 'nobody says who they are',
    headers: { authorization: '' },
    is: { outcome: 'unauthenticated', status: 401 },
  },
  {
    when: 'the account is disabled',
    headers: as('out@acme.com'),
    is: { outcome: 'denied', reason: 'user_disabled', status: 403 },
  },
  { when: 'the body is no JSON', message: '{', is: { outcome: 'bad_request' } },
  { when: 'the body is a batch', message: '[]', is: { outcome: 'bad_request' } },
  { when: 'the body is of another type', headers: form, is: { outcome: 'bad_request' } },
  {
    when: 'the body is too large',
    message: `{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":"${'x'.repeat(200_000)}"}}`,
    is: { outcome: 'bad_request' },
  },
  { when: 'the session is over', headers: session, is: { outcome: 'bad_request' } },
  {
    when: 'the versions contradict each other',
    headers: { 'mcp-protocol-version': '2026-07-28' },
    is: { outcome: 'bad_request' },
  },
  {
    when: 'the tenant is not one’s own',
    path: '/t/b/mcp',
    is: { outcome: 'denied', reason: 'tenant_unknown' },
  },
  {
    when: 'several tenants could be meant',
    headers: as('twice@acme.com'),
    is: { outcome: 'denied', reason: 'tenant_ambiguous' },
  },
  {
    when: 'the server does not exist',
    path: '/mcp/none',
    is: { outcome: 'denied', reason: 'server_not_found' },
  },
  { when: 'the server is disabled', path: '/mcp/off', is: { outcome: 'denied', reason: 'server_not_found' } },
  {
    when: 'the server is not one’s own',
    path: '/mcp/dead',
    headers: as('bob@acme.com'),
    is: { outcome: 'denied', reason: 'server_not_found' },
  },
  {
    when: 'the tool is not one’s own',
    path: '/mcp/ok',
    message: call('add'),
    headers: as('bob@acme.com'),
    is: { outcome: 'denied', reason: 'tool_not_found' },
  },
  {
    when: 'the tool is not one’s own, by its merged name',
    message: call('ok__add'),
    headers: as('bob@acme.com'),
    is: { outcome: 'denied', reason: 'tool_not_found' },
  },
  {
    when: 'the tool has no server',
    message: call('add'),
    is: { outcome: 'denied', reason: 'tool_not_found' },
  },
  {
    when: 'the tool has no name',
    path: '/mcp/ok',
    message: { id: 1, method: 'tools/call', params: {} },
    is: { outcome: 'bad_request' },
  },
  {
    when: 'the method does not exist',
    message: { id: 1, method: 'constructor' },
    is: { outcome: 'bad_request', reason: 'method_not_found' },
  },
  {
    when: 'the method is one of another era',
    message: { id: 1, method: 'server/discover' },
    is: { outcome: 'bad_request', reason: 'method_not_found' },
  },
  {
    when: 'a notification comes with an id',
    path: '/mcp/ok',
    message: { id: 1, method: 'notifications/cancelled', params: { requestId: 1 } },
    is: { outcome: 'bad_request', reason: 'method_not_found' },
  },
  { when: 'a key is missing', path: '/mcp/secret', message: call('echo'), is: { outcome: 'no_credential' } },
  {
    when: 'a key is missing for a resource',
    path: '/mcp/secret',
    message: { id: 1, method: 'resources/read', params: { uri: 'a:b' } },
    is: { outcome: 'no_credential' },
  },
  {
    when: 'a key is missing for whatever a server has of its own',
    path: '/mcp/secret',
    message: { id: 1, method: 'example/extension' },
    is: { outcome: 'no_credential' },
  },
  {
    when: 'the server is away',
    path: '/mcp/dead',
    message: call('echo'),
    // Its lists may have been asked for before.
    is: { outcome: 'upstream_error', reason: expect.stringMatching(/^upstream_(?:unreachable|paused)$/) },
  },
  { when: 'the server is silent', path: '/mcp/never', message: call('echo'), is: { outcome: 'timeout' } },
];

test.each(refusals)('it is recorded once when $when', async ({ path = '/mcp', message, headers, is }) => {
  const world = await gatewayWorld(picture());
  const list = { id: 1, method: 'tools/list' };
  const response = await world.post(path, message ?? list, headers);
  await response.text();
  expect(world.records).toHaveLength(1);
  expect(world.records[0]).toMatchObject(is);
});

test('it is recorded once when the limit is reached, and when records are full', async () => {
  const limited = await gatewayWorld(picture(), { rateLimits: { perUser: 1 } });
  await limited.ask('/mcp/ok', 'ping');
  const response = await limited.post('/mcp/ok', { id: 1, method: 'ping' });
  expect([response.status, Number(response.headers.get('retry-after')) > 0]).toEqual([429, true]);
  expect(limited.records.map(({ outcome }) => outcome)).toEqual(['ok', 'rate_limited']);
  const full = await gatewayWorld(picture());
  full.fillRecords();
  expect((await full.post('/mcp/ok', { id: 1, method: 'ping' })).status).toBe(503);
  expect(full.records).toMatchObject([{ outcome: 'error', reason: 'records_full' }]);
});

test('a call that went well is recorded once, with its size', async () => {
  const world = await gatewayWorld(picture());
  const { result } = await world.ask('/mcp/ok', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
  expect(result).toEqual({ content: [{ type: 'text', text: 'x' }] });
  expect(world.records).toMatchObject([
    { outcome: 'ok', server: 'ok', tool: 'echo', principal: 'alice@acme.com', status: 200 },
  ]);
  expect(world.records[0]!.bytesIn).toBeGreaterThan(20);
  expect(world.records[0]!.bytesOut).toBeGreaterThan(20);
});

test('a client that leaves before its message is complete is recorded as gone', async () => {
  const world = await gatewayWorld(picture());
  const socket = connect(world.port, '127.0.0.1');
  socket.write(
    'POST /mcp HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer alice@acme.com\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{',
  );
  setTimeout(() => socket.destroy(), 50);
  await expect.poll(() => world.records).toMatchObject([{ outcome: 'cancelled', status: 499 }]);
});

test('a client that leaves during a call is recorded as gone', async () => {
  const world = await gatewayWorld(picture());
  await world.names('/mcp/ok');
  const controller = new AbortController();
  const gone = fetch(`${world.url}/mcp/ok`, {
    method: 'POST',
    signal: controller.signal,
    headers: { ...as('alice@acme.com'), 'content-type': 'application/json' },
    body: JSON.stringify({
      jsonrpc: '2.0',
      id: 1,
      method: 'tools/call',
      params: { name: 'slow', arguments: { ms: 60_000 } },
    }),
  });
  setTimeout(() => controller.abort(), 50);
  await expect(gone).rejects.toThrow();
  await expect.poll(() => world.records.at(-1)).toMatchObject({ outcome: 'cancelled', tool: 'slow' });
});

describe('what is authorized is what is called', () => {
  const spellings = [
    '{"name":"add","name":"echo","arguments":{"text":"x"}}',
    '{"name":"echo","name":"add"}',
    '{"name":"echo","Name":"add","arguments":{"text":"x"}}',
    '{"name":"echo","n\\u0061me":"add"}',
    '{"NAME":"add","name":"echo"}',
  ];
  test.each(spellings)('%s is refused', async (params) => {
    const world = await gatewayWorld(picture());
    const before = http.stats('ok').counts['tools/call'] ?? 0;
    for (const path of ['/mcp/ok', '/mcp']) {
      const text = params.replaceAll(/"(add|echo)"/g, path === '/mcp' ? '"ok__$1"' : '"$1"');
      const body = `{"jsonrpc":"2.0","id":1,"method":"tools/call","params":${text}}`;
      const answer = await (await world.post(path, body, as('bob@acme.com'))).text();
      expect(JSON.parse(answer)).toMatchObject({ result: { isError: true } });
    }
    expect(http.stats('ok').counts['tools/call'] ?? 0).toBe(before);
  });

  test('methods named like inherited properties are unknown methods', async () => {
    const world = await gatewayWorld(picture());
    for (const method of ['constructor', 'toString', '__proto__', 'hasOwnProperty']) {
      expect((await world.ask('/mcp', method, { name: 'x__y' })).error).toMatchObject({ code: -32601 });
      expect((await world.ask('/mcp/ok', method, {})).error).toMatchObject({ code: -32601 });
    }
  });
});
