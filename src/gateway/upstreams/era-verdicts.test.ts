import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { afterEach, describe, expect, test } from 'vitest';
import { readMessage } from '../../../test/fakes/hostile/http-wire.ts';
import { startHostileSse } from '../../../test/fakes/hostile-sse.ts';
import { listenOnLoopback } from '../../../test/fakes/loopback.ts';
import { pictureOf } from '../../../test/gateway-world.ts';
import { failureOf } from '../../../test/upstream-world.ts';
import { createLog } from '../../platform/log.ts';
import { createNetGuard } from '../../platform/net-guard.ts';
import type { Era } from '../rpc/protocol.ts';
import { type Connection, UpstreamPool } from './pool.ts';
import { makeTarget } from './target.ts';

const closing: { close(): Promise<void> }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

/** A server that may be replaced behind its address, or fall silent. */
async function changingServer(first: Era | 'silent' | 'silent to discover') {
  const state = { mode: first, seen: [] as string[], session: '' };
  const serve = async (incoming: IncomingMessage, response: ServerResponse) => {
    if (incoming.method !== 'POST') return void response.writeHead(405).end();
    const { request, message } = await readMessage(incoming);
    const {
      id = null,
      method,
      params,
    } = request ?? { id: undefined, method: String(message['method']), params: {} };
    state.seen.push(`${state.mode} ${method}`);
    const answer = (status: number, body: object) => {
      response.writeHead(status, { 'Content-Type': 'application/json' });
      response.end(JSON.stringify({ jsonrpc: '2.0', id, ...body }));
    };
    const silent =
      state.mode === 'silent' || (state.mode === 'silent to discover' && method === 'server/discover');
    if (silent) return;
    if (!request) return void response.writeHead(202).end();
    const content = [{ type: 'text', text: state.mode }];
    if (state.mode === 'modern') {
      const isModern = JSON.stringify(params ?? {}).includes('2026-07-28');
      if (!isModern) return answer(400, { error: { code: -32022, message: 'Unsupported', data: {} } });
      if (method === 'server/discover')
        return answer(200, { result: { supportedVersions: ['2026-07-28'], capabilities: { tools: {} } } });
      return answer(200, { result: { resultType: 'complete', content } });
    }
    if (method === 'initialize') {
      state.session = randomUUID();
      response.setHeader('Mcp-Session-Id', state.session);
      return answer(200, { result: { protocolVersion: '2025-11-25', capabilities: { tools: {} } } });
    }
    const session = incoming.headers['mcp-session-id'];
    if (session === undefined)
      return answer(400, { error: { code: -32000, message: 'Session ID required' } });
    if (session !== state.session)
      return answer(404, { error: { code: -32001, message: 'Session not found' } });
    return answer(200, { result: { content } });
  };
  const http = await listenOnLoopback((incoming, response) => void serve(incoming, response));
  closing.push(http);
  return { ...state, state, url: `${http.origin}/mcp` };
}

function poolOf(url: string, definition: object = {}) {
  let now = 1_000_000;
  const pool = new UpstreamPool({
    log: createLog('silent'),
    clock: () => now,
    netGuard: createNetGuard({ allow: [] }),
    projectDir: process.cwd(),
    ...{ mayRun: () => true, runner: undefined, ownDirectories: process.cwd() },
    around: { env: {}, directory: process.cwd() },
    limits: () => ({ connections: 100, processes: 10, idleMs: 300_000 }),
    onUnsolicited: () => undefined,
    onGap: () => undefined,
  });
  closing.push(pool);
  const server = pictureOf({
    servers: { it: { type: 'http', url, timeoutMs: 2_000, ...definition } },
  }).servers.get('it')!;
  const target = makeTarget(server, { principal: 'x', tenant: null, session: null }, undefined, new Map());
  /** A call in the era that the connection speaks; the text of its answer. */
  const call = async (prefer: Era): Promise<string> => {
    const send = ({ upstream, hello }: Connection) =>
      upstream.request({
        method: 'tools/call',
        rawParams: hello.era === 'modern' ? '{"_meta":{"v":"2026-07-28"}}' : '{}',
        controller: new AbortController(),
        timeoutMs: 2_000,
      });
    const { response } = await pool.use(target, { prefer, capabilities: '{}' }, send);
    const content = response.result?.['content'] as { text: string }[] | undefined;
    return content?.[0]?.text ?? `error ${response.error?.code}`;
  };
  return { pool, target, call, pass: (ms: number) => (now += ms) };
}

describe('a server that changes sides', () => {
  test.each([
    ['legacy', 'modern'],
    ['modern', 'legacy'],
  ] as const)('from %s to %s is asked anew, and the call that found out goes through', async (from, to) => {
    const { state, url } = await changingServer(from);
    for (const prefer of ['legacy', 'modern'] as const) {
      state.mode = from;
      const { call, pool, target } = poolOf(url);
      expect(await call(prefer)).toBe(from);
      state.mode = to;
      expect(await call(prefer)).toBe(to);
      expect(pool.eraFor(target, prefer)).toBe(to);
      expect(pool.size).toBe(1);
    }
  });

  test('is not asked anew for every strange answer of one that has not', async () => {
    const { state, url } = await changingServer('modern');
    const { pool, target } = poolOf(url);
    const refusing = (connection: Connection) =>
      connection.upstream.request({
        method: 'tools/call',
        rawParams: '{}',
        controller: new AbortController(),
        timeoutMs: 2_000,
      });
    const asked = { prefer: 'modern', capabilities: '{}' } as const;
    for (let i = 0; i < 3; i++) {
      const { response } = await pool.use(target, asked, refusing);
      expect(response.error?.code).toBe(-32022);
    }
    // One to connect, one to make sure.
    expect(state.seen.filter((line) => line.endsWith('server/discover'))).toHaveLength(2);
  });
});

describe('a server that is silent', () => {
  test('costs its callers one deadline in all, and they hear why', async () => {
    const { state, url } = await changingServer('silent');
    const { pool, target, pass } = poolOf(url, { timeoutMs: 150 });
    const failures = await Promise.all(
      Array.from({ length: 5 }, () => failureOf(pool.connect(target, 'modern', '{}'))),
    );
    expect(new Set(failures)).toEqual(new Set(['timeout']));
    expect(await failureOf(pool.connect(target, 'modern', '{}'))).toBe('paused');
    expect(state.seen).toEqual(['silent server/discover']);
    expect(pool.eraFor(target, 'modern')).toBe('modern');
    state.mode = 'modern';
    pass(60_000);
    expect((await pool.connect(target, 'modern', '{}')).hello.era).toBe('modern');
  });

  test('lets a caller go who does not want to wait', async () => {
    const { url } = await changingServer('silent');
    const { pool, target } = poolOf(url);
    const controller = new AbortController();
    const connecting = pool.connect(target, 'modern', '{}', controller.signal);
    controller.abort(new Error('enough'));
    await expect(connecting).rejects.toThrow('enough');
  });

  test('in one era only is spoken to in the other, once it was met there', async () => {
    const { url } = await changingServer('silent to discover');
    const { pool, target } = poolOf(url, { timeoutMs: 1_000 });
    await pool.connect(target, 'legacy', '{}');
    expect((await pool.connect(target, 'modern', '{}')).hello.era).toBe('legacy');
    expect(pool.eraFor(target, 'modern')).toBe('legacy');
  });
});

test.each(['modern', 'legacy'] as const)(
  'a server of the first transport is found behind an address that is said to be streamable HTTP (%s)',
  async (prefer) => {
    const old = await startHostileSse();
    closing.push(old);
    const { pool, target } = poolOf(old.url('ok'));
    const { hello, upstream } = await pool.connect(target, prefer, '{}');
    expect(hello.era).toBe('legacy');
    const request = {
      method: 'tools/list',
      rawParams: undefined,
      controller: new AbortController(),
      timeoutMs: 2_000,
    };
    expect((await upstream.request(request)).result).toHaveProperty('tools');
    expect(await pool.connect(target, prefer, '{}')).toMatchObject({ upstream });
  },
);
