// A start with the wrong master key, and sealed keys that were put where they do not belong.
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { testDatabaseUrl } from '../database.ts';
import { eventually, query, startGate } from './gate.ts';
import { cli, config, newKey, ready, secretOf, start, storeKeys, tokenOf, whose } from './keyed-gates.ts';

const [first, lost] = [newKey(), newKey()];

test('with a wrong key it starts, says what it lacks, refuses to store, and changes nothing', async () => {
  const databaseUrl = await testDatabaseUrl();
  const [right] = await start(databaseUrl, [first.text]);
  await storeKeys(right, []);
  await right.kill('SIGTERM');
  const before = await sealed(databaseUrl);

  const [wrong] = await start(databaseUrl, [lost.text]);
  const { status, degraded } = await ready(wrong);
  expect(status).toBe('degraded');
  expect(degraded).toEqual([
    {
      part: 'master keys',
      since: expect.any(String),
      meaning: expect.stringContaining(`master keys ${first.id}`),
    },
  ]);
  const list = (await wrong.admin('GET', '/master-keys')).body;
  expect(list.unreadable.count).toBe(secretOf.size + 1);
  expect(list.unreadable.items).toContainEqual(
    expect.objectContaining({
      tenant: 'north',
      owner: 'north',
      server: 'crm-0',
      name: 'default',
      keyId: first.id,
    }),
  );
  const refused = await wrong.admin('PUT', '/tenants/north/keys/crm-0', { value: 'another-secret' });
  expect([refused.status, refused.body.error.code]).toEqual([409, 'master_key_missing']);
  expect(await whose(wrong.url, await tokenOf(wrong, 'north'), 'crm-0')).not.toBe('north crm-0');
  expect(await sealed(databaseUrl)).toEqual(before);
  expect(wrong.logs()).toContain('stored secrets cannot be opened');
  await wrong.kill('SIGTERM');

  const [again] = await start(databaseUrl, [first.text]);
  expect((await ready(again)).status).toBe('ready');
  expect(await whose(again.url, await tokenOf(again, 'north'), 'crm-0')).toBe('north crm-0');
}, 120_000);

test('with the embedded database a rotation adds a key to the file, and the old one can be taken out', async () => {
  const gate = await startGate({ embedded: true, config });
  const file = path.join(gate.folder, 'data', 'master.key');
  await storeKeys(gate, []);
  const [old] = (await gate.admin('GET', '/master-keys')).body.items;
  expect(await cli(gate, 'keys', 'rotate')).toMatchObject({
    code: 0,
    error: expect.stringContaining('keep a copy'),
  });
  expect(await cli(gate, 'keys', 'retire', old.id)).toMatchObject({ code: 0 });
  const lines = (await readFile(file, 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(2);
  await gate.kill('SIGTERM');
  await writeFile(file, `${lines[1]}\n`);
  const again = await gate.again();
  expect((await ready(again)).status).toBe('ready');
  expect(await whose(again.url, await tokenOf(again, 'east'), 'crm-9')).toBe('east crm-9');
}, 120_000);

test('a tenant’s sealed key that was copied onto another’s row is refused and recorded', async () => {
  const databaseUrl = await testDatabaseUrl();
  const [gate] = await start(databaseUrl, [first.text]);
  await storeKeys(gate, []);
  const swap = (to: string, from: string) => `
    update mcp_proxy.credentials set sealed = (select sealed from mcp_proxy.credentials where ${from})
    where ${to}`;
  await query(
    databaseUrl,
    swap(`tenant_id = 'south' and server_id = 'crm-1'`, `tenant_id = 'north' and server_id = 'crm-1'`),
  );
  await query(
    databaseUrl,
    swap(`tenant_id = 'north' and server_id = 'crm-2'`, `tenant_id = 'north' and server_id = 'crm-5'`),
  );
  const tokens = { north: await tokenOf(gate, 'north'), south: await tokenOf(gate, 'south') };
  for (let n = 0; n < 3; n++) {
    await eventually('it is refused', async () =>
      (await whose(gate.url, tokens.south, 'crm-1')).includes('cannot be opened'),
    );
    await eventually('it is refused', async () =>
      (await whose(gate.url, tokens.north, 'crm-2')).includes('cannot be opened'),
    );
  }
  expect(await whose(gate.url, tokens.north, 'crm-1')).toBe('north crm-1');

  const refusals = await eventually('the audit log', async () => {
    const { items } = (await gate.admin('GET', '/audit?action=credential.refused')).body;
    return items.length === 2 && items;
  });
  expect(refusals).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ tenant: 'south', targetId: 'crm-1', actor: 'toolgate' }),
      expect.objectContaining({ tenant: 'north', targetId: 'crm-2', actor: 'toolgate' }),
    ]),
  );
  const calls = await eventually('the records', async () => {
    const { items } = (await gate.admin('GET', '/analytics?server=crm-1&tenant=south')).body;
    return items.length > 0 && items;
  });
  expect(calls[0]).toMatchObject({ reason: 'credential_unreadable', credentialId: expect.any(String) });
}, 120_000);

async function sealed(databaseUrl: string): Promise<unknown[]> {
  return query(databaseUrl, 'select id, sealed, updated_at from mcp_proxy.credentials order by id');
}
