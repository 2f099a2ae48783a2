import { describe, expect, test } from 'vitest';
import { startUpstream, toolsNamed } from '../../../test/e2e/upstream.ts';
import { get, installation, methodsOf, open, pictureWith, reading, two } from '../../../test/installation.ts';

describe('news', () => {
  test('of lists that one process hears reach the clients of all', async () => {
    const upstream = await startUpstream({ tools: { listChanged: true } }, toolsNamed(['one']));
    const { node } = installation(pictureWith({ news: { type: 'http', url: upstream.url } }));
    const a = await node();
    await expect.poll(() => upstream.streams.size).toBe(1);
    const [toA] = upstream.streams;
    const b = await node();
    const session = await open(a, '/mcp/news');
    const stream = reading(await get(b, '/mcp/news', session));
    await expect.poll(() => b.gateway.counts().subscribers).toBe(1);
    const asked = () => upstream.seen.filter(({ method }) => method === 'tools/list').length;
    await expect.poll(asked).toBe(2);
    toA!.write('data: {"jsonrpc":"2.0","method":"notifications/tools/list_changed"}\n\n');
    await expect.poll(() => methodsOf(stream.messages)).toContain('notifications/tools/list_changed');
    await expect.poll(asked).toBe(4);
  });

  test('of resources reach the stream in one process after a subscription through another', async () => {
    const upstream = await startUpstream(
      { resources: { subscribe: true } },
      {
        'resources/list': () => ({ resources: [{ uri: 'x://1', name: 'one' }] }),
        'resources/subscribe': () => ({}),
        'resources/unsubscribe': () => ({}),
      },
    );
    const { a, b, cut } = await two({ files: { type: 'http', url: upstream.url } });
    const session = await open(a, '/mcp/files');
    const stream = reading(await get(b, '/mcp/files', session));
    await expect.poll(() => b.gateway.counts().subscribers).toBe(1);
    expect(await a.ask('/mcp/files', 'resources/subscribe', { uri: 'x://1' }, session)).toHaveProperty(
      'result',
    );
    const subscribed = () => upstream.seen.filter(({ method }) => method === 'resources/subscribe').length;
    await expect.poll(subscribed).toBe(2);
    cut();
    upstream.notify('notifications/resources/updated', { uri: 'x://1' });
    await expect.poll(() => methodsOf(stream.messages)).toEqual(['notifications/resources/updated']);
  });

  test('of resources also reach a stream in a process that started after the subscription', async () => {
    const upstream = await startUpstream(
      { resources: { subscribe: true } },
      {
        'resources/list': () => ({ resources: [{ uri: 'x://1', name: 'one' }] }),
        'resources/subscribe': () => ({}),
      },
    );
    const { node } = installation(pictureWith({ files: { type: 'http', url: upstream.url } }));
    const a = await node();
    const session = await open(a, '/mcp/files');
    await a.ask('/mcp/files', 'resources/subscribe', { uri: 'x://1' }, session);
    const b = await node();
    const stream = reading(await get(b, '/mcp/files', session));
    await expect
      .poll(() => {
        upstream.notify('notifications/resources/updated', { uri: 'x://1' });
        return methodsOf(stream.messages);
      })
      .toContain('notifications/resources/updated');
  });

  test('go to one stream of a session: the one that was opened last, wherever', async () => {
    const { a, b } = await two({});
    const session = await open(a);
    const first = reading(await get(a, '/mcp', session));
    await expect.poll(() => a.gateway.counts().subscribers).toBe(1);
    reading(await get(b, '/mcp', session));
    await first.done;
    await expect.poll(() => [a, b].map(({ gateway }) => gateway.counts().subscribers)).toEqual([0, 1]);
  });
});
