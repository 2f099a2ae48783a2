import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  acmes,
  alices,
  masterKeysWorld,
  newEntry,
  sealedTexts,
  shared,
  store,
  textsByKey,
} from '../../../test/master-keys-world.ts';
import { masterKeysApi as api } from '../contract.ts';

const [k1, k2, k3] = [newEntry(), newEntry(), newEntry()];

test('at the first start the first key of the ring is put in force, and stays when the order changes', async () => {
  const { start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  expect((await one.ask(api.listMasterKeys)).inForce).toBe(k1.id);
  const two = await start([k2.text, k1.text]);
  expect(two.keys.current().id).toBe(k1.id);
});

test('of processes that start at once with other keys first, one decides for all', async () => {
  const { start, db } = await masterKeysWorld();
  const rings = [k1, k2, k3].map((first) => [first.text, k1.text, k2.text, k3.text]);
  const all = await Promise.all(rings.map((ring) => start(ring)));
  expect(new Set(all.map(({ keys }) => keys.current().id)).size).toBe(1);
  expect(Object.keys(await textsByKey(db))).toEqual([`v2.${all[0]?.keys.current().id}`]);
});

test('with a wrong key it starts, tells what cannot be opened, stores nothing and changes nothing', async () => {
  const { db, start } = await masterKeysWorld();
  const right = await start([k1.text]);
  await store(db, right.box.seal('canary-secret', acmes), acmes);
  await store(db, right.box.seal('canary-secret', alices), alices);
  const before = await sealedTexts(db);
  await right.close();

  const wrong = await start([k2.text]);
  expect(() => wrong.box.seal('x', shared)).toThrow(
    expect.objectContaining({ code: 'master_key_missing', status: 409 }),
  );
  expect(() => wrong.box.seal('x', shared)).toThrow(
    `under the master key ${k1.id}, which this process does not have`,
  );
  const problem = wrong.problem()?.meaning ?? '';
  expect(problem).toContain(`The master key ${k1.id} is in force and not here`);
  expect(problem).toContain(`3 stored secrets cannot be opened without the master keys ${k1.id}`);
  const { unreadable, items } = await wrong.ask(api.listMasterKeys);
  expect(unreadable.count).toBe(3);
  expect(
    unreadable.items.map(({ table, tenant, level, owner, server, name }) => [
      table,
      tenant,
      level,
      owner,
      server,
      name,
    ]),
  ).toEqual([
    ['credentials', 'acme', 'tenant', 'acme', 'github', 'default'],
    ['user_credentials', 'acme', 'user', 'alice@acme.com', 'github', 'default'],
    ['installation_secrets', null, 'shared', null, '', 'sealed state'],
  ]);
  expect(items).toEqual(
    expect.arrayContaining([
      expect.objectContaining({ id: k1.id, held: false, inForce: true, secrets: 3 }),
      expect.objectContaining({ id: k2.id, held: true, inForce: false, secrets: 0 }),
    ]),
  );
  const log = wrong.lines.join('');
  for (const part of ['github default (user alice@acme.com in acme)', 'github default (tenant acme)', k1.id])
    expect(log).toContain(part);
  expect(log + JSON.stringify(unreadable)).not.toContain('canary');
  expect(await sealedTexts(db)).toEqual(before);
  await wrong.close();

  const again = await start([k1.text]);
  expect(again.problem()).toBeNull();
  expect([...before.values()].some((text) => canOpen(() => again.box.open(text, acmes)))).toBe(true);
});

test('a database with secrets of before, and a key that opens none of them: none is put in force', async () => {
  const { db, start } = await masterKeysWorld();
  const right = await start([k1.text]);
  await store(db, right.box.seal('secret', acmes), acmes);
  await right.close();
  await sql`delete from mcp_proxy.master_keys`.execute(db);

  const wrong = await start([k2.text]);
  expect((await wrong.ask(api.listMasterKeys)).inForce).toBeNull();
  expect(() => wrong.box.seal('x', acmes)).toThrow(expect.objectContaining({ code: 'master_key_missing' }));
  await expect(wrong.ask(api.masterKeyRotation)).rejects.toMatchObject({ code: 'master_key_missing' });
  await wrong.close();
  const right2 = await start([k1.text]);
  expect((await right2.ask(api.listMasterKeys)).inForce).toBe(k1.id);
});

test('the key that is in force is followed, and comes back', async () => {
  const { db, start } = await masterKeysWorld();
  const [one, two] = [await start([k1.text, k2.text]), await start([k1.text])];
  await sql`update mcp_proxy.master_keys set is_current = false`.execute(db);
  await sql`insert into mcp_proxy.master_keys (id, is_current) values (${k2.id}, true)`.execute(db);
  await expect.poll(() => one.keys.current().id).toBe(k2.id);
  await expect.poll(() => two.problem()?.meaning).toContain(k2.id);
  expect(() => two.box.seal('x', acmes)).toThrow('which this process does not have');
  await sql`update mcp_proxy.master_keys set is_current = false`.execute(db);
  await sql`update mcp_proxy.master_keys set is_current = true where id = ${k1.id}`.execute(db);
  await expect.poll(() => two.problem()).toBeNull();
  expect(two.box.keyIdOf(two.box.seal('x', acmes))).toBe(k1.id);
});

test('sessions and messages have the same key in every process, also after a rotation and without the old key', async () => {
  const { db, start } = await masterKeysWorld();
  const both = await Promise.all([start([k1.text, k2.text]), start([k1.text, k2.text])]);
  const [one, two] = both;
  // What was derived from the first key before there was a secret of the installation goes on being good.
  expect(one?.stateKey).toEqual(one?.keys.ring.held()[0]?.key.derive('purpose sealed state'));
  expect(two?.stateKey).toEqual(one?.stateKey);
  await one?.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  for (const process of both) await process.close();
  const alone = await start([k2.text]);
  expect(alone.stateKey).toEqual(one?.stateKey);
  expect(alone.problem()).toBeNull();
});

test('many processes that start at once have one secret', async () => {
  const { db, start } = await masterKeysWorld();
  const all = await Promise.all(Array.from({ length: 5 }, () => start([k1.text])));
  expect(new Set(all.map(({ stateKey }) => stateKey.toString('hex'))).size).toBe(1);
  expect((await sealedTexts(db)).size).toBe(1);
});

test('a process that cannot open the secret of the installation works with one of its own, and says so', async () => {
  const { db, start } = await masterKeysWorld();
  const right = await start([k1.text]);
  const before = await sealedTexts(db);
  const wrong = await start([k2.text]);
  expect(wrong.stateKey).toHaveLength(32);
  expect(wrong.stateKey).not.toEqual(right.stateKey);
  expect(wrong.problem()?.meaning).toContain('The secret of the installation cannot be opened');
  expect(await sealedTexts(db)).toEqual(before);
});

test('the secret of the installation cannot be replaced by one that was sealed for something else', async () => {
  const { db, start } = await masterKeysWorld();
  const right = await start([k1.text]);
  const known = right.box.seal(Buffer.alloc(32, 1).toString('base64'), acmes);
  await sql`update mcp_proxy.installation_secrets set sealed = ${known}`.execute(db);
  const next = await start([k1.text]);
  expect(next.stateKey).not.toEqual(Buffer.alloc(32, 1));
  expect(next.problem()?.meaning).toContain('The secret of the installation');
});

function canOpen(open: () => unknown): boolean {
  try {
    open();
    return true;
  } catch {
    return false; // Of another row.
  }
}
