import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { asOwner } from '../../../test/database.ts';
import { acmes, alices, groups, masterKeysWorld, newEntry, shared } from '../../../test/master-keys-world.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Binding } from '../binding.ts';
import type { SecretBox } from '../sealing/secret-box.ts';

const k1 = newEntry();
const globex: Binding = { ...acmes, tenant: 'globex', owner: { level: 'tenant', id: 'globex' } };

function tryOpen(box: SecretBox, text: string, at: Binding): unknown {
  try {
    return box.open(text, at);
  } catch (error) {
    return error;
  }
}

async function refusals(db: Db) {
  const { rows } = await sql<{
    target_id: string;
    tenant_id: string | null;
    after: Record<string, unknown>;
    actor: string;
  }>`
    select actor, target_id, tenant_id, after from mcp_proxy.audit_log where action = 'credential.refused'
    order by id`.execute(db);
  return rows;
}

test.each<[string, Binding, Binding]>([
  ['a tenant’s on another tenant', acmes, globex],
  ['a shared one on a tenant', shared, acmes],
  ['a tenant’s on everybody', acmes, shared],
  ['one of another name', { ...acmes, name: 'second' }, acmes],
  ['one of another server', { ...acmes, server: 'files' }, acmes],
  ['a group’s on a user', groups, alices],
  ['a user’s account on the same user’s key', { ...alices, name: 'oauth:account' }, alices],
])(
  'a sealed text that was put where it does not belong, %s, is in the audit log',
  async (_what, from, to) => {
    const { db, start } = await masterKeysWorld();
    const one = await start([k1.text]);
    const text = one.box.seal('canary-secret', from);
    expect(tryOpen(one.box, text, to)).toMatchObject({ code: 'credential_unreadable' });
    await expect.poll(() => refusals(db)).toHaveLength(1);
    const [entry] = await refusals(db);
    expect(entry).toMatchObject({
      actor: 'toolgate',
      target_id: to.server,
      tenant_id: to.tenant,
      after: { level: to.owner.level, owner: to.owner.id, name: to.name },
    });
    expect(JSON.stringify(entry) + one.lines.join()).not.toContain('canary');
    expect(JSON.stringify(entry)).not.toContain(text);
    expect(one.lines.join()).toContain('a stored secret is refused');
  },
);

test('it is there once for each text, however often and by however many processes it is met', async () => {
  const { db, start } = await masterKeysWorld();
  const all = [await start([k1.text]), await start([k1.text]), await start([k1.text])];
  const texts = [all[0]?.box.seal('a', acmes) ?? '', all[0]?.box.seal('a', acmes) ?? ''];
  for (let n = 0; n < 5; n++) for (const { box } of all) for (const text of texts) tryOpen(box, text, globex);
  for (const one of all) await one.close();
  expect(await refusals(db)).toHaveLength(2);
});

test('a secret whose master key is not here is no forgery', async () => {
  const { db, start } = await masterKeysWorld();
  const other = await start([newEntry().text]);
  const one = await start([k1.text]);
  tryOpen(one.box, other.box.seal('a', acmes), acmes);
  await one.close();
  expect(await refusals(db)).toEqual([]);
});

test('what could not be written is written when it is met again', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text]);
  const text = one.box.seal('a', acmes);
  await asOwner(db, (owner) => sql`alter table mcp_proxy.audit_log rename to away`.execute(owner));
  tryOpen(one.box, text, globex);
  await expect.poll(() => one.lines.join()).toContain('could not be written');
  await asOwner(db, (owner) => sql`alter table mcp_proxy.away rename to audit_log`.execute(owner));
  await expect
    .poll(async () => {
      tryOpen(one.box, text, globex);
      return (await refusals(db)).length;
    })
    .toBe(1);
});

test('thousands of changed rows are answered at once, and end in the log', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text]);
  for (let n = 0; n < 300; n++) tryOpen(one.box, `plaintext ${n}`, acmes);
  await one.close();
  const found = (await refusals(db)).length;
  expect(found).toBeGreaterThan(0);
  expect(found).toBeLessThanOrEqual(300);
});
