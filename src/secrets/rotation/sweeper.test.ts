import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { firstForm } from '../../../test/first-form.ts';
import {
  acmes,
  masterKeysWorld,
  newEntry,
  sealedTexts,
  shared,
  store,
  textsByKey,
} from '../../../test/master-keys-world.ts';
import type { Binding } from '../binding.ts';
import { masterKeysApi as api } from '../contract.ts';
import type { SecretBox } from '../sealing/secret-box.ts';

const [k1, k2] = [newEntry(), newEntry()];

test('what the first form sealed is sealed anew', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text]);
  await store(db, firstForm(one.keys.current(), 'from before', acmes), acmes);
  await store(db, firstForm(one.keys.current(), 'for all', shared), shared);
  await one.ask(api.rotateMasterKey, { body: {} });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k1.id}`]: 3 });
  const texts = [...(await sealedTexts(db)).values()];
  expect(texts.flatMap((text) => tryOpen(one.box, text, acmes))).toEqual(['from before']);
});

test('nothing is sealed anew before somebody asks for it: an older version may be serving beside', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text]);
  await store(db, firstForm(one.keys.current(), 'from before', acmes), acmes);
  await one.rotation.sweeper.sweep();
  expect(await textsByKey(db)).toEqual({ [`v1.${k1.id}`]: 1, [`v2.${k1.id}`]: 1 });
});

test('two processes share the work, rows that somebody holds are left for later, and nothing is lost', async () => {
  const { db, start } = await masterKeysWorld();
  const pace = { batch: 7, everyMs: 100, leaseSeconds: 1 };
  const [one, two] = [await start([k1.text, k2.text], pace), await start([k1.text, k2.text], pace)];
  const names = Array.from({ length: 120 }, (_, n) => `key-${n}`);
  for (const name of names)
    await store(db, one.box.seal(`value of ${name}`, { ...acmes, name }), { ...acmes, name });
  const held = Promise.withResolvers<void>();
  const isHeld = Promise.withResolvers<void>();
  const other = db.transaction().execute(async (trx) => {
    await sql`select 1 from mcp_proxy.credentials where name = 'key-5' for update`.execute(trx);
    isHeld.resolve();
    await held.promise;
  });
  await isHeld.promise;
  await Promise.all([
    one.ask(api.rotateMasterKey, { body: { to: k2.id } }),
    two.ask(api.rotateMasterKey, { body: { to: k2.id } }),
  ]);
  await expect
    .poll(() => one.ask(api.masterKeyRotation), { timeout: 20_000 })
    .toMatchObject({ done: 120, remaining: 1 });
  held.resolve();
  await other;
  await expect.poll(() => textsByKey(db), { timeout: 20_000 }).toEqual({ [`v2.${k2.id}`]: 121 });
  for (const text of (await sealedTexts(db)).values()) {
    const opened = names.flatMap((name) =>
      tryOpen(two.box, text, { ...acmes, name }).map((secret) => [name, secret]),
    );
    for (const [name, secret] of opened) expect(secret).toBe(`value of ${name}`);
  }
});

test('what a process that has not heard writes under the old key afterwards is found', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text], { everyMs: 50 });
  const late = one.box.seal('written late', acmes);
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  await store(db, late, acmes);
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 2 });
});

test('a process that stops in the middle leaves what another one finishes', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text], { batch: 1 });
  for (let n = 0; n < 40; n++) {
    const to = { ...acmes, name: `key-${n}` };
    await store(db, one.box.seal('secret', to), to);
  }
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  await expect.poll(async () => (await textsByKey(db))[`v2.${k2.id}`] ?? 0).toBeGreaterThan(0);
  await one.close();
  // As if it had been killed: the lease is still its own.
  await sql`update mcp_proxy.master_keys set lease_by = 'gone', lease_until = now() + interval '1 second'
    where is_current`.execute(db);
  await start([k1.text, k2.text], { everyMs: 100, leaseSeconds: 1 });
  await expect.poll(() => textsByKey(db), { timeout: 20_000 }).toEqual({ [`v2.${k2.id}`]: 41 });
});

function tryOpen(box: SecretBox, text: string, binding: Binding): string[] {
  try {
    return [box.open(text, binding)];
  } catch {
    return []; // Of another place.
  }
}
