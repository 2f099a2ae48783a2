import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { asOwner } from '../../../test/database.ts';
import {
  acmes,
  alices,
  groups,
  masterKeysWorld,
  newEntry,
  sealedTexts,
  shared,
  store,
  textsByKey,
} from '../../../test/master-keys-world.ts';
import type { Db } from '../../platform/db/index.ts';
import type { Binding } from '../binding.ts';
import { masterKeysApi as api, type UnreadableSecret } from '../contract.ts';
import { payloadOf } from '../sealing/seal.ts';
import type { SecretBox } from '../sealing/secret-box.ts';
import { sealedTables } from './sealed-store.ts';

const [k1, k2, k3] = [newEntry(), newEntry(), newEntry()];

/** A secret in every table, and what opens each again. */
async function fill(db: Db, box: SecretBox): Promise<{ openAll(box: SecretBox): Promise<string[]> }> {
  const accounts: Binding = { ...alices, name: 'oauth:account' };
  const put: readonly (readonly [string, Binding])[] = [
    ['of acme', acmes],
    ['shared', shared],
    ['of Ops', groups],
    ['of alice', alices],
  ];
  for (const [secret, to] of put) await store(db, box.seal(secret, to), to);
  const sealed = (secret: string) => box.seal(secret, accounts);
  await sql`insert into mcp_proxy.user_accounts (tenant_id, user_email, server_id, issuer, client_id, resource, state, sealed)
    values ('acme', 'alice@acme.com', 'github', 'https://as.example', 'c', 'https://x', 'connected', ${sealed('account')})`.execute(
    db,
  );
  await sql`insert into mcp_proxy.oauth_clients (server_id, issuer, source, client_id, sealed, updated_by)
    values ('github', 'https://as.example', 'stored', 'c', ${sealed('client')}, 'test'),
      ('files', 'https://as.example', 'stored', 'public', null, 'test')`.execute(db);
  await sql`insert into mcp_proxy.oauth_attempts (id, user_email, server_id, sealed, expires_at)
    values ('one', 'alice@acme.com', 'github', ${sealed('attempt')}, now() + interval '1 hour')`.execute(db);
  return {
    async openAll(with_) {
      const texts = [...(await sealedTexts(db))].sort(([a], [b]) => a.localeCompare(b));
      const bindings = [
        ...put.map(([, to]) => to),
        accounts,
        { ...shared, server: '', name: 'sealed state' },
      ];
      return texts.map(([, text]) => {
        const opened = bindings.flatMap((binding) => tryOpen(with_, text, binding));
        return opened[0] ?? 'closed';
      });
    },
  };
}

function tryOpen(box: SecretBox, text: string, binding: Binding): string[] {
  try {
    return [box.open(text, binding)];
  } catch {
    return []; // Of another place.
  }
}

test('every column with sealed texts is among those that a rotation goes over', async () => {
  const { db } = await masterKeysWorld();
  const { rows } = await sql<{ name: string }>`
    select table_name as name from information_schema.columns
    where table_schema = 'mcp_proxy' and (column_name = 'sealed' or column_name like '%sealed%')
      and table_name in (select table_name from information_schema.tables where table_type = 'BASE TABLE')
    order by 1`.execute(db);
  expect(rows.map(({ name }) => name)).toEqual(sealedTables.map(({ name }) => name).sort());
});

test('everything is sealed under the other key, by nothing but another wrapping', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  const { openAll } = await fill(db, one.box);
  const [before, secrets] = [await sealedTexts(db), await openAll(one.box)];
  expect(secrets).not.toContain('closed');
  const { rows: stamps } =
    await sql`select updated_at, updated_by from mcp_proxy.credentials order by id`.execute(db);

  const answer = await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  expect(answer).toMatchObject({ to: k2.id, wasMade: false, total: 8 });
  await expect.poll(() => one.ask(api.masterKeyRotation)).toMatchObject({ done: 8, remaining: 0, failed: 0 });

  const after = await sealedTexts(db);
  expect(await textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 8 });
  for (const [row, text] of before) expect(payloadOf(after.get(row) ?? '')).toBe(payloadOf(text));
  expect(await openAll(one.box)).toEqual(secrets);
  expect(
    (await sql`select updated_at, updated_by from mcp_proxy.credentials order by id`.execute(db)).rows,
  ).toEqual(stamps);
  // The other key alone is enough now.
  await one.close();
  const alone = await start([k2.text]);
  expect(await openAll(alone.box)).toEqual(secrets);
  expect(alone.problem()).toBeNull();
});

test('secrets are sealed under the new key from then on, in every process', async () => {
  const { db, start } = await masterKeysWorld();
  const [one, two] = [await start([k1.text, k2.text]), await start([k2.text, k1.text])];
  expect([one, two].map(({ box }) => box.keyIdOf(box.seal('x', acmes)))).toEqual([k1.id, k1.id]);
  await one.ask(api.rotateMasterKey, { body: { to: k2.id } });
  expect(one.box.keyIdOf(one.box.seal('x', acmes))).toBe(k2.id);
  await expect.poll(() => two.box.keyIdOf(two.box.seal('x', acmes))).toBe(k2.id);
  expect(await auditActions(db)).toEqual(['master_key.rotate']);
});

test('a key that another process does not have is not put in force', async () => {
  const { db, start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  await start([k1.text]);
  await expect(one.ask(api.rotateMasterKey, { body: { to: k2.id } })).rejects.toMatchObject({
    code: 'master_key_not_everywhere',
    message: expect.stringContaining(`1 other process has not got the master key ${k2.id}`),
  });
  expect(await auditActions(db)).toEqual([]);
  expect((await one.ask(api.listMasterKeys)).inForce).toBe(k1.id);
});

test('nor one that this process does not have, or that was retired, or while nobody can be asked', async () => {
  const { start } = await masterKeysWorld();
  const one = await start([k1.text, k2.text]);
  await expect(one.ask(api.rotateMasterKey, { body: { to: k3.id } })).rejects.toMatchObject({
    code: 'master_key_missing',
  });
  await one.ask(api.retireMasterKey, { params: { id: k2.id } });
  await expect(one.ask(api.rotateMasterKey, { body: { to: k2.id } })).rejects.toMatchObject({
    code: 'master_key_retired',
  });
  one.bus.awaySince = () => new Date();
  await expect(one.ask(api.rotateMasterKey, { body: {} })).rejects.toThrow('cannot be asked');
});

test('with a key file of our own a key is made for it, and found by every process that reads the file', async () => {
  const { db, start } = await masterKeysWorld();
  const dataDir = await mkdtemp(path.join(tmpdir(), 'toolgate-keys-'));
  onTestFinished(() => rm(dataDir, { recursive: true, force: true }));
  const [one, two] = [await start({ dataDir }), await start({ dataDir })];
  await store(db, one.box.seal('of acme', acmes), acmes);
  const answer = await one.ask(api.rotateMasterKey, { body: {} });
  expect(answer.wasMade).toBe(true);
  expect((await readFile(path.join(dataDir, 'master.key'), 'utf8')).trim().split('\n')).toHaveLength(2);
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${answer.to}`]: 2 });
  await expect.poll(() => two.keys.current().id).toBe(answer.to);
  const [text = ''] = [...(await sealedTexts(db)).values()].filter(
    (one_) => tryOpen(two.box, one_, acmes).length > 0,
  );
  expect(two.box.open(text, acmes)).toBe('of acme');
});

test('a key that was just written into a file of the operator is found by every process, without a restart', async () => {
  const { db, start } = await masterKeysWorld();
  const folder = await mkdtemp(path.join(tmpdir(), 'toolgate-keys-'));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  const file = path.join(folder, 'keys');
  await writeFile(file, k1.text, { mode: 0o600 });
  const [one, two] = [await start({ file }), await start({ file })];
  await writeFile(file, `${k2.text}\n${k1.text}\n`);
  const answer = await one.ask(api.rotateMasterKey, { body: {} });
  expect(answer).toMatchObject({ to: k2.id, wasMade: false });
  await expect.poll(() => textsByKey(db)).toEqual({ [`v2.${k2.id}`]: 1 });
  await expect.poll(() => two.keys.current().id).toBe(k2.id);
  expect(await readFile(file, 'utf8')).toBe(`${k2.text}\n${k1.text}\n`);
});

test('a key that was made for a rotation which was refused is taken the next time', async () => {
  const { start } = await masterKeysWorld();
  const folders = await Promise.all([1, 2].map(() => mkdtemp(path.join(tmpdir(), 'toolgate-keys-'))));
  onTestFinished(async () => {
    for (const folder of folders) await rm(folder, { recursive: true, force: true });
  });
  const one = await start({ dataDir: folders[0] ?? '' });
  const stranger = await start([(await readFile(path.join(folders[0] ?? '', 'master.key'), 'utf8')).trim()]);
  await expect(one.ask(api.rotateMasterKey, { body: {} })).rejects.toMatchObject({
    code: 'master_key_not_everywhere',
  });
  await stranger.close();
  expect(await one.ask(api.rotateMasterKey, { body: {} })).toMatchObject({ wasMade: false });
  const lines = (await readFile(path.join(folders[0] ?? '', 'master.key'), 'utf8')).trim().split('\n');
  expect(lines).toHaveLength(2);
});

test('what cannot be opened stays as it is, and is told with whose it is and why', async () => {
  const { db, start } = await masterKeysWorld();
  const lost = await start([k3.text]);
  const foreign = lost.box.seal('under a lost key', acmes);
  await lost.close();
  await asOwner(db, (owner) =>
    sql`truncate mcp_proxy.master_keys, mcp_proxy.installation_secrets`.execute(owner),
  );
  const two = await start([k1.text, k2.text]);
  await store(db, foreign, acmes);
  await store(db, 'ghp_plaintext-canary', shared);
  const damaged = two.box.seal('of alice', alices);
  const parts = damaged.split('.');
  parts[2] = `${parts[2]?.startsWith('A') ? 'B' : 'A'}${parts[2]?.slice(1)}`;
  await store(db, parts.join('.'), alices);
  await store(db, two.box.seal('of Ops', groups), groups);

  await two.ask(api.rotateMasterKey, { body: { to: k2.id } });
  let failures: readonly UnreadableSecret[] = [];
  const look = async () => {
    const progress = await two.ask(api.masterKeyRotation);
    failures = progress.failures;
    return progress;
  };
  await expect.poll(look).toMatchObject({ running: false, done: 2, remaining: 0, failed: 3 });
  expect(
    failures.map(({ level, owner, server, name, keyId, reason }) => [
      level,
      owner,
      server,
      name,
      keyId,
      reason,
    ]),
  ).toEqual(
    expect.arrayContaining([
      ['user', 'alice@acme.com', 'github', 'default', k1.id, expect.stringContaining('was changed')],
      ['tenant', 'acme', 'github', 'default', k3.id, expect.stringContaining('needs a master key')],
      ['shared', null, 'github', 'default', null, expect.stringContaining('not in a sealed form')],
    ]),
  );
  const texts = [...(await sealedTexts(db)).values()];
  expect(texts).toEqual(expect.arrayContaining([foreign, 'ghp_plaintext-canary', parts.join('.')]));
  expect(JSON.stringify(failures) + two.lines.join()).not.toContain('canary');
});

async function auditActions(db: Db): Promise<string[]> {
  const { rows } = await sql<{ action: string }>`select action from mcp_proxy.audit_log order by id`.execute(
    db,
  );
  return rows.map(({ action }) => action);
}
