import { Validator } from '@seriousme/openapi-schema-validator';
import { describe, expect, test } from 'vitest';
import { startHostileHttp } from '../../../../test/fakes/hostile-http.ts';
import { as, gatewayWorld } from '../../../../test/gateway-world.ts';
import { get, type Json, namesIn, picture, post, zoo } from '../../../../test/openapi-world.ts';

describe('a document', () => {
  test.each(['/tools/openapi.json', '/tools/zoo/openapi.json', '/tools/everything/openapi.json'])(
    '%s is valid OpenAPI 3.1',
    async (path) => {
      const world = await gatewayWorld(picture());
      const { body } = await get(world, path);
      expect(Object.keys(body.paths).length).toBeGreaterThan(5);
      expect(await new Validator().validate(body)).toMatchObject({ valid: true });
    },
  );

  test('of all servers names operations as /mcp does, and their paths lead to the tools', async () => {
    const world = await gatewayWorld(picture());
    const { body } = await get(world, '/tools/openapi.json');
    const ids = Object.values(body.paths).map(({ post: { operationId } }: Json) => String(operationId));
    await expect.poll(() => world.names('/mcp')).toHaveLength(ids.length);
    expect(ids.toSorted()).toEqual(await world.names('/mcp'));
    expect(body.paths['/zoo/echo'].post.operationId).toBe('zoo__echo');
    const { answer } = await post(world, '/tools/zoo/echo', '{"message":"x"}');
    expect(answer).toEqual({ arguments: { message: 'x' } });
  });

  test('shows what the caller may use, and nothing to a stranger', async () => {
    const world = await gatewayWorld(picture());
    expect(namesIn(await get(world, '/tools/zoo/openapi.json', 'bob@acme.com'))).toEqual(['echo', 'give']);
    expect(namesIn(await get(world, '/tools/openapi.json', 'nobody@acme.com'))).toEqual([]);
    const [hidden, absent] = [
      await get(world, '/tools/everything/openapi.json', 'bob@acme.com'),
      await get(world, '/tools/nowhere/openapi.json', 'bob@acme.com'),
    ];
    expect(hidden.status).toBe(404);
    expect(JSON.stringify(absent).replace('nowhere', 'everything')).toBe(JSON.stringify(hidden));
    expect((await get(world, '/tools/openapi.json', null)).status).toBe(401);
  });

  test('is made once for all who see the same, and anew when a right changes', async () => {
    const world = await gatewayWorld(picture());
    expect(namesIn(await get(world, '/tools/zoo/openapi.json', 'bob@acme.com'))).toEqual(['echo', 'give']);
    const { groups = {} } = picture();
    world.change(picture({ groups: { ...groups, 'a few/tools': { servers: { zoo: ['bare'] } } } }));
    expect(namesIn(await get(world, '/tools/zoo/openapi.json', 'bob@acme.com'))).toEqual(['bare']);
  });

  test('of a server that is away, or whose key is not there, says so and is none', async () => {
    const away = { type: 'http', url: 'http://127.0.0.1:9/mcp' };
    const servers = { away, keyless: { ...away, headers: { 'x-key': '${credential}' } } };
    const world = await gatewayWorld(
      picture({
        servers,
        groups: { all: { servers: ['away', 'keyless'] } },
        users: { 'alice@acme.com': { groups: ['all'] } },
      }),
    );
    const [one, other] = [
      await get(world, '/tools/away/openapi.json'),
      await get(world, '/tools/keyless/openapi.json'),
    ];
    expect(one).toEqual({
      status: 500,
      body: { detail: { message: expect.stringContaining('cannot be reached') } },
    });
    expect(other).toEqual({
      status: 500,
      body: { detail: { message: expect.stringContaining('needs a key') } },
    });
    expect((await get(world, '/tools/openapi.json')).body.paths).toEqual({});
  });

  test('has a page for people, without scripts, that shows markup as text', async () => {
    const world = await gatewayWorld(picture());
    const response = await fetch(`${world.url}/tools/zoo/docs`, { headers: as('bob@acme.com') });
    const html = await response.text();
    expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(html).toContain('tool_give_post');
    expect(html).not.toMatch(/<script|fail/);
  });
});

describe('a tool with another name', () => {
  const servers = { zoo: { ...zoo, toolOverrides: { echo: { name: 'say', description: 'Says it' } } } };

  test('is shown by that name, and called by it', async () => {
    const world = await gatewayWorld(
      picture({
        servers,
        groups: { all: { servers: ['zoo'] } },
        users: { 'alice@acme.com': { groups: ['all'] } },
      }),
    );
    const { body } = await get(world, '/tools/zoo/openapi.json');
    expect(body.paths['/say'].post).toMatchObject({ operationId: 'tool_say_post', description: 'Says it' });
    expect(body.paths['/echo']).toBeUndefined();
    expect((await get(world, '/tools/openapi.json')).body.paths['/zoo/say'].post.operationId).toBe(
      'zoo__say',
    );
    expect((await post(world, '/tools/zoo/say', '{"message":"x"}')).answer).toEqual({
      arguments: { message: 'x' },
    });
    expect((await post(world, '/tools/zoo/say', '{}')).status).toBe(422);
  });
});

describe('what a group grants', () => {
  const path = `/g/${encodeURIComponent('a few/tools')}/tools/zoo`;

  test('is all that its members and admins see and may call there', async () => {
    const world = await gatewayWorld(picture());
    for (const who of ['alice@acme.com', 'bob@acme.com', 'boss@acme.com'])
      expect(namesIn(await get(world, `${path}/openapi.json`, who))).toEqual(['echo', 'give']);
    expect((await post(world, `${path}/give`, '{"kind":"number"}')).text).toBe('42');
    expect((await post(world, `${path}/bare`, null)).status).toBe(404);
    expect((await post(world, '/tools/zoo/bare', null)).status).toBe(200);
  });

  test('is also what /mcp shows under the group', async () => {
    const world = await gatewayWorld(picture());
    const group = `/g/${encodeURIComponent('a few/tools')}`;
    expect(await world.names(`${group}/mcp/zoo`)).toEqual(['echo', 'give']);
    expect(await world.names(`${group}/mcp`)).toEqual(['zoo__echo', 'zoo__give']);
    expect(await world.names('/g/none/mcp')).toEqual([]);
  });

  test('looks to others like a group that does not exist', async () => {
    const world = await gatewayWorld(picture());
    const paths = ['/g/all/tools/zoo/openapi.json', '/g/none/tools/zoo/openapi.json'];
    const [theirs, nobodys] = await Promise.all(paths.map((one) => get(world, one, 'bob@acme.com')));
    expect(theirs).toEqual(nobodys);
    expect(theirs?.status).toBe(404);
    const merged = ['/g/all/tools/openapi.json', '/g/none/tools/openapi.json'];
    const [one, other] = await Promise.all(merged.map((path) => get(world, path, 'bob@acme.com')));
    expect(one).toEqual(other);
  });

  test('acts for the tenant that the group is', async () => {
    const world = await gatewayWorld(picture());
    expect((await post(world, '/tools/zoo/give', '{"kind":"text"}', { who: 'carol@acme.com' })).status).toBe(
      409,
    );
    const { status } = await post(world, '/g/acme/tools/zoo/give', '{"kind":"text"}', {
      who: 'carol@acme.com',
    });
    expect(status).toBe(200);
    expect(world.records.at(-1)).toMatchObject({
      tenant: 'acme',
      endpoint: '/g/{group}/tools/{server}/{tool}',
    });
  });
});

describe('a call', () => {
  test('is answered with the very bytes of a text that is JSON', async () => {
    const world = await gatewayWorld(picture());
    expect((await post(world, '/tools/zoo/give', '{"kind":"json"}')).text).toBe(
      '{"b":1,"a":[1,2.50,null],"big":12345678901234567890,"none":null}',
    );
  });

  test('without a credential is a 401, with a wrong one a 403', async () => {
    const world = await gatewayWorld(picture());
    world.revoke('bob@acme.com');
    const [missing, wrong] = [
      await post(world, '/tools/zoo/bare', null, { who: null }),
      await post(world, '/tools/zoo/bare', null, { who: 'bob@acme.com' }),
    ];
    expect([missing.status, wrong.status]).toEqual([401, 403]);
    expect(missing.headers.get('www-authenticate')).toMatch(/^Bearer/);
    expect(missing.answer).toEqual({ detail: expect.any(String) });
  });

  test('of a tool that was not granted looks like one of a tool that is not there', async () => {
    const world = await gatewayWorld(picture());
    const who = 'bob@acme.com';
    const hidden = await post(world, '/tools/zoo/fail', '{"code":1}', { who });
    const absent = await post(world, '/tools/zoo/nowt', '{"code":1}', { who });
    expect(hidden).toMatchObject({ status: 404, answer: { detail: expect.stringContaining('fail') } });
    expect(absent.text.replace('nowt', 'fail')).toBe(hidden.text);
    expect(world.records.map(({ outcome, face }) => [outcome, face])).toEqual([
      ['denied', 'openapi'],
      ['denied', 'openapi'],
    ]);
  });

  test('too many a minute are a 429 with a sentence; documents do not count', async () => {
    const world = await gatewayWorld(picture(), { rateLimits: { perUser: 2 } });
    for (let at = 0; at < 5; at++) expect((await get(world, '/tools/zoo/openapi.json')).status).toBe(200);
    await post(world, '/tools/zoo/bare', null);
    await post(world, '/tools/zoo/bare', null);
    const limited = await post(world, '/tools/zoo/bare', null);
    expect(limited).toMatchObject({
      status: 429,
      answer: { detail: expect.stringMatching(/try again in \d+ s/) },
    });
    expect(Number(limited.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  test('of a server without its key, or that is away, says so in a sentence', async () => {
    const servers = {
      keyless: { type: 'http', url: 'http://127.0.0.1:9/mcp', headers: { 'x-key': '${credential}' } },
      away: { type: 'http', url: 'http://127.0.0.1:9/mcp' },
    };
    const world = await gatewayWorld(
      picture({
        servers,
        groups: { all: { servers: ['keyless', 'away'] } },
        users: { 'alice@acme.com': { groups: ['all'] } },
      }),
    );
    expect(await post(world, '/tools/keyless/x', '{}')).toMatchObject({
      status: 500,
      answer: { detail: { message: expect.stringContaining('needs a key') } },
    });
    expect(await post(world, '/tools/away/x', '{}')).toMatchObject({
      status: 500,
      answer: { detail: { message: expect.stringContaining('cannot be reached') } },
    });
  });

  test('larger than the gate takes is a 413, and another method a 405', async () => {
    const world = await gatewayWorld(picture(), { maxBodyBytes: 100 });
    const { status, answer } = await post(
      world,
      '/tools/zoo/echo',
      JSON.stringify({ message: 'x'.repeat(200) }),
    );
    expect([status, answer]).toEqual([413, { detail: expect.stringContaining('100 bytes') }]);
    expect((await get(world, '/tools/zoo/echo')).status).toBe(405);
    expect((await post(world, '/tools/openapi.json', '{}')).status).toBe(405);
  });

  test('during which the server asks its client ends with an answer all the same', async () => {
    const http = await startHostileHttp();
    try {
      const servers = { asks: { type: 'http', url: http.url('asks'), timeoutMs: 5_000 } };
      const world = await gatewayWorld(
        picture({
          servers,
          groups: { all: { servers: ['asks'] } },
          users: { 'alice@acme.com': { groups: ['all'] } },
        }),
      );
      const { answer } = await post(world, '/tools/asks/ask_elicit', '{}');
      expect(JSON.stringify(answer)).toContain('cannot be asked');
    } finally {
      await http.close();
    }
  });
});
