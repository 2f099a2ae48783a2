// Every setting of a server that may be left out, in by each of the ways there are, and out again.
import { describe, expect, test } from 'vitest';
import { accessWorld } from '../../test/access-routes.ts';
import { applyFile } from './apply-file.ts';
import { accessFile } from './contract.ts';

const world = accessWorld();
const { call } = world;

/** A value, another one, and what is shown where nobody said anything. */
const settings: readonly (readonly [string, unknown, unknown, unknown])[] = [
  ['pin', 'enforce', 'off', 'warn'],
  ['maxResultChars', 0, 5_000, 200_000],
  ['toolOverrides', { get_me: { name: 'who_am_i' } }, { get_me: { title: 'Me' } }, {}],
  ['extensions', 'none', ['io.modelcontextprotocol/ui'], 'all'],
  ['tools', ['get_*'], ['*', '!drop_*'], null],
  ['isolation', 'user', 'tenant', null],
  ['variables', { host: 'a.acme.com' }, { host: 'b.acme.com', region: '' }, {}],
  ['maxConnections', 3, 50, 100],
];

const apply = (entry: object) =>
  applyFile(world.db(), accessFile.parse({ mcpServers: { it: entry } }), { prune: false, actor: 'file' });

async function shown(setting: string): Promise<unknown> {
  const found = { ...(await call('GET /servers/it')) } as Record<string, unknown>;
  const [listed] = (await call('GET /servers')).items as unknown as Record<string, unknown>[];
  expect(listed).toEqual(found);
  return found[setting];
}

/** What the data plane goes by. */
function inForce(setting: string): unknown {
  const definition: Readonly<Record<string, unknown>> = { ...world.snapshot().servers.get('it')?.definition };
  return definition[setting];
}

describe.each(settings)('%s', (setting, one, other, absent) => {
  const url = 'https://mcp.example.com/';

  test('goes in by the admin API, is changed there, and goes again', async () => {
    const created = await call('POST /servers', { id: 'it', type: 'http', url, [setting]: one });
    expect(created).toHaveProperty(setting, one);
    expect([await shown(setting), inForce(setting)]).toEqual([one, one]);
    expect(await call('PATCH /servers/it', { [setting]: other })).toHaveProperty(setting, other);
    expect([await shown(setting), inForce(setting)]).toEqual([other, other]);
    await call('PATCH /servers/it', { displayName: 'It' });
    expect([await shown(setting), inForce(setting)]).toEqual([other, other]);
    expect(await call('PATCH /servers/it', { [setting]: null })).toHaveProperty(setting, absent);
    expect([await shown(setting), inForce(setting)]).toEqual([absent, undefined]);
  });

  test('goes in by the config file, is changed there, and goes again', async () => {
    const said = async (entry: object) => {
      const changes = await apply({ url, ...entry });
      expect(await apply({ url, ...entry })).toEqual([]);
      await world.reload();
      return [changes.flatMap(({ fields = [] }) => fields), await shown(setting), inForce(setting)];
    };
    expect((await said({ [setting]: one })).slice(1)).toEqual([one, one]);
    expect(await said({ [setting]: other })).toEqual([[setting], other, other]);
    expect(await said({})).toEqual([[setting], absent, undefined]);
  });
});

test('a list of extensions is bounded, and nothing else stands for one', async () => {
  await call('POST /servers', { id: 'it', type: 'http', url: 'https://mcp.example.com/' });
  const many = Array.from({ length: 51 }, (_, index) => `x.test/${index}`);
  for (const extensions of ['some', many, [''], {}])
    await expect(call('PATCH /servers/it', { extensions })).rejects.toThrow();
  expect(await shown('extensions')).toBe('all');
});
