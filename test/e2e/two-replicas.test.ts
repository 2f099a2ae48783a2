// Two programs with one database behind a proxy that sends each request to the other one.
import { randomBytes } from 'node:crypto';
import { ElicitRequestSchema } from '@modelcontextprotocol/sdk/types.js';
import { Client as ModernClient, StreamableHTTPClientTransport } from '@modelcontextprotocol/client';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type AskingServer, startLegacyAsking } from '../fakes/asking-servers.ts';
import { startConformanceServer } from '../fakes/conformance-server.ts';
import { type HostileHttp, startHostileHttp } from '../fakes/hostile-http.ts';
import { testRedisUrl } from '../redis.ts';
import { type RoundRobin, startRoundRobin } from '../round-robin.ts';
import { ask, bearer, clientV1, closeLater, listenLegacy, openSession, post, textOf } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const ways: Readonly<Record<string, () => Promise<Record<string, string>>>> = {
  PostgreSQL: async () => ({}),
  Redis: async () => ({ REDIS_URL: await testRedisUrl() }),
};

describe.each(Object.entries(ways))('two replicas that talk through %s', (_name, environment) => {
  let http: HostileHttp;
  let asking: AskingServer;
  let conformance: { url: string; close(): Promise<void> };
  let replicas: readonly [Gate, Gate];
  let proxy: RoundRobin;
  let token = '';

  beforeAll(async () => {
    http = await startHostileHttp();
    asking = await startLegacyAsking();
    conformance = await startConformanceServer({ era: 'legacy' });
    const config = configOf({
      plain: { type: 'http', url: http.url('ok') },
      counted: { type: 'http', url: http.url('counts-sessions') },
      progress: { type: 'http', url: http.url('progress') },
      asking: { type: 'http', url: asking.url },
      conformance: { type: 'http', url: conformance.url },
    });
    const shared = {
      ...(await environment()),
      TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64'),
      TOOLGATE_ADMIN_TOKEN: randomBytes(32).toString('hex'),
    };
    const a = await startGate({ config, env: shared });
    const b = await startGate({ config, env: { ...shared, DATABASE_URL: a.databaseUrl ?? '' } });
    replicas = [a, b];
    proxy = await startRoundRobin([a.url, b.url]);
    token = await a.tokenFor('alice@acme.com');
    const knowsIt = async () => (await ask({ url: `${b.url}/mcp`, token }, 'ping')).status === 200;
    await eventually('the second one knows the token', knowsIt);
  }, 120_000);

  afterAll(async () => {
    await proxy?.close();
    for (const part of [http, asking, conformance]) await part?.close();
  });

  const at = (server: string) => `${proxy.url}/mcp/${server}`;

  test('serve one legacy session in turn, with one initialize each', async () => {
    proxy.pin(undefined);
    const client = await clientV1(at('counted'), token);
    const before = [...proxy.served];
    for (let n = 0; n < 40; n++) {
      const result = await client.callTool({ name: 'echo', arguments: { text: `${n}` } });
      expect(textOf(result)).toEqual({ text: `${n}`, isError: false });
    }
    for (const [n, served] of proxy.served.entries()) expect(served - (before[n] ?? 0)).toBeGreaterThan(15);
    expect(http.stats('counts-sessions').counts['initialize']).toBe(2);
  });

  test('pass what a person answered to the call that asked', async () => {
    const client = await clientV1(at('asking'), token, { elicitation: {} });
    client.setRequestHandler(ElicitRequestSchema, () => {
      proxy.pin(1);
      return { action: 'accept', content: { name: 'Ann' } };
    });
    proxy.pin(0);
    const result = await client.callTool({ name: 'ask_steps', arguments: {} });
    expect(textOf(result).text.match(/Ann/g)).toHaveLength(2);
  });

  test('cancel a call through the other one', async () => {
    const client = await clientV1(at('plain'), token);
    proxy.pin(0);
    const before = http.stats('ok').counts;
    const cancel = new AbortController();
    const slow = client.callTool({ name: 'slow', arguments: { ms: 60_000 } }, undefined, {
      signal: cancel.signal,
    });
    await eventually(
      'the call',
      () => (http.stats('ok').counts['tools/call'] ?? 0) > (before['tools/call'] ?? 0),
    );
    proxy.pin(1);
    cancel.abort('enough');
    await expect(slow).rejects.toThrow();
    const cancelled = 'notifications/cancelled';
    await eventually(
      'it is cancelled',
      () => (http.stats('ok').counts[cancelled] ?? 0) > (before[cancelled] ?? 0),
    );
  });

  test('end a session in both', async () => {
    proxy.pin(0);
    const session = await openSession(at('plain'), token);
    const stream = await listenLegacy(session);
    proxy.pin(1);
    const headers = { ...bearer(token), 'mcp-session-id': session.session };
    expect((await fetch(session.url, { method: 'DELETE', headers })).status).toBe(204);
    await eventually('its stream is over', () => stream.ended());
    for (const replica of [0, 1]) {
      proxy.pin(replica);
      expect((await post(session, { jsonrpc: '2.0', id: 1, method: 'ping' })).status).toBe(404);
    }
  });

  test('take a lost stream up again at the other one', async () => {
    proxy.pin(0);
    const session = await openSession(at('progress'), token);
    const leaving = new AbortController();
    const params = { name: 'work', arguments: { steps: 200 }, _meta: { progressToken: 't' } };
    const response = await post(
      session,
      { jsonrpc: '2.0', id: 7, method: 'tools/call', params },
      leaving.signal,
    );
    let seen = '';
    const read = async () => {
      for await (const chunk of response.body?.pipeThrough(new TextDecoderStream()) ?? []) {
        seen += chunk;
        if (seen.split('\n\n').length > 10) leaving.abort();
      }
    };
    await read().catch(() => undefined); // Cut by ourselves.
    const whole = seen.slice(0, seen.lastIndexOf('\n\n') + 2);
    const lastId = [...whole.matchAll(/^id: (.+)$/gm)].at(-1)?.[1] ?? '';
    proxy.pin(1);
    const rest = await fetch(session.url, {
      headers: {
        ...bearer(token),
        accept: 'text/event-stream',
        'mcp-session-id': session.session,
        'last-event-id': lastId,
      },
    });
    const text = whole + (await rest.text());
    const steps = [...text.matchAll(/"progress":(\d+)/g)].map(([, step]) => Number(step));
    expect(steps).toEqual(Array.from({ length: 200 }, (_, n) => n + 1));
    expect(text).toContain('200 steps');
  });

  test('continue a call that a modern client’s person was asked about in the other one', async () => {
    const client = new ModernClient(
      { name: 'e2e', version: '1' },
      { capabilities: { elicitation: { form: {} } }, versionNegotiation: { mode: { pin: '2026-07-28' } } },
    );
    client.setRequestHandler('elicitation/create', () => {
      proxy.pin(1);
      return { action: 'accept', content: { name: 'Ann' } };
    });
    proxy.pin(0);
    const requestInit = { headers: bearer(token) };
    await client.connect(new StreamableHTTPClientTransport(new URL(at('asking')), { requestInit }));
    closeLater(client);
    const before = asking.calls.length;
    const result = await client.callTool({ name: 'ask_form', arguments: {} });
    expect(textOf(result).text).toContain('Ann');
    expect(asking.calls.slice(before)).toEqual(['ask_form']);
  });

  test('show lists, prompts and resources of a conformant server alike', async () => {
    proxy.pin(undefined);
    const client = await clientV1(at('conformance'), token);
    const lists = [];
    for (let n = 0; n < 4; n++)
      lists.push([await client.listTools(), await client.listPrompts(), await client.listResources()]);
    for (const list of lists) expect(list).toEqual(lists[0]);
  });

  test('one is killed: no call to a server over HTTP fails', async () => {
    proxy.pin(0);
    const clients = await Promise.all(Array.from({ length: 8 }, () => clientV1(at('plain'), token)));
    proxy.pin(undefined);
    let calls = 0;
    let isOver = false;
    const failed: unknown[] = [];
    const load = clients.map(async (client, who) => {
      for (let n = 0; !isOver; n++) {
        const text = `${who}-${n}`;
        const result = await client
          .callTool({ name: 'echo', arguments: { text } })
          .catch((error: unknown) => error);
        if (result instanceof Error || textOf(result).text !== text) failed.push(result);
        calls++;
      }
    });
    await eventually('load', () => calls > 200, 60);
    await replicas[0].kill('SIGKILL');
    const soFar = calls;
    await eventually('more calls', () => calls > soFar + 400, 60);
    isOver = true;
    await Promise.all(load);
    expect(failed).toEqual([]);
    for (const client of clients) expect((await client.listTools()).tools.length).toBeGreaterThan(0);
    expect(replicas[1].logs()).not.toMatch(/"level":"(error|fatal)"/);
  }, 150_000);
});
