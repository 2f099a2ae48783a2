import { describe, expect, test } from 'vitest';
import { alice, bob, held, limited, tooMany } from '../../../test/limits-world.ts';

describe('calls under way', () => {
  const untilHeld = (calls: number) => expect.poll(() => held.length).toBe(calls);

  test('of one person are so many at a time, and one that has ended makes room', async () => {
    const { call } = await limited({ concurrentPerUser: 2 });
    const under = [call('up__held'), call('up__held')];
    await untilHeld(2);
    expect(await call('up__one')).toBe(
      'You have as many calls under way as may be at a time (2): try again when one has ended.',
    );
    expect(await call('up__one', bob)).toBe('one');
    held.pop()?.();
    await Promise.race(under);
    expect(await call('up__one')).toBe('one');
    held.pop()?.();
    expect(await Promise.all(under)).toEqual(['held', 'held']);
  });

  test('of a server and a tenant are so many at a time, whoever makes them', async () => {
    const { call } = await limited({ servers: { up: { concurrent: 1 } } });
    const under = call('up__held');
    await untilHeld(1);
    expect(await call('up__one', bob)).toContain(
      'The server "up" has as many calls under way as may be at a time (1)',
    );
    expect(await call('other__one', bob)).toBe('one');
    held.pop()?.();
    await under;
    expect(await call('up__one', bob)).toBe('one');
  });

  test('end with a client that leaves, with a refusal and with an error', async () => {
    const { world, call } = await limited({ concurrentPerUser: 1, servers: { other: { perMinute: 1 } } });
    const leaving = new AbortController();
    const left = fetch(`${world.url}/mcp`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', ...alice },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'up__held' } }),
      signal: leaving.signal,
    }).catch(() => 'left');
    await untilHeld(1);
    leaving.abort();
    expect(await left).toBe('left');
    await expect.poll(() => world.gateway.gate.limits.underWay.top('user', 9)).toEqual([]);
    expect([await call('other__one'), await call('other__one')]).toEqual(['one', tooMany]);
    await call('up__none');
    expect(await call('up__one')).toBe('one');
    expect(world.gateway.gate.limits.underWay.top('user', 9)).toEqual([]);
  });

  test('that are refused count for no rate', async () => {
    const { call } = await limited({ concurrentPerUser: 1, perUser: 3 });
    const under = call('up__held');
    await untilHeld(1);
    for (let n = 0; n < 10; n++) expect(await call('up__one')).toContain('under way');
    held.pop()?.();
    await under;
    expect([await call('up__one'), await call('up__one'), await call('up__one')]).toEqual([
      'one',
      'one',
      tooMany,
    ]);
  });
});
