// Limits as callers meet them, over HTTP.
import { describe, expect, test } from 'vitest';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import { alice, bob, carol, dave, limited, limitedPicture, tooMany } from '../../../test/limits-world.ts';

describe('one person', () => {
  test('has so many calls a minute, and every answer says how many are left', async () => {
    const { ping, pass } = await limited({ perUser: 2 });
    const told = async () => {
      const { status, headers } = await ping();
      const names = ['limit', 'remaining', 'reset', 'policy'].map((name) => headers.get(`ratelimit-${name}`));
      return [status, headers.get('retry-after'), ...names];
    };
    expect(await told()).toEqual([200, null, '2', '1', '61', '2;w=60']);
    expect(await told()).toEqual([200, null, '2', '0', '61', '2;w=60']);
    expect(await told()).toEqual([429, '61', '2', '0', '61', '2;w=60']);
    expect((await ping(bob)).status).toBe(200);
    pass(61);
    expect((await ping()).status).toBe(200);
  });

  test('is told in a sentence when a tool is called, with HTTP 200', async () => {
    const { world, call } = await limited({ perUser: 1 });
    await call('up__one');
    const response = await world.post('/mcp', { id: 2, method: 'tools/call', params: { name: 'up__one' } });
    expect(response.status).toBe(200);
    expect(response.headers.get('ratelimit-remaining')).toBe('0');
    const { result } = (await response.json()) as { result: object };
    expect(result).toEqual({
      content: [{ type: 'text', text: 'Too many requests: try again in 61 s.' }],
      isError: true,
    });
    expect(world.records.at(-1)).toMatchObject({ outcome: 'rate_limited', reason: 'rate_limited' });
  });

  test('may have more or less than others, whatever their groups have', async () => {
    const users = { 'alice@acme.com': { perMinute: 1 } };
    const { call } = await limited({ perUser: 3, users, groups: { Many: { perUserPerMinute: 10 } } });
    expect([await call('up__one'), await call('up__one')]).toEqual(['one', tooMany]);
  });

  test('has the highest limit of the groups that have one, also under the URL of another group', async () => {
    const groups = { Few: { perUserPerMinute: 1 }, Many: { perUserPerMinute: 3 } };
    const { ping } = await limited({ perUser: 2, groups });
    expect([(await ping(carol)).status, (await ping(carol)).status]).toEqual([200, 429]);
    for (let n = 0; n < 3; n++) expect((await ping(alice, '/g/Few/mcp')).status).toBe(200);
    expect((await ping(alice, '/g/Everyone/mcp')).status).toBe(429);
    for (let n = 0; n < 2; n++) expect((await ping(bob)).status).toBe(200);
    expect((await ping(bob)).status).toBe(429);
  });

  test('uses up calls with what is refused, too, so that nobody can try names without end', async () => {
    const { call, world } = await limited({ perUser: 3 });
    const refused = await call('up__none');
    expect(refused).not.toEqual(tooMany);
    await call('no-server__none');
    await world.post('/mcp', '{', alice);
    expect(await call('up__one')).toEqual(tooMany);
  });
});

describe('what several people share', () => {
  test('a server takes so many calls from all together; lists and greetings cost it nothing', async () => {
    const { world, call } = await limited({ servers: { up: { perMinute: 2 } } });
    for (let n = 0; n < 5; n++) await world.ask('/mcp/up', 'tools/list');
    expect([await call('up__one'), await call('one', bob, '/mcp/up')]).toEqual(['one', 'one']);
    expect(await call('up__two', bob)).toMatch(
      /^Too many requests to the server "up": try again in \d+ s\.$/,
    );
    expect(await call('other__one')).toBe('one');
  });

  test('a server takes so many calls from each', async () => {
    const { call } = await limited({ servers: { up: { perUserPerMinute: 1 } } });
    expect([await call('up__one'), await call('up__one'), await call('up__one', bob)]).toEqual([
      ...['one', tooMany, 'one'],
    ]);
  });

  test('a tool takes so many calls, by whichever way it is called', async () => {
    const { call } = await limited({ tools: { up__one: { perMinute: 3 } } });
    const meta = '/mcp?mode=meta';
    expect([await call('up__one'), await call('one', bob, '/mcp/up')]).toEqual(['one', 'one']);
    const { result } = await (await limited({})).world.ask('/mcp', 'tools/list');
    expect(JSON.stringify(result)).toContain('up__one');
    const through = { name: 'up__one', arguments: {} };
    const { world } = await limited({ tools: { up__one: { perMinute: 1 } } });
    const called = async () => {
      const answer = await world.ask(meta, 'tools/call', { name: 'call_tool', arguments: through });
      return JSON.stringify(answer.result);
    };
    expect(await called()).toContain('one');
    expect(await called()).toContain('Too many requests to the tool');
    expect([await call('up__two'), await call('up__one'), await call('up__one')]).toEqual([
      ...['two', 'one', tooMany],
    ]);
  });

  test('a group has so many calls together, and counts for one of a person’s groups alone', async () => {
    const { ping } = await limited({ groups: { Few: { perMinute: 1 }, Everyone: { perMinute: 3 } } });
    for (const who of [alice, bob, alice]) expect((await ping(who)).status).toBe(200);
    const refused = await ping(bob);
    const { error } = (await refused.json()) as { error: { message: string; data: object } };
    expect(error.message).toMatch(/^Too many requests of the group "Everyone" together: try again in/);
    expect((await ping(carol)).status).toBe(200);
  });

  test('a tenant has so many calls together', async () => {
    const groups = { ...limitedPicture().groups, Acme: { tenant: 'acme', servers: ['up'] } };
    const users = {
      'alice@acme.com': { groups: ['Acme'] },
      'bob@acme.com': { groups: ['Acme'] },
      'carol@acme.com': { groups: ['Few'] },
    };
    const { call } = await limited({ tenants: { acme: { perMinute: 2 } } }, { groups, users });
    expect([await call('up__one'), await call('up__one', bob), await call('up__one')]).toEqual([
      ...['one', 'one', tooMany],
    ]);
    expect(await call('up__one', carol)).toBe('one');
  });

  test('a call that one limit refuses uses up none of the others', async () => {
    const { call, ping } = await limited({ perUser: 4, servers: { up: { perMinute: 1 } } });
    expect(await call('up__one')).toBe('one');
    for (let n = 0; n < 20; n++) expect(await call('up__one')).toEqual(tooMany);
    for (let n = 0; n < 3; n++) expect((await ping()).status).toBe(200);
    expect((await ping()).status).toBe(429);
  });

  test('a server that somebody may not use is not used up by them', async () => {
    const { call } = await limited({ servers: { other: { perMinute: 1 } } });
    for (let n = 0; n < 5; n++) await call('other__one', carol);
    for (let n = 0; n < 5; n++) await call('other__two', dave);
    expect(await call('other__one')).toBe('one');
  });
});

describe('one address', () => {
  const from = (address: string) => ({ 'x-forwarded-for': address });

  test('has so many requests, whoever makes them, and says so before it asks who is calling', async () => {
    const { ping, world } = await limited({ perAddress: 3 });
    const one = from('203.0.113.9');
    expect((await ping({ ...alice, ...one })).status).toBe(200);
    expect((await ping({ ...one, authorization: 'Bearer ' })).status).toBe(401);
    expect((await world.post('/mcp', '{', one)).status).toBe(400);
    const refused = await ping({ ...bob, ...one });
    expect([refused.status, refused.headers.get('ratelimit-policy')]).toEqual([429, '3;w=60']);
    expect((await ping({ ...bob, ...from('203.0.113.10') })).status).toBe(200);
  });

  test('counts what leads nowhere', async () => {
    const { world, ping } = await limited({ perAddress: 3 });
    for (const path of ['/', '/admin', '/.env'])
      await fetch(`${world.url}${path}`, { headers: from('203.0.113.9') });
    expect((await ping({ ...alice, ...from('203.0.113.9') })).status).toBe(429);
  });

  test('of IPv6 is a network of 64 bits', async () => {
    const { ping } = await limited({ perAddress: 2 });
    const at = async (address: string) => (await ping({ ...alice, ...from(address) })).status;
    expect([await at('2001:db8::1'), await at('2001:db8::ffff:2')]).toEqual([200, 200]);
    expect([await at('2001:DB8:0:0:1::'), await at('2001:db8:0:1::1')]).toEqual([429, 200]);
  });

  test('is used up by nobody who is refused for another reason, so that one cannot lock out all behind it', async () => {
    const { ping } = await limited({ perUser: 2, perAddress: 5 });
    for (let n = 0; n < 50; n++) await ping({ ...alice, ...from('203.0.113.9') });
    for (let n = 0; n < 2; n++) expect((await ping({ ...bob, ...from('203.0.113.9') })).status).toBe(200);
  });

  test('counts a batch once, and each of its messages for the caller', async () => {
    const { world } = await limited({ perUser: 4, perAddress: 2 });
    const batch = JSON.stringify([1, 2].map((id) => ({ jsonrpc: '2.0', id, method: 'ping' })));
    const headers = { ...alice, 'mcp-protocol-version': '2025-03-26' };
    for (let n = 0; n < 2; n++) expect((await world.post('/mcp', batch, headers)).status).toBe(200);
    expect((await world.post('/mcp', { id: 1, method: 'ping' }, bob)).status).toBe(429);
  });

  test('is found in the records as the client’s own, not as the proxy’s', async () => {
    const { ping, world } = await limited({});
    await ping({ ...alice, ...from('198.51.100.1, 203.0.113.9') });
    expect(world.records.at(-1)).toMatchObject({ clientIp: '203.0.113.9' });
  });
});

test('where limits are off nothing is limited', async () => {
  const world = await gatewayWorld(limitedPicture());
  const answers = await Promise.all(
    Array.from({ length: 150 }, () => world.post('/mcp', { id: 1, method: 'ping' })),
  );
  expect(answers.every(({ status }) => status === 200)).toBe(true);
  expect(answers[0]?.headers.has('ratelimit-limit')).toBe(false);
});

test('what was counted and refused can be looked at, by person, server and reason', async () => {
  const { call, world } = await limited({ perUser: 2, servers: { up: { perMinute: 10 } } });
  for (let n = 0; n < 4; n++) await call('up__one');
  await call('up__one', bob);
  const { together, replicas } = await world.gateway.limitStats.all();
  expect(together).toMatchObject({
    perMinute: {
      user: [
        { id: 'alice@acme.com', used: 2, perMinute: 2 },
        { id: 'bob@acme.com', used: 1, perMinute: 2 },
      ],
      server: [{ id: 'up', used: 3, perMinute: 10 }],
    },
    refusals: [{ reason: 'user', lastMinute: 2, sinceStart: 2 }],
    refused: [{ whose: 'user alice@acme.com', lastMinute: 2, sinceStart: 2 }],
  });
  expect(replicas).toMatchObject([{ aloneSince: null }]);
});
