import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startUpstream, toolsNamed } from '../../../test/e2e/upstream.ts';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { as } from '../../../test/gateway-world.ts';
import {
  get,
  installation,
  methodsOf,
  open,
  pictureWith,
  reading,
  tool,
  two,
  type World,
} from '../../../test/installation.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

const stdio = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));

function servers() {
  return {
    ok: { type: 'http', url: http.url('ok') },
    progress: { type: 'http', url: http.url('progress') },
    asks: { type: 'http', url: http.url('asks') },
    own: { command: process.execPath, args: [stdio, 'ok'], isolation: 'session' },
    'own-http': { type: 'http', url: http.url('ok'), isolation: 'session' },
  };
}

describe('a client’s answer to a server’s request', () => {
  test('reaches the call in another process, and only as the session that was asked', async () => {
    const { a, b } = await two(servers());
    const session = await open(a, '/mcp/asks', 'alice@acme.com', { elicitation: {} });
    const mallory = await open(b, '/mcp/asks', 'bob@acme.com', { elicitation: {} });
    const other = await open(b, '/mcp/asks', 'alice@acme.com', { elicitation: {} });
    const call = reading(await a.post('/mcp/asks', tool('ask_elicit'), session));
    await expect.poll(() => methodsOf(call.messages)).toContain('elicitation/create');
    const asked = call.messages.find(({ method }) => method === 'elicitation/create');
    const answer = (name: string) => ({ id: asked.id, result: { action: 'accept', content: { name } } });
    expect((await b.post('/mcp/asks', answer('Mallory'), mallory)).status).toBe(202);
    expect((await b.post('/mcp/asks', answer('Other'), other)).status).toBe(202);
    expect((await b.post('/mcp/asks', answer('Ann'), session)).status).toBe(202);
    await call.done;
    expect(JSON.stringify(call.messages.at(-1))).toContain('Ann');
    expect(JSON.stringify(call.messages)).not.toMatch(/Mallory|Other/);
  });

  test('may be an error', async () => {
    const { a, b } = await two(servers());
    const session = await open(a, '/mcp/asks', 'alice@acme.com', { sampling: {} });
    const call = reading(await a.post('/mcp/asks', tool('ask_sample'), session));
    await expect.poll(() => methodsOf(call.messages)).toContain('sampling/createMessage');
    const { id } = call.messages.find(({ method }) => method === 'sampling/createMessage');
    await b.post('/mcp/asks', { id, error: { code: -1, message: 'No, thanks' } }, session);
    await call.done;
    expect(JSON.stringify(call.messages.at(-1))).toContain('No, thanks');
  });
});

describe('cancelling', () => {
  test('through another process reaches the call, and no other session’s', async () => {
    const { a, b } = await two(servers());
    const session = await open(a, '/mcp/ok');
    const other = await open(a, '/mcp/ok', 'bob@acme.com');
    const slow = a.post('/mcp/ok', tool('slow', { ms: 60_000 }, 'x'), session);
    await expect.poll(() => http.stats('ok').counts['tools/call'] ?? 0).toBeGreaterThan(0);
    const before = http.stats('ok').counts['notifications/cancelled'] ?? 0;
    const cancelled = { method: 'notifications/cancelled', params: { requestId: 'x' } };
    expect((await b.post('/mcp/ok', cancelled, other)).status).toBe(202);
    // What comes after it has passed the same way.
    await b.post('/mcp/ok', { ...cancelled, params: { requestId: 'y' } }, session);
    expect(await a.ask('/mcp/ok', 'ping', {}, session)).toHaveProperty('result');
    expect(http.stats('ok').counts['notifications/cancelled'] ?? 0).toBe(before);
    await b.post('/mcp/ok', cancelled, session);
    expect((await slow).status).toBe(204);
    await expect.poll(() => http.stats('ok').counts['notifications/cancelled'] ?? 0).toBe(before + 1);
  });
});

describe('ending a session', () => {
  test('ends its calls and its stream in every process, and it stays ended', async () => {
    const { a, b } = await two(servers());
    const session = await open(a, '/mcp/ok');
    const other = await open(a, '/mcp/ok');
    const stream = reading(await get(a, '/mcp/ok', session));
    const slow = a.post('/mcp/ok', tool('slow', { ms: 60_000 }), session);
    await expect.poll(() => a.gateway.counts().subscribers).toBe(1);
    const ended = await fetch(`${b.url}/mcp/ok`, { method: 'DELETE', headers: session });
    expect(ended.status).toBe(204);
    await stream.done;
    expect((await slow).status).toBe(204);
    for (const world of [a, b]) {
      expect((await world.post('/mcp/ok', { id: 1, method: 'ping' }, session)).status).toBe(404);
      expect((await world.post('/mcp/ok', { id: 1, method: 'ping' }, other)).status).toBe(200);
    }
  });

  test('somebody else cannot', async () => {
    const { a, b } = await two(servers());
    const session = await open(a, '/mcp/ok');
    const headers = { ...session, ...as('bob@acme.com') };
    expect((await fetch(`${b.url}/mcp/ok`, { method: 'DELETE', headers })).status).toBe(404);
    expect((await a.post('/mcp/ok', { id: 1, method: 'ping' }, session)).status).toBe(200);
  });
});

describe('the log level of a session', () => {
  test('counts in every process, whenever that started', async () => {
    const { node } = installation(pictureWith(servers()));
    const a = await node();
    const b = await node();
    const session = await open(a, '/mcp/progress');
    const logged = async (world: World) => {
      const call = reading(await world.post('/mcp/progress', tool('work', { steps: 2 }, 1, 't'), session));
      await call.done;
      return methodsOf(call.messages).filter((method) => method === 'notifications/message').length;
    };
    expect(await logged(b)).toBe(2);
    expect(await a.ask('/mcp/progress', 'logging/setLevel', { level: 'error' }, session)).toHaveProperty(
      'result',
    );
    await expect.poll(() => logged(b)).toBe(0);
    const later = await node();
    await expect.poll(() => logged(later)).toBe(0);
  });
});

describe('what a server keeps for one session', () => {
  const echo = (world: World, session: Record<string, string>, server = 'own') =>
    world.post(`/mcp/${server}`, tool('echo', { text: 'x' }), session);

  test('is in one process: another answers that the session is over, so that the client begins again', async () => {
    const { a, b } = await two(servers());
    const session = await open(a);
    expect((await echo(b, session)).status).toBe(200);
    expect((await echo(b, session)).status).toBe(200);
    await expect.poll(async () => (await echo(a, session)).status).toBe(404);
    // Everything else of the session goes on in both.
    expect((await echo(a, session, 'ok')).status).toBe(200);
    expect((await echo(b, session, 'ok')).status).toBe(200);
    expect((await echo(a, await open(a))).status).toBe(200);
  });

  test('is where the session followed a resource of it, as if it had called a tool', async () => {
    const { a, b } = await two(servers());
    const session = await open(a);
    const subscribe = (world: World) =>
      world.post('/mcp/own', { id: 1, method: 'resources/subscribe', params: { uri: 'x://1' } }, session);
    expect(await (await subscribe(b)).json()).toMatchObject({ result: {} });
    await expect.poll(async () => (await subscribe(a)).status).toBe(404);
    expect((await echo(a, session)).status).toBe(404);
    expect((await echo(b, session)).status).toBe(200);
  });

  test('is not begun anew where the stream of a session is that follows a resource of it', async () => {
    const { a, b } = await two({ own: servers().own });
    const session = await open(a);
    const follow = { id: 1, method: 'resources/subscribe', params: { uri: 'x://1' } };
    expect((await b.post('/mcp/own', follow, session)).status).toBe(200);
    await expect.poll(async () => (await echo(a, session)).status).toBe(404);
    const before = a.gateway.counts().connections;
    reading(await get(a, '/mcp/own', session));
    await expect.poll(() => a.gateway.counts().subscribers).toBe(1);
    expect((await echo(a, session)).status).toBe(404);
    expect(a.gateway.counts().connections).toBe(before);
  });

  test('is gone with its process, as far as one that started later can know', async () => {
    const { node } = installation(pictureWith(servers()));
    const session = await open(await node());
    const began = Date.now();
    await expect.poll(() => Date.now() - began).toBeGreaterThan(1);
    const later = await node();
    expect((await echo(later, session)).status).toBe(404);
    expect((await echo(later, session, 'own-http')).status).toBe(200);
    expect((await echo(later, await open(later))).status).toBe(200);
  });
});

test('a hundred calls through two processes cost a server one initialize in each', async () => {
  const counting = await startUpstream({ tools: {} }, toolsNamed(['one']));
  const { a, b } = await two({ counted: { type: 'http', url: counting.url } });
  const session = await open(a, '/mcp/counted');
  for (let at = 0; at < 100; at++) {
    const world = at % 2 === 0 ? a : b;
    const { result } = await world.ask('/mcp/counted', 'tools/call', { name: 'one' }, session);
    expect(result).toBeDefined();
  }
  expect(counting.seen.filter(({ method }) => method === 'initialize')).toHaveLength(2);
  expect(counting.seen.filter(({ method }) => method === 'tools/call')).toHaveLength(100);
});
