import { describe, expect, test } from 'vitest';
import { gatewayWorld } from '../../../../test/gateway-world.ts';
import { get, namesIn, picture, post, type World, zoo } from '../../../../test/openapi-world.ts';
import { linkPath, linkPurpose } from './link.ts';

describe('a link to a document', () => {
  const sealer = (world: World) => world.gateway.gate.sealerFor(linkPurpose);
  const none = { tenant: null, group: null, server: null };

  test('shows what the group grants, to anybody, and calls nothing', async () => {
    const world = await gatewayWorld(picture());
    const path = linkPath({ ...none, group: 'a few/tools' }, sealer(world));
    expect(namesIn(await get(world, path, null))).toEqual(['zoo/echo', 'zoo/give']);
    // Open WebUI sends the key of its connection along, which may have no rights at all.
    expect(namesIn(await get(world, path, 'nobody@acme.com'))).toEqual(['zoo/echo', 'zoo/give']);
    const [base, query] = path.split('/openapi.json');
    expect(namesIn(await get(world, `${base}/zoo/openapi.json${query}`, null))).toEqual(['echo', 'give']);
    expect((await post(world, `${base}/zoo/echo${query}`, '{"message":"x"}', { who: null })).status).toBe(
      401,
    );
    expect((await get(world, `/servers${query}`, null)).status).toBe(401);
    expect((await fetch(`${world.url}/mcp${query}`, { method: 'POST' })).status).toBe(401);
  });

  test('is about its own path alone', async () => {
    const world = await gatewayWorld(picture());
    const path = linkPath({ ...none, group: 'a few/tools' }, sealer(world));
    const query = path.slice(path.indexOf('?'));
    for (const other of ['/tools', '/tools/zoo', '/g/all/tools', '/t/acme/g/a%20few%2Ftools/tools'])
      expect((await get(world, `${other}/openapi.json${query}`, null)).status).toBe(401);
    for (const wrong of ['', 'x', `${query.slice(6)}A`])
      expect((await get(world, `${path.slice(0, path.indexOf('?'))}?spec=${wrong}`, null)).status).toBe(401);
  });

  test('ends with its group', async () => {
    const world = await gatewayWorld(picture());
    const path = linkPath({ ...none, group: 'a few/tools' }, sealer(world));
    expect((await get(world, path, null)).status).toBe(200);
    world.change(picture({ groups: {}, users: {} }));
    expect(await get(world, path, null)).toEqual({ status: 401, body: { detail: expect.any(String) } });
  });

  test('to a server shows what groups grant of it: those of a tenant only where the link names it', async () => {
    const { groups = {} } = picture();
    const { all: _all, bosses: _bosses, ...rest } = groups;
    const world = await gatewayWorld(picture({ groups: rest, users: {} }));
    const shown = async (tenant: string | null) =>
      namesIn(await get(world, linkPath({ tenant, group: null, server: 'zoo' }, sealer(world)), null));
    expect(await shown(null)).toEqual(['echo', 'give']);
    expect(await shown('acme')).toEqual(['echo', 'give']);
    expect(await shown('beta')).toEqual(['echo', 'give', 'fail']);
  });

  test('of a tenant uses the keys of that tenant', async () => {
    const servers = { zoo: { ...zoo, env: { KEY: '${credential}' } } };
    const world = await gatewayWorld(picture({ servers, groups: { g: { servers: ['zoo'] } }, users: {} }), {
      secrets: { 'acme/zoo/default': 'k' },
    });
    const shown = async (tenant: string | null) =>
      namesIn(await get(world, linkPath({ ...none, tenant, group: 'g' }, sealer(world)), null)).length;
    expect(await shown(null)).toBe(0);
    expect(await shown('beta')).toBe(0);
    expect(await shown('acme')).toBeGreaterThan(5);
  });
});
