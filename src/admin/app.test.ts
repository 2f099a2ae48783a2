import { Writable } from 'node:stream';
import { expect, test } from 'vitest';
import { z } from 'zod';
import type { Principal } from '../access/contract.ts';
import { endpoint, type Route, route } from '../platform/contract.ts';
import { AppError } from '../platform/errors.ts';
import { createLog } from '../platform/log.ts';
import { configRoutes, createAdminApp } from './index.ts';

const thing = z.object({ name: z.string() });
const api = {
  list: endpoint({
    method: 'GET',
    path: '/things',
    tag: 'Things',
    summary: 'Things',
    query: z.object({ limit: z.coerce.number().int().max(10).default(5), search: z.string().optional() }),
    output: z.object({ limit: z.number() }),
  }),
  add: endpoint({
    method: 'POST',
    path: '/things',
    tag: 'Things',
    summary: 'Add',
    status: 201,
    body: z.strictObject({ name: z.string().min(1), tools: z.array(z.string()).default([]) }),
    output: thing,
  }),
  get: endpoint({
    method: 'GET',
    path: '/things/{name}',
    tag: 'Things',
    summary: 'One',
    params: z.object({ name: z.string().max(30) }),
    output: thing,
  }),
  member: endpoint({
    method: 'PUT',
    path: '/things/{name}/parts/{part}',
    tag: 'Things',
    summary: 'Join',
    params: z.object({ name: z.string(), part: z.string() }),
    output: z.object({ seen: z.array(z.string()) }),
  }),
  remove: endpoint({
    method: 'DELETE',
    path: '/things/{name}',
    tag: 'Things',
    summary: 'Remove',
    params: z.object({ name: z.string() }),
    status: 204,
  }),
  grant: endpoint({
    method: 'PUT',
    path: '/grants',
    tag: 'Things',
    summary: 'Grant',
    body: z.strictObject({ tools: z.array(z.string()) }).default({ tools: ['*'] }),
    output: z.object({ tools: z.array(z.string()) }),
  }),
  fail: endpoint({
    method: 'GET',
    path: '/fail/{how}',
    tag: 'Things',
    summary: 'Fails',
    params: z.object({ how: z.string() }),
    output: thing,
  }),
};

const failures: Readonly<Record<string, () => unknown>> = {
  known: () => {
    throw new AppError('thing_locked', 409, 'The thing is locked; unlock it first.');
  },
  unknown: () => {
    throw new Error('password=canary-secret');
  },
  output: () => ({ name: 7, secret: 'canary-secret' }),
};

const routes: Route[] = [
  route(api.list, async ({ query }) => ({ limit: query.limit })),
  route(api.add, async ({ body }) => body),
  route(api.get, async ({ params, actor }) => ({
    name: `${params.name} for ${actor.id} from ${actor.clientIp} in ${actor.requestId}`,
    secret: 'canary-secret',
  })),
  route(api.member, async ({ params }) => ({ seen: [params.name, params.part] })),
  route(api.remove, async () => undefined),
  route(api.grant, async ({ body }) => body),
  { endpoint: api.fail, handle: async ({ params }) => failures[String(params['how'])]?.() },
  ...configRoutes({
    apply: async ({ dryRun, prune }) => [
      { kind: 'create', record: 'server', id: 'a', fields: [`${dryRun}`, `${prune}`] },
    ],
  }),
];

const principal: Principal = {
  kind: 'user',
  id: 'ada@acme.com',
  assertedGroups: [],
  assertedBy: null,
  tokenTenant: null,
  authSource: 'api-token',
  credentialId: 't1',
};

function start() {
  const lines: string[] = [];
  const log = createLog(
    'info',
    new Writable({
      write: (chunk, _encoding, done) => {
        lines.push(String(chunk));
        done();
      },
    }),
  );
  const app = createAdminApp({
    routes,
    log,
    version: '1.2.3',
    publicUrl: 'https://gate.acme.com',
    authenticate: async (request) => {
      const who = request.headers.get('authorization');
      if (who === null)
        throw new AppError('unauthenticated', 401, 'Sign in first.', {
          headers: { 'WWW-Authenticate': 'Bearer' },
        });
      return { principal, isAdmin: who === 'Bearer admin' };
    },
  });
  const send = async (
    method: string,
    path: string,
    init: { body?: string | Uint8Array<ArrayBuffer>; type?: string; as?: string | null } = {},
  ) => {
    const headers = new Headers(init.as === null ? {} : { authorization: `Bearer ${init.as ?? 'admin'}` });
    if (init.body !== undefined) headers.set('content-type', init.type ?? 'application/json');
    const request = new Request(`http://gate/mcp-admin/api${path}`, {
      method,
      headers,
      ...(init.body === undefined ? {} : { body: init.body }),
    });
    const response = await app.fetch(request, { clientIp: '192.0.2.1', requestId: 'req-1' });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      json: text === '' ? undefined : JSON.parse(text),
    };
  };
  return { send, lines };
}

test('an answer holds only what its contract names, and the handler knows who asks', async () => {
  const { send } = start();
  const answer = await send('GET', '/things/x');
  expect(answer.json).toEqual({ name: 'x for ada@acme.com from 192.0.2.1 in req-1' });
  expect(answer.headers.get('x-request-id')).toBe('req-1');
  expect(answer.headers.get('cache-control')).toBe('no-store');
  expect(answer.headers.get('access-control-allow-origin')).toBeNull();
});

test('path parameters arrive decoded once, slashes and at-signs included', async () => {
  const { send } = start();
  const seen = async (path: string) => (await send('PUT', path)).json.seen;
  expect(await seen('/things/alice%40acme.com/parts/%2Fdept%2Fdev')).toEqual(['alice@acme.com', '/dept/dev']);
  expect(await seen('/things/alice@acme.com/parts/a%2540b%252Fc')).toEqual(['alice@acme.com', 'a%40b%2Fc']);
  expect(await seen('/things/%C3%A4%20b/parts/a.b-c_d')).toEqual(['ä b', 'a.b-c_d']);
});

test('a created thing answers 201, a removed one 204 without a body', async () => {
  const { send } = start();
  expect(await send('POST', '/things', { body: '{"name":"a"}' })).toMatchObject({
    status: 201,
    json: { name: 'a' },
  });
  expect(await send('DELETE', '/things/a')).toMatchObject({ status: 204, text: '' });
});

test('an empty query value counts as absent, and a body that may be left out gets its default', async () => {
  const { send } = start();
  expect((await send('GET', '/things?limit=&search=')).json).toEqual({ limit: 5 });
  expect((await send('PUT', '/grants')).json).toEqual({ tools: ['*'] });
  expect((await send('POST', '/config/apply', { body: '{"dryRun":true}' })).json.changes[0].fields).toEqual([
    'true',
    'false',
  ]);
});

const refusals: [string, string, Parameters<ReturnType<typeof start>['send']>[2], string][] = [
  ['nobody', 'GET /things', { as: null }, '401 unauthenticated'],
  ['somebody who is no admin', 'GET /things', { as: 'user' }, '403 not_an_admin'],
  [
    'somebody who is no admin, whatever the body',
    'POST /things',
    { as: 'user', body: 'x' },
    '403 not_an_admin',
  ],
  ['an unknown path', 'GET /nothing', {}, '404 not_found'],
  ['the bare path', 'GET ', {}, '404 not_found'],
  ['another method', 'PATCH /things', {}, '405 method_not_allowed'],
  ['a number that is none', 'GET /things?limit=x', {}, '400 invalid_request'],
  ['a parameter given twice', 'GET /things?search=a&search=b', {}, '400 invalid_request'],
  ['a path that is too long', `GET /things/${'x'.repeat(31)}`, {}, '400 invalid_request'],
  ['broken JSON', 'POST /things', { body: '{' }, '400 invalid_json'],
  [
    'bytes that are no UTF-8',
    'POST /things',
    { body: new Uint8Array([0x22, 0xff, 0x22]) },
    '400 invalid_json',
  ],
  ['no body', 'POST /things', {}, '400 invalid_request'],
  [
    'a form',
    'POST /things',
    { body: 'name=a', type: 'application/x-www-form-urlencoded' },
    '415 unsupported_media_type',
  ],
  ['a body over 1 MiB', 'POST /things', { body: `"${'x'.repeat(1024 * 1024)}"` }, '413 body_too_large'],
  ['a known failure', 'GET /fail/known', {}, '409 thing_locked'],
];

test.each(refusals)('%s is refused: %s', async (_name, line, init, expected) => {
  const [method = '', target = ''] = line.split(' ');
  const answer = await start().send(method, target, init);
  expect(`${answer.status} ${answer.json.error.code}`).toBe(expected);
  expect(answer.json.error).toMatchObject({ requestId: 'req-1', message: expect.stringMatching(/[.?]$/) });
  expect(answer.headers.get('x-request-id')).toBe('req-1');
});

test('a 405 names what is allowed, a 401 how to sign in', async () => {
  const { send } = start();
  expect((await send('PATCH', '/things')).headers.get('allow')).toBe('GET, POST');
  expect((await send('GET', '/things', { as: null })).headers.get('www-authenticate')).toBe('Bearer');
});

test('every wrong value is named, in one sentence and as a list', async () => {
  const { json } = await start().send('POST', '/things', { body: '{"name":"","tools":[1],"nmae":"x"}' });
  expect(json.error.message).toBe(
    'body.name: must not be empty; body.tools[0]: must be a string, not a number; body.nmae: is not a known key; did you mean "name"?',
  );
  expect(json.error.details).toEqual([
    { path: 'body.name', message: 'must not be empty' },
    { path: 'body.tools[0]', message: 'must be a string, not a number' },
    { path: 'body.nmae', message: 'is not a known key; did you mean "name"?' },
  ]);
});

test.each(['unknown', 'output'])(
  'a failure inside (%s) shows nothing of itself, and is in the log with the request id',
  async (how) => {
    const { send, lines } = start();
    const answer = await send('GET', `/fail/${how}`);
    expect(answer).toMatchObject({
      status: 500,
      json: { error: { code: 'internal_error', message: 'Something went wrong here.' } },
    });
    expect(answer.text).not.toContain('canary');
    expect(lines.join('')).toContain('"requestId":"req-1"');
    expect(lines).toHaveLength(1);
  },
);

test('the document describes every route, and is open to everyone because it holds no data', async () => {
  const { status, json, headers } = await start().send('GET', '/openapi.json', { as: null });
  expect(status).toBe(200);
  expect(headers.get('content-type')).toBe('application/json');
  expect(Object.keys(json.paths)).toEqual([
    '/things',
    '/things/{name}',
    '/things/{name}/parts/{part}',
    '/grants',
    '/fail/{how}',
    '/config/apply',
  ]);
});
