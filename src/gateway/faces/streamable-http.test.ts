import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { as, gatewayWorld, type Picture } from '../../../test/gateway-world.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

function picture(): Picture {
  return {
    servers: {
      ok: { type: 'http', url: http.url('ok'), timeoutMs: 5_000 },
      progress: { type: 'http', url: http.url('progress'), timeoutMs: 5_000 },
      asks: { type: 'http', url: http.url('asks'), timeoutMs: 5_000 },
    },
    groups: {
      all: { servers: ['ok', 'progress', 'asks'] },
      'Tenant-a': { tenant: 'a', servers: ['ok'] },
    },
    tenants: { a: {} },
    users: {
      'alice@acme.com': { groups: ['all'] },
      'bob@acme.com': { groups: ['all', 'Tenant-a'] },
    },
  };
}

type World = Awaited<ReturnType<typeof gatewayWorld>>;

async function open(
  world: World,
  path: string,
  more: { email?: string; capabilities?: object; version?: string } = {},
) {
  const { email = 'alice@acme.com', capabilities = {}, version = '2025-11-25' } = more;
  const params = { protocolVersion: version, capabilities, clientInfo: { name: 't', version: '1' } };
  const response = await world.post(path, { id: 0, method: 'initialize', params }, as(email));
  expect(await response.json()).toMatchObject({ result: { protocolVersion: version } });
  return { ...as(email), 'mcp-session-id': response.headers.get('mcp-session-id')! };
}

/** The events of a stream as they come. */
async function* events(response: Response): AsyncGenerator<{ id?: string; data: string }> {
  let text = '';
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let at = text.indexOf('\n\n'); at >= 0; at = text.indexOf('\n\n')) {
      const lines = text.slice(0, at).split('\n');
      text = text.slice(at + 2);
      const of = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
      const [id, data] = [of('id'), of('data')];
      if (data !== undefined) yield id === undefined ? { data } : { id, data };
    }
  }
}

const call = (id: number, name: string, args: object, token?: string) => ({
  id,
  method: 'tools/call',
  params: { name, arguments: args, ...(token !== undefined && { _meta: { progressToken: token } }) },
});

describe('a session', () => {
  test('is its owner’s alone, and over when it is ended', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/ok');
    const list = (headers: Record<string, string>) =>
      world.post('/mcp/ok', { id: 1, method: 'tools/list' }, headers);
    expect((await list(session)).status).toBe(200);
    expect((await list({ ...session, ...as('bob@acme.com') })).status).toBe(404);
    const end = () => fetch(`${world.url}/mcp/ok`, { method: 'DELETE', headers: session });
    expect(
      (
        await fetch(`${world.url}/mcp/ok`, {
          method: 'DELETE',
          headers: { ...session, ...as('bob@acme.com') },
        })
      ).status,
    ).toBe(404);
    expect((await end()).status).toBe(204);
    expect((await list(session)).status).toBe(404);
    expect((await end()).status).toBe(404);
  });

  test('belongs to the legacy era: a modern request has none, and no standalone stream', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/ok');
    const headers = { ...session, 'mcp-protocol-version': '2026-07-28' };
    expect((await fetch(`${world.url}/mcp/ok`, { headers })).status).toBe(405);
    expect((await fetch(`${world.url}/mcp/ok`, { headers: as('alice@acme.com') })).status).toBe(405);
  });
});

describe('the stream of a call', () => {
  test('says what comes before the result, then the result', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/progress');
    const response = await world.post('/mcp/progress', call(1, 'work', { steps: 2 }, 'mine'), session);
    const seen: string[] = [];
    for await (const { data } of events(response))
      if (data !== '') seen.push(JSON.parse(data).method ?? 'result');
    expect(seen).toEqual([
      'notifications/progress',
      'notifications/message',
      'notifications/progress',
      'notifications/message',
      'result',
    ]);
  });

  test('is found again by a client that lost it, and by nobody else', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/progress');
    const lost = new AbortController();
    const response = await fetch(`${world.url}/mcp/progress`, {
      method: 'POST',
      headers: { ...session, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', ...call(1, 'work', { steps: 40 }, 'mine') }),
      signal: lost.signal,
    });
    let last = '';
    for await (const { id } of events(response)) {
      last = id!;
      if (last.endsWith('_3')) break;
    }
    lost.abort();
    const back = { ...session, 'last-event-id': last };
    expect(
      (await fetch(`${world.url}/mcp/progress`, { headers: { ...back, ...as('bob@acme.com') } })).status,
    ).toBe(404);
    const rest: string[] = [];
    for await (const { id } of events(await fetch(`${world.url}/mcp/progress`, { headers: back })))
      rest.push(id!);
    const stream = last.slice(0, -2);
    expect(rest).toEqual(Array.from({ length: 78 }, (_, n) => `${stream}_${n + 4}`));
  });

  test('ends when the client cancels, and the server is told', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/progress');
    const response = await world.post('/mcp/progress', call(7, 'work', { steps: 100_000 }, 'mine'), session);
    const stream = events(response);
    await stream.next();
    const cancel = { method: 'notifications/cancelled', params: { requestId: 7 } };
    expect((await world.post('/mcp/progress', cancel, session)).status).toBe(202);
    let last = '';
    for await (const { data } of stream) last = data;
    expect(last).not.toContain('"result"');
    await expect.poll(() => world.records.at(-1)).toMatchObject({ outcome: 'cancelled', tool: 'work' });
    await expect.poll(() => http.stats('progress').counts['notifications/cancelled']).toBe(1);
  });

  test('ends with the credential of its caller, and the server is told', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/progress');
    const before = http.stats('progress').counts['notifications/cancelled'] ?? 0;
    const response = await world.post('/mcp/progress', call(7, 'work', { steps: 100_000 }, 'mine'), session);
    const stream = events(response);
    await stream.next();
    world.change({ ...picture(), users: { 'alice@acme.com': { disabled: true } } });
    for await (const { data } of stream) expect(data).not.toContain('"result"');
    await expect.poll(() => http.stats('progress').counts['notifications/cancelled']).toBe(before + 1);
  });

  test('is not ended by the cancellation of another session', async () => {
    const world = await gatewayWorld(picture());
    const [mine, other] = [
      await open(world, '/mcp/ok'),
      await open(world, '/mcp/ok', { email: 'bob@acme.com' }),
    ];
    const answer = world.post('/mcp/ok', call(7, 'slow', { ms: 200 }), mine);
    await expect.poll(() => http.stats('ok').counts['tools/call']).toBeGreaterThan(0);
    await world.post('/mcp/ok', { method: 'notifications/cancelled', params: { requestId: 7 } }, other);
    expect(await (await answer).json()).toMatchObject({ result: { content: [{ text: 'done' }] } });
  });

  test.each([
    ['was disabled', { users: { 'alice@acme.com': { disabled: true } } }, 403],
    ['may not see the server any more', { groups: {} }, 404],
  ])('is not ended by what a client says that %s', async (_what, change, status) => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/ok');
    const before = http.stats('ok').counts['tools/call'] ?? 0;
    const answer = world.post('/mcp/ok', call(7, 'slow', { ms: 300 }), session);
    await expect.poll(() => http.stats('ok').counts['tools/call']).toBe(before + 1);
    world.change({ ...picture(), ...change });
    const cancel = { method: 'notifications/cancelled', params: { requestId: 7 } };
    expect((await world.post('/mcp/ok', cancel, session)).status).toBe(status);
    expect(await (await answer).json()).toMatchObject({ result: { content: [{ text: 'done' }] } });
  });

  test('carries a server’s question to the client, whose answer only the same session can give', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp/asks', { capabilities: { elicitation: {} } });
    const other = await open(world, '/mcp/asks', {
      email: 'bob@acme.com',
      capabilities: { elicitation: {} },
    });
    const response = await world.post('/mcp/asks', call(1, 'ask_elicit', {}), session);
    let answer = '';
    for await (const { data } of events(response)) {
      if (data === '') continue;
      const message = JSON.parse(data) as { id: unknown; method?: string };
      if (message.method === undefined) answer = data;
      else {
        const result = (name: string) => ({
          id: message.id,
          result: { action: 'accept', content: { name } },
        });
        await world.post('/mcp/asks', result('Mallory'), other);
        await world.post('/mcp/asks', result('Ann'), session);
      }
    }
    expect(answer).toContain('Ann');
    expect(answer).not.toContain('Mallory');
  });
});

describe('the standalone stream', () => {
  const listen = async (world: World, path: string, headers: Record<string, string>) => {
    const response = await fetch(`${world.url}${path}`, { headers });
    expect(response.status).toBe(200);
    const heard: string[] = [];
    const over = (async () => {
      for await (const { data } of events(response))
        heard.push((JSON.parse(data) as { method: string }).method);
    })();
    return { heard, over };
  };

  test('hears of rights that change, and ends with the credential', async () => {
    const world = await gatewayWorld(picture());
    const { heard, over } = await listen(world, '/mcp', await open(world, '/mcp'));
    expect(world.gateway.counts().subscribers).toBe(1);
    world.change({ ...picture(), groups: { ...picture().groups, all: { servers: ['ok'] } } });
    await expect.poll(() => heard).toContain('notifications/tools/list_changed');
    world.revoke('alice@acme.com');
    world.change(picture());
    await over;
    expect(world.gateway.counts().subscribers).toBe(0);
  });

  test('ends when its user leaves the tenant that it was opened in', async () => {
    const world = await gatewayWorld(picture());
    const { over } = await listen(
      world,
      '/t/a/mcp',
      await open(world, '/t/a/mcp', { email: 'bob@acme.com' }),
    );
    const users = { ...picture().users, 'bob@acme.com': { groups: ['all'] } };
    world.change({ ...picture(), users });
    await over;
    expect(world.gateway.counts().subscribers).toBe(0);
  });

  test('is one for each session: the next takes the place of the first', async () => {
    const world = await gatewayWorld(picture());
    const session = await open(world, '/mcp');
    const first = await listen(world, '/mcp', session);
    await listen(world, '/mcp', session);
    await first.over;
    await expect.poll(() => world.gateway.counts().subscribers).toBe(1);
  });
});

test('servers that cannot be reached are named once, whatever the picture, until they are back or gone', async () => {
  const dead = { type: 'http', url: 'http://127.0.0.1:1/mcp' };
  const groups = { all: { servers: ['dead', 'ok'] } };
  const users = { 'alice@acme.com': { groups: ['all'] } };
  const ok = { type: 'http', url: http.url('ok') };
  const world = await gatewayWorld({ servers: { dead, ok }, groups, users });
  for (const capabilities of [{}, { roots: {} }]) {
    const session = await open(world, '/mcp/dead', { capabilities });
    await world.post('/mcp/dead', { id: 1, method: 'tools/list' }, session);
  }
  const named = () => world.gateway.unreachable().map(({ server }) => server);
  expect(named()).toEqual(['dead']);
  world.change({ servers: { dead, ok }, groups, users, tenants: { a: {} } });
  expect(named()).toEqual(['dead']);
  world.change({ servers: { ok }, groups: {}, users });
  expect(named()).toEqual([]);
});
