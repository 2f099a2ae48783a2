// One id for a request: in, out, to the server, in records, logs and errors.
import { expect, test } from 'vitest';
import { ask, openSession } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';
import type { Json } from './program.ts';
import { startUpstream, toolsNamed } from './upstream.ts';

const upstream = await startUpstream({ tools: {} }, toolsNamed(['plain']));
const gate = await startGate({
  config: configOf({
    plain: { type: 'http', url: upstream.url },
    gone: { type: 'http', url: 'http://127.0.0.1:1/mcp?api_key=hunter2' },
  }),
  env: { ACCESS_LOG: 'true' },
});
const token = await gate.tokenFor('alice@acme.com');
const at = (path: string, id: string) => ({
  url: `${gate.url}${path}`,
  token,
  headers: { 'x-request-id': id },
});
const lines = (id: string): Json[] =>
  gate
    .logs()
    .split('\n')
    .filter((line) => line.startsWith('{') && line.includes(id))
    .map((line) => JSON.parse(line));

test('the id that a caller sends is in the answer, at the server, in the record and in the log', async () => {
  const answer = await ask(at('/mcp/plain', 'made-by-alice.1'), 'tools/call', { name: 'plain' });
  expect(answer.headers.get('x-request-id')).toBe('made-by-alice.1');
  const sent = upstream.seen.find(({ method }) => method === 'tools/call');
  expect(sent!.headers['x-request-id']).toBe('made-by-alice.1');
  const record = await eventually('the record', async () => {
    const { body } = await gate.admin('GET', '/analytics?limit=50');
    return (body.items as Json[]).find(({ requestId }) => requestId === 'made-by-alice.1');
  });
  expect(record).toMatchObject({ tool: 'plain', outcome: 'ok' });
  const line = await eventually('the line', () =>
    lines('made-by-alice.1').find(({ msg }) => msg === 'request'),
  );
  expect(line).toMatchObject({ method: 'POST', path: '/mcp/plain', status: 200, clientIp: '127.0.0.1' });
});

test('a call that fails has its id in the log, and no key of the server', async () => {
  const failed = await ask(at('/mcp/gone', 'made-by-alice.2'), 'tools/call', { name: 'plain' });
  expect(failed.headers.get('x-request-id')).toBe('made-by-alice.2');
  const line = await eventually('the line', () => lines('made-by-alice.2').find(({ msg }) => msg === 'call'));
  expect(line).toMatchObject({ outcome: 'upstream_error', principal: 'alice@acme.com' });
  expect(gate.logs()).not.toContain('hunter2');
});

test('each message of one session has the id of its own request', async () => {
  const session = await openSession(`${gate.url}/mcp/plain`, token);
  for (const id of ['own-1', 'own-2'])
    await ask({ ...session, headers: { 'x-request-id': id } }, 'tools/call', { name: 'plain' });
  const ids = upstream.seen.map(({ headers }) => headers['x-request-id']);
  expect(ids).toEqual(expect.arrayContaining(['own-1', 'own-2']));
});

test.each([
  ['with a line break in it', 'a%0d%0ab'],
  ['that is too long', 'x'.repeat(65)],
  ['with quotes', '"};alert(1)'],
])('an id %s is replaced by another', async (_what, id) => {
  const answer = await ask(at('/mcp/plain', id), 'tools/call', { name: 'plain' });
  expect(answer.headers.get('x-request-id')).toMatch(/^[\da-f-]{36}$/);
});

test.each([
  ['no token', '/mcp/plain', {}],
  ['the admin API without a token', '/mcp-admin/api/users', {}],
  ['an address with nothing behind it', '/nothing-here', {}],
])('an error says its id: %s', async (_what, path, headers) => {
  const response = await fetch(`${gate.url}${path}`, {
    method: path === '/mcp/plain' ? 'POST' : 'GET',
    headers: { 'content-type': 'application/json', 'x-request-id': 'made-by-bob.1', ...headers },
    ...(path === '/mcp/plain' && { body: '{}' }),
  });
  expect(response.status).toBeGreaterThanOrEqual(400);
  const body = (await response.json()) as Json;
  expect([body.error.requestId, response.headers.get('x-request-id')]).toEqual([
    'made-by-bob.1',
    'made-by-bob.1',
  ]);
});

test('a line of the access log has no query, so no code and no link that opens something', async () => {
  await fetch(`${gate.url}/gateway/ready?token=hunter3&code=hunter4`, {
    headers: { 'x-request-id': 'asked-1' },
  });
  await eventually('the line', () => lines('asked-1').length > 0);
  expect(gate.logs()).not.toMatch(/hunter[34]/);
});
