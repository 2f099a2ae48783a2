import { sql } from 'kysely';
import { expect, test } from 'vitest';
import {
  acmes,
  alices,
  masterKeysWorld,
  newEntry,
  sealedTexts,
  store,
  textsByKey,
} from '../../../test/master-keys-world.ts';
import type { Db } from '../../platform/db/index.ts';
import { masterKeysApi as api } from '../contract.ts';
import type { MasterKey } from '../master-keys/master-key.ts';
import { seal } from '../sealing/seal.ts';
import { retire as retireKey } from './retirement.ts';

const [k1, k2, k3] = [newEntry(), newEntry(), newEntry()];
const retire = (id: string, body?: object) => ({ params: { id }, body });

test('a key goes when nothing needs it any more, and not before', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  await store(db, one.box.seal('of acme', acmes), acmes);
  await expect(one.ask(api.retireMasterKey, retire(k1.id))).rejects.toMatchObject({
    code: 'master_key_needed',
    message: expect.stringContaining('is in force'),
  });
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 2 });
  await one.rotation.sweeper.close();
  await store(db, sealedUnder(k1.text, one), alices);
  await expect(one.ask(api.retireMasterKey, retire(k1.id))).rejects.toMatchObject({
    code: 'master_key_needed',
    message: expect.stringContaining(`1 stored secret needs the master key ${k1.id}`),
  });
  await start([k1.text, k2.text]);
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 3 });
  expect(await one.ask(api.retireMasterKey, retire(k1.id))).toEqual({ deleted: 0 });
  const { items } = await one.ask(api.listMasterKeys);
  expect(items.find(({ id }) => id === k1.id)).toMatchObject({
    held: true,
    secrets: 0,
    retiredAt: expect.any(String),
  });
  expect(await lastAudit(db)).toMatchObject({
    action: 'master_key.retire',
    target_id: k1.id,
    actor: 'root@acme.com',
  });
  // Told at the next start.
  await one.close();
  const two = await start([k1.text, k2.text]);
  expect(two.lines.join()).toContain('retired is still configured');
  expect(two.box.holds(k1.id)).toBe(false);
});

test('a key stays while renewed tokens wait under it in the data directory', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  const actor = { id: 'root@acme.com', requestId: '', clientIp: '' };
  const what = { id: k1.id, deleteSecrets: false, confirm: undefined };
  const waiting = { ...one.rotation, unsavedUnder: async (key: string) => (key === k1.id ? 2 : 0) };
  await expect(retireKey(waiting, what, actor)).rejects.toMatchObject({
    ...{ code: 'master_key_needed', message: expect.stringContaining('2 renewed tokens') as string },
  });
  expect(await retireKey(one.rotation, what, actor)).toEqual({ deleted: 0 });
});

test('a retired key opens nothing, and nothing that is sealed under it can be stored, whoever writes it', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  const forged = one.box.seal('made by whoever kept the old key', acmes);
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  await one.ask(api.retireMasterKey, retire(k1.id));
  expect(() => one.box.open(forged, acmes)).toThrow(`needs the master key ${k1.id}`);
  for (const to of [acmes, alices, { ...acmes, owner: { level: 'group', id: 'Ops' } as const }])
    await expect(store(db, forged, to)).rejects.toThrow(`the master key ${k1.id} is retired`);
  await expect(store(db, forged.replace('v2', 'v1'), acmes)).rejects.toThrow('is retired');
  await store(db, one.box.seal('fine', acmes), acmes);
});

test('a retirement waits for who is storing at that moment, and then counts what they stored', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  const late = one.box.seal('late', acmes);
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  await one.rotation.sweeper.close();
  const [stored, go] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const writing = db.transaction().execute(async (trx) => {
    await store(trx, late, acmes);
    stored.resolve();
    await go.promise;
  });
  await stored.promise;
  const retiring = one.ask(api.retireMasterKey, retire(k1.id)).catch((error: unknown) => error);
  await expect.poll(() => waiting(db)).toBeGreaterThan(0);
  go.resolve();
  await writing;
  expect(await retiring).toMatchObject({ code: 'master_key_needed' });
});

test('of a key that is lost, its secrets are deleted, when its id is said twice', async () => {
  const { db, start } = await masterKeysWorld();
  const old = await start([k1.text]);
  await store(db, old.box.seal('lost', acmes), acmes);
  await store(db, old.box.seal('lost too', alices), alices);
  await old.close();
  const one = await start([k2.text]);
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await store(db, one.box.seal('kept', { ...acmes, name: 'second' }), { ...acmes, name: 'second' });
  expect(await one.ask(api.masterKeyRotation)).toMatchObject({ done: 1, failed: 3, remaining: 0 });
  const before = await sealedTexts(db);

  await expect(one.ask(api.retireMasterKey, retire(k1.id))).rejects.toMatchObject({
    code: 'master_key_needed',
  });
  for (const confirm of [undefined, k2.id, 'yes'])
    await expect(
      one.ask(api.retireMasterKey, retire(k1.id, { deleteSecrets: true, ...(confirm && { confirm }) })),
    ).rejects.toMatchObject({ code: 'confirmation_needed' });
  expect(await sealedTexts(db)).toEqual(before);

  const answer = await one.ask(api.retireMasterKey, retire(k1.id, { deleteSecrets: true, confirm: k1.id }));
  expect(answer).toEqual({ deleted: 3 });
  expect(await textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  const entry = await lastAudit(db);
  expect(entry).toMatchObject({ action: 'master_key.retire', after: { deletedSecrets: 3 } });
  expect(JSON.stringify(entry)).toContain('alice@acme.com');
  expect(one.keys.unreadable()).toBe(0);
});

test('what a process can still open is not lost, and not deleted', async () => {
  const { db, start } = await masterKeysWorld();
  const [one, two] = [await start([k1.text, k2.text]), await start([k1.text, k2.text, k3.text])];
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  for (const { rotation } of [one, two]) await rotation.sweeper.close();
  await store(db, sealedUnder(k1.text, one), alices);
  await store(db, sealedUnder(k3.text, two), acmes);
  for (const id of [k1.id, k3.id])
    await expect(
      one.ask(api.retireMasterKey, retire(id, { deleteSecrets: true, confirm: id })),
    ).rejects.toMatchObject({ code: 'master_key_needed', message: expect.stringContaining('is not lost') });
  one.bus.awaySince = () => new Date();
  await expect(
    one.ask(api.retireMasterKey, retire(k3.id, { deleteSecrets: true, confirm: k3.id })),
  ).rejects.toThrow('cannot be asked');
  expect((await sealedTexts(db)).size).toBe(3);
});

test('a key that nobody knows cannot be given up', async () => {
  const { start } = await masterKeysWorld();
  const one = await start([k1.text]);
  await expect(one.ask(api.retireMasterKey, retire(k3.id))).rejects.toMatchObject({
    code: 'master_key_unknown',
    status: 404,
  });
});

/** A text for alice, or for acme, under one of the keys of a process, whichever is in force. */
function sealedUnder(
  text: string,
  one: { keys: { ring: { held(): readonly { key: MasterKey }[] } } },
): string {
  const id = [k1, k2, k3].find((entry) => entry.text === text)?.id;
  const key = one.keys.ring.held().find((held) => held.key.id === id)?.key;
  if (!key) throw new Error('not a key of this process');
  return seal(key, 'secret', text === k3.text ? acmes : alices);
}

async function lastAudit(db: Db): Promise<Record<string, unknown> | undefined> {
  const { rows } = await sql<Record<string, unknown>>`
    select * from mcp_proxy.audit_log order by id desc limit 1`.execute(db);
  return rows[0];
}

/** Statements of this database that wait for a lock. */
async function waiting(db: Db): Promise<number> {
  const { rows } = await sql`
    select 1 from pg_locks l join pg_database d on d.oid = l.database or l.database is null
    where d.datname = current_database() and not l.granted`.execute(db);
  return rows.length;
}
