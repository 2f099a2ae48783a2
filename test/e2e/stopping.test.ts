// How a process stops: what it was doing comes to its end, and whoever only listened is sent elsewhere.
import { once } from 'node:events';
import { Agent, get } from 'node:http';
import { connect } from 'node:net';
import { afterAll, expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { ask, bearer, closeLater, listenModern, openSession, postModern, textOf } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const upstream = await startHostileHttp();
afterAll(() => upstream.close());

async function gateWith(
  env: Record<string, string> = {},
): Promise<{ gate: Gate; token: string; url: string }> {
  const gate = await startGate({
    config: configOf({ plain: { type: 'http', url: upstream.url('ok') } }),
    env,
  });
  return { gate, token: await gate.tokenFor('alice@acme.com'), url: `${gate.url}/mcp/plain` };
}

/** A call that its server answers after a while; resolves once the server has it. */
async function slowCall(raw: { url: string; token: string }, ms: number) {
  const before = upstream.stats('ok').counts['tools/call'] ?? 0;
  const answer = postModern(raw, 'tools/call', { name: 'slow', arguments: { ms } });
  await eventually(
    'the server has the call',
    () => (upstream.stats('ok').counts['tools/call'] ?? 0) > before,
  );
  return { answer };
}

const refusesConnections = (gate: Gate) =>
  eventually('nobody new is let in', async () => {
    const socket = connect(Number(new URL(gate.url).port), '127.0.0.1');
    try {
      await once(socket, 'connect');
      return false;
    } catch {
      return true; // Refused, as it should be.
    } finally {
      socket.destroy();
    }
  });

test('a call under way is answered, on a connection that then ends, and nobody new is let in', async () => {
  const { gate, token, url } = await gateWith();
  const slow = await slowCall({ url, token }, 1_500);
  const ended = gate.kill('SIGTERM');
  await refusesConnections(gate);
  const response = await slow.answer;
  expect([response.status, response.headers.get('connection')]).toEqual([200, 'close']);
  expect(textOf(((await response.json()) as { result: unknown }).result).isError).toBe(false);
  expect(await ended).toEqual({ code: 0, signal: null });
});

test('a connection that is kept alive serves one more request, and says that it ends', async () => {
  const { gate, token, url } = await gateWith();
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const ready = async () => {
    const request = get(`${gate.url}/gateway/ready`, { agent });
    const [response] = await once(request, 'response');
    response.resume();
    await once(response, 'end');
    return [response.statusCode, response.headers.connection];
  };
  expect(await ready()).toEqual([200, 'keep-alive']);
  // Something that keeps the process, so that the request comes in time on any machine.
  const slow = await slowCall({ url, token }, 1_500);
  const ended = gate.kill('SIGTERM');
  await eventually('it knows', () => gate.logs().includes('shutting down'));
  expect(await ready()).toEqual([503, 'close']);
  await (await slow.answer).text();
  expect((await ended).code).toBe(0);
  agent.destroy();
});

test('streams of both eras end with the time after which to come back', async () => {
  const { gate, token, url } = await gateWith();
  const session = await openSession(url, token);
  const legacy = await fetch(url, {
    headers: {
      ...bearer(token),
      accept: 'text/event-stream',
      'mcp-session-id': session.session,
      'mcp-protocol-version': '2025-11-25',
    },
  });
  const modern = await listenModern({ url, token }, { toolsListChanged: true });
  const ended = gate.kill('SIGTERM');
  expect(await legacy.text()).toMatch(/\nretry: \d+\n: .+\n\n$/);
  await eventually('the other one has ended', () => modern.ended());
  expect(modern.messages.at(-1)).toMatchObject({ id: 'listen', result: { resultType: 'complete' } });
  expect((await ended).code).toBe(0);
});

test('a stream of the older transport ends after the answers that it owes', async () => {
  const { gate, token } = await gateWith();
  const stream = await fetch(`${gate.url}/sse/plain`, { headers: bearer(token) });
  let heard = '';
  const reading = (async () => {
    for await (const part of stream.body ?? []) heard += Buffer.from(part).toString();
  })();
  const endpoint = await eventually('the endpoint', () => /data: (\/\S+)/.exec(heard)?.[1]);
  const raw = { url: gate.url + endpoint, token };
  const say = (message: object) =>
    fetch(raw.url, {
      method: 'POST',
      headers: { ...bearer(token), 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', ...message }),
    });
  const params = {
    protocolVersion: '2024-11-05',
    capabilities: {},
    clientInfo: { name: 'raw', version: '1' },
  };
  await say({ id: 1, method: 'initialize', params });
  await eventually('it is known', () => heard.includes('"id":1'));
  const before = upstream.stats('ok').counts['tools/call'] ?? 0;
  await say({ id: 2, method: 'tools/call', params: { name: 'slow', arguments: { ms: 1_500 } } });
  await eventually(
    'the server has the call',
    () => (upstream.stats('ok').counts['tools/call'] ?? 0) > before,
  );
  const ended = gate.kill('SIGTERM');
  await reading;
  expect(heard).toMatch(/"id":2[\s\S]*\nretry: \d+\n/);
  expect((await ended).code).toBe(0);
});

test('a call that takes longer than there is time is answered with a sentence', async () => {
  const { gate, token, url } = await gateWith({ SHUTDOWN_SECONDS: '4' });
  const slow = await slowCall({ url, token }, 120_000);
  const ended = gate.kill('SIGTERM');
  const { result } = (await (await slow.answer).json()) as { result: unknown };
  expect(textOf(result)).toEqual({ text: expect.stringMatching(/\.$/), isError: true });
  expect((await ended).code).toBe(0);
});

test('a second interrupt ends it at once, whatever is under way', async () => {
  const { gate, token, url } = await gateWith({ SHUTDOWN_SECONDS: '3600' });
  const slow = await slowCall({ url, token }, 120_000);
  const lost = slow.answer.then(
    () => 'answered',
    () => 'lost',
  );
  process.kill(gate.pid, 'SIGINT');
  await eventually('it is on its way', () => gate.logs().includes('shutting down'));
  expect(await gate.kill('SIGINT')).toEqual({ code: 130, signal: null });
  expect(await lost).toBe('lost');
});

test('a client that reads nothing does not keep it', async () => {
  const { gate, token, url } = await gateWith({ SHUTDOWN_SECONDS: '4' });
  await ask({ url, token }, 'tools/list');
  const socket = closeLater({
    socket: connect(Number(new URL(gate.url).port), '127.0.0.1'),
    async close() {
      this.socket.destroy();
    },
  }).socket;
  socket.on('error', () => undefined);
  socket.write('POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{');
  await once(socket, 'connect');
  expect((await gate.kill('SIGTERM')).code).toBe(0);
});
