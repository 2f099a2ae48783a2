import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { accessWorld } from '../../test/access-routes.ts';
import { applyFile, planFile } from './apply-file.ts';
import { accessFile } from './contract.ts';

const world = accessWorld();
const { call, refusal } = world;

const server = (more: object = {}) => ({ id: 'shop', type: 'http', url: 'https://shop.org/mcp', ...more });
const orders = { list: { name: 'orders' } };

test('a server’s texts are set, shown, changed as a whole and taken away', async () => {
  expect(await call('POST /servers', server({ toolOverrides: orders }))).toMatchObject({
    toolOverrides: orders,
  });
  const titled = { drop: { title: 'Drop' } };
  expect(await call('PATCH /servers/shop', { toolOverrides: titled })).toMatchObject({
    toolOverrides: titled,
  });
  expect(await call('PATCH /servers/shop', { displayName: 'Shop' })).toMatchObject({ toolOverrides: titled });
  expect(world.snapshot().servers.get('shop')?.definition.toolOverrides).toEqual(titled);
  expect(await call('PATCH /servers/shop', { toolOverrides: null })).toMatchObject({ toolOverrides: {} });
});

test('a group’s texts are set, shown, changed as a whole and taken away', async () => {
  await call('POST /servers', server());
  const made = await call('POST /groups', { name: 'g', toolOverrides: { shop: orders } });
  expect(made).toMatchObject({ toolOverrides: { shop: orders } });
  expect(await call('PATCH /groups/g', { displayName: 'G' })).toMatchObject({
    toolOverrides: { shop: orders },
  });
  expect(world.snapshot().groups.get('g')?.toolOverrides).toEqual({ shop: orders });
  expect(await call('PATCH /groups/g', { toolOverrides: {} })).toMatchObject({ toolOverrides: {} });
});

test('a name that does not fit, and a server that is not there, are refused', async () => {
  await call('POST /servers', server());
  const long = { list: { name: 'x'.repeat(42) } };
  expect(await refusal('PATCH /servers/shop', { toolOverrides: long })).toBe('400 tool_name_too_long');
  expect(await refusal('POST /groups', { name: 'g', toolOverrides: { shop: long } })).toBe(
    '400 tool_name_too_long',
  );
  expect(await refusal('POST /groups', { name: 'g', toolOverrides: { shpo: orders } })).toBe(
    '404 server_not_found',
  );
});

test('texts that were edited into nonsense cost the texts, not the group', async () => {
  await call('POST /groups', { name: 'g' });
  await sql`update mcp_proxy.groups set tool_overrides = '{"shop": 5}'`.execute(world.db());
  await world.reload();
  expect(world.snapshot().groups.get('g')?.toolOverrides).toEqual({});
});

test('the config file sets both, and a file without them is what it was before', async () => {
  const file = (overrides?: object) =>
    accessFile.parse({
      mcpServers: { shop: { url: 'https://shop.org/mcp', ...(overrides && { toolOverrides: overrides }) } },
      groups: { g: { servers: ['shop'], ...(overrides && { toolOverrides: { shop: overrides } }) } },
    });
  await applyFile(world.db(), file(), { prune: false, actor: 'config-file' });
  const planned = await planFile(world.db(), file(orders));
  expect(planned).toEqual([
    { kind: 'update', record: 'server', id: 'shop', fields: ['toolOverrides'] },
    { kind: 'update', record: 'group', id: 'g', fields: ['toolOverrides'] },
  ]);
  await applyFile(world.db(), file(orders), { prune: false, actor: 'config-file' });
  await world.reload();
  expect(world.snapshot().servers.get('shop')?.definition.toolOverrides).toEqual(orders);
  expect(world.snapshot().groups.get('g')?.toolOverrides).toEqual({ shop: orders });
  expect(JSON.stringify(file().groups)).not.toContain('toolOverrides');
});
