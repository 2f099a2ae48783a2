import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type HostileHttp, startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { get, open, reading, tool, two, type World } from '../../../test/installation.ts';

let http: HostileHttp;
beforeAll(async () => {
  http = await startHostileHttp();
});
afterAll(() => http.close());

const servers = () => ({ progress: { type: 'http', url: http.url('progress') } });

describe('a stream that is taken up again at another process', () => {
  /** A call at `a` whose client has lost the connection after a few events. */
  async function lose(a: World, steps: number) {
    const session = await open(a, '/mcp/progress');
    const leaving = new AbortController();
    const response = await fetch(`${a.url}/mcp/progress`, {
      method: 'POST',
      headers: { ...session, 'content-type': 'application/json' },
      body: JSON.stringify({ jsonrpc: '2.0', ...tool('work', { steps }, 'the one', 'token') }),
      signal: leaving.signal,
    });
    const first = reading(response);
    await expect.poll(() => first.messages.length).toBeGreaterThan(3);
    leaving.abort();
    await first.done;
    return { session, first };
  }

  test('says what was missed and what comes, each once and in order, to the response', async () => {
    const { a, b } = await two(servers());
    const { session, first } = await lose(a, 150);
    const rest = reading(await get(b, '/mcp/progress', { ...session, 'last-event-id': first.lastId }));
    await rest.done;
    const all = [...first.messages, ...rest.messages];
    const progress = all.flatMap(({ params }) => (params?.progress === undefined ? [] : [params.progress]));
    expect(progress).toEqual(Array.from({ length: 150 }, (_, at) => at + 1));
    expect(all.at(-1)).toMatchObject({ id: 'the one', result: { content: [{ text: '150 steps' }] } });
    expect(rest.messages.filter(({ id }) => id === 'the one')).toHaveLength(1);
  });

  test('also when it is over already', async () => {
    const { a, b } = await two(servers());
    const { session, first } = await lose(a, 20);
    const again = async () => {
      const rest = reading(await get(b, '/mcp/progress', { ...session, 'last-event-id': first.lastId }));
      await rest.done;
      return rest.messages;
    };
    const messages = await again();
    expect(messages.at(-1)).toMatchObject({ id: 'the one', result: {} });
    expect(await again()).toEqual(messages);
  });

  test('is nobody else’s, whatever they have seen of it', async () => {
    const { a, b } = await two(servers());
    const { first } = await lose(a, 150);
    for (const email of ['alice@acme.com', 'bob@acme.com']) {
      const session = await open(b, '/mcp/progress', email);
      for (const world of [a, b]) {
        const stolen = reading(
          await get(world, '/mcp/progress', { ...session, 'last-event-id': first.lastId }),
        );
        await stolen.done;
        expect(stolen.messages).toEqual([
          expect.objectContaining({ id: 'the one', error: expect.anything() }),
        ]);
      }
    }
  });

  test('ends with the credential of its caller, wherever it is read', async () => {
    const { a, b } = await two(servers());
    const { session, first } = await lose(a, 100_000);
    for (const world of [a, b]) {
      const headers = { ...session, 'last-event-id': first.lastId };
      const rest = reading(await get(world, '/mcp/progress', headers));
      await expect.poll(() => rest.messages.length).toBeGreaterThan(0);
      world.revoke('alice@acme.com');
      world.gateway.gate.hub.recheck();
      await rest.done;
      expect(rest.messages.filter(({ id }) => id === 'the one')).toEqual([]);
    }
  });

  test('that nobody holds any more ends with an error for its request', async () => {
    const { a, b, cut } = await two(servers());
    const { session, first } = await lose(a, 150);
    cut();
    const rest = reading(await get(b, '/mcp/progress', { ...session, 'last-event-id': first.lastId }));
    await rest.done;
    expect(rest.messages).toEqual([
      { jsonrpc: '2.0', id: 'the one', error: { code: 1503, message: expect.stringMatching(/again/) } },
    ]);
  });
});
