// Servers whose token is got by exchanging the one that the caller came with.
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Json, messagesOf, postModern } from '../../../test/asking-world.ts';
import { type GuardedServer, startGuardedServer } from '../../../test/fakes/guarded-server.ts';
import { as, gatewayWorld } from '../../../test/gateway-world.ts';

let server: GuardedServer;
beforeEach(async () => {
  server = await startGuardedServer('legacy');
  server.tokens.set('exchanged oidc:alice@acme.com', 'Alice');
});
afterEach(() => server.close());

const account = { kind: 'token-exchange', tokenUrl: 'https://as.example/token', clientId: 'gate' };
const world = (secrets: Record<string, string> = {}) =>
  gatewayWorld(
    {
      servers: { api: { type: 'http', url: server.url, account } },
      groups: { all: { servers: ['api'] } },
      users: { 'alice@acme.com': { groups: ['all'] } },
    },
    { secrets },
  );

const access = as('oidc:alice@acme.com');

test('the access token that the caller came with is exchanged, and never sent itself', async () => {
  const gate = await world();
  const { result } = (await gate.ask('/mcp/api', 'tools/call', { name: 'whoami' }, access)) as Json;
  expect(result.content[0].text).toBe('whoami as Alice');
  const [modern] = await messagesOf(
    await postModern(gate, { name: 'whoami' }, { path: '/mcp/api', headers: access }),
  );
  expect(modern.result.content[0].text).toBe('whoami as Alice');
  expect(server.seen.map(({ token }) => token)).not.toContain('oidc:alice@acme.com');
});

test('any other credential is none that could be exchanged', async () => {
  const gate = await world();
  const { result } = (await gate.ask('/mcp/api', 'tools/call', { name: 'whoami' })) as Json;
  expect(result).toMatchObject({ isError: true, content: [{ text: 'Sign in with an access token.' }] });
  expect(server.seen).toEqual([]);
});

test('where there is a less specific key, whoever comes with nothing to exchange uses that one', async () => {
  server.tokens.set('shared', 'everybody');
  const gate = await world({ '/api/default': 'shared' });
  const text = async (headers?: Record<string, string>) =>
    ((await gate.ask('/mcp/api', 'tools/call', { name: 'whoami' }, headers)) as Json).result.content[0].text;
  expect(await text()).toBe('whoami as everybody');
  expect(await text(access)).toBe('whoami as Alice');
});

test('the token is in no record and in no answer', async () => {
  const gate = await world();
  const answer = await gate.ask('/mcp/api', 'tools/call', { name: 'whoami' }, access);
  server.tokens.clear();
  const refused = await gate.ask('/mcp/api', 'tools/call', { name: 'whoami' }, access);
  expect(JSON.stringify([gate.records, answer, refused])).not.toContain('oidc:alice');
});

test('on the older transport the token that opened the stream is exchanged', async () => {
  const gate = await world();
  const stop = new AbortController();
  const stream = await fetch(`${gate.url}/sse/api`, {
    headers: { ...access, accept: 'text/event-stream' },
    signal: stop.signal,
  });
  const reader = stream.body?.pipeThrough(new TextDecoderStream()).getReader();
  let seen = '';
  const until = async (pattern: RegExp) => {
    while (!pattern.test(seen)) {
      const { value, done } = (await reader?.read()) ?? { done: true };
      if (done) throw new Error(`the stream ended: ${seen}`);
      seen += value;
    }
    return pattern.exec(seen)?.[1] ?? '';
  };
  const path = await until(/data: (\S+session=\S+)\n/);
  await gate.post(path, { id: 1, method: 'tools/call', params: { name: 'whoami' } }, access);
  expect(await until(/(whoami as \w+)/)).toBe('whoami as Alice');
  stop.abort();
});
