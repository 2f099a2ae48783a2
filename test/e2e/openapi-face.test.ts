// The OpenAPI face of the real program, beside what mcpo 0.0.20 answered for the same server.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { Validator } from '@seriousme/openapi-schema-validator';
import { expect, test } from 'vitest';
import { bearer } from './clients.ts';
import { eventually, startGate } from './gate.ts';
import type { Json } from './program.ts';

const fakes = new URL('../fakes/', import.meta.url);

const gate = await startGate({
  // As an mcpo user has it, with groups added.
  config: {
    mcpServers: {
      Tool_Zoo: {
        command: process.execPath,
        args: [fileURLToPath(new URL('tool-zoo.ts', fakes))],
        disabledTools: ['fail'],
      },
      everything: { command: 'mcp-server-everything' },
    },
    groups: {
      All: { servers: ['Tool_Zoo', 'everything'] },
      Few: { servers: { 'tool-zoo': ['echo', 'give'] } },
    },
    users: { 'alice@acme.com': { groups: ['All'] }, 'bob@acme.com': { groups: ['Few'] } },
  },
});
const alice = await gate.tokenFor('alice@acme.com');
const bob = await gate.tokenFor('bob@acme.com');

async function get(path: string, token?: string): Promise<{ status: number; body: Json }> {
  const url = path.startsWith('http') ? path : gate.url + path;
  const response = await fetch(url, { headers: token === undefined ? {} : bearer(token) });
  return { status: response.status, body: await response.json() };
}

async function call(path: string, token: string, args: object): Promise<{ status: number; answer: Json }> {
  const headers = { ...bearer(token), 'content-type': 'application/json' };
  const response = await fetch(gate.url + path, { method: 'POST', headers, body: JSON.stringify(args) });
  return { status: response.status, answer: await response.json() };
}

const recorded = (name: string): Json =>
  JSON.parse(readFileSync(new URL(`mcpo/${name}.json`, fakes), 'utf8'));
const pathsOf = (document: Json) => Object.keys(document.paths);

test('two people have documents of their own, each valid', async () => {
  const mine = await eventually('the document', async () => {
    const { body } = await get('/tools/openapi.json', alice);
    return pathsOf(body).some((path) => path.startsWith('/everything/')) && body;
  });
  const his = (await get('/tools/openapi.json', bob)).body;
  expect(pathsOf(his)).toEqual(['/tool-zoo/echo', '/tool-zoo/give']);
  expect(pathsOf(mine)).toEqual(expect.arrayContaining(['/tool-zoo/echo', '/everything/echo']));
  expect(pathsOf(mine)).not.toContain('/tool-zoo/fail');
  for (const document of [mine, his])
    expect(await new Validator().validate(document)).toMatchObject({ valid: true });
});

test('the document of a server says all that mcpo’s says', async () => {
  const { schemas, servers: _servers, ...theirs } = recorded('everything');
  const { body } = await get('/tools/everything/openapi.json', alice);
  expect(body).toMatchObject(theirs);
  expect(body.components.schemas).toMatchObject(schemas);
});

test('calls are answered as mcpo answered them, under either name of the server', async () => {
  const results = recorded('calls').filter(({ tool, status }: Json) => tool === 'give' && status === 200);
  expect(results.length).toBeGreaterThan(10);
  for (const { body, answer } of results.filter(({ answer }: Json) => answer !== 'null')) {
    const own = await call('/tools/Tool_Zoo/give', alice, JSON.parse(body));
    expect(own).toEqual({ status: 200, answer: JSON.parse(answer) });
    expect(await call('/tools/tool-zoo/give', bob, JSON.parse(body))).toEqual(own);
  }
});

test('what was not granted is not there, whatever a document said', async () => {
  expect(await call('/tools/tool-zoo/bare', bob, {})).toEqual({
    status: 404,
    answer: { detail: 'There is no tool "bare" that you may use.' },
  });
  expect((await call('/tools/everything/echo', bob, { message: 'x' })).status).toBe(404);
  expect((await call('/tools/tool-zoo/fail', alice, { code: 1 })).status).toBe(404);
  expect(await call('/tools/everything/echo', alice, { message: 'x' })).toEqual({
    status: 200,
    answer: 'Echo: x',
  });
  expect((await call('/tools/everything/echo', 'wrong', { message: 'x' })).status).toBe(403);
});

test('an admin makes a link to what a group has, which anybody may read and nobody may call', async () => {
  const { status, body } = await gate.admin('POST', '/openapi-links', { group: 'Few', server: 'tool-zoo' });
  expect(status).toBe(201);
  const { body: document } = await get(body.url);
  expect(pathsOf(document)).toEqual(['/echo', '/give']);
  expect((await get(new URL(body.url).pathname)).status).toBe(401);
  expect((await gate.admin('POST', '/openapi-links', { tenant: 'x' })).status).toBe(400);
  expect((await gate.admin('POST', '/openapi-links', { group: 'None' })).status).toBe(404);
  const { items } = (await gate.admin('GET', '/audit?action=openapi_link.create')).body;
  expect(items).toHaveLength(1);
  expect(items[0]).toMatchObject({
    ...{ actor: 'admin-token', targetKind: 'group', targetId: 'Few' },
    after: { tenant: null, group: 'Few', server: 'tool-zoo' },
  });
  expect(JSON.stringify(items)).not.toContain('spec=');
  expect((await gate.admin('DELETE', '/groups/Few')).status).toBeLessThan(500);
});
