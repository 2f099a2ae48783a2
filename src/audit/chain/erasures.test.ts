// What an erasure leaves is in the chain as well: in a database, in an export, and for the script in docs/audit.md.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { type RawBuilder, sql } from 'kysely';
import { describe, expect, onTestFinished, test } from 'vitest';
import { change, recordedWorld, tamper } from '../../../test/audit-world.ts';
import { asOwner } from '../../../test/database.ts';
import type { Database, Db } from '../../platform/db/index.ts';
import { type Verification, verificationText } from '../contract.ts';
import { exportAudit } from '../export.ts';
import { eraseAudit } from '../personal/personal-store.ts';
import { addAudit, writeAudit } from '../store.ts';
import { verifyExport } from './exported-chain.ts';
import { verifyChain } from './verify.ts';

const log = sql`mcp_proxy.audit_log`;
const chain = sql`mcp_proxy.audit_chain`;
const [bobs, alices, forged] = ['b', 'a', 'f'].map((digit) => `erased-${digit.repeat(16)}`) as [
  string,
  string,
  string,
];

/** As src/audit/personal/routes.ts erases; `over` is what somebody else would make of its record. */
function erase(db: Db, email: string, pseudonym: string, over: object = {}): Promise<string> {
  return asOwner(db, (owner) =>
    owner.transaction().execute(async (trx) => {
      const { erasure, left } = await eraseAudit(trx, { email, pseudonym });
      const said = { action: 'user.erase', targetKind: 'user', targetId: pseudonym, after: { left } };
      return addAudit(trx, change({ actor: 'root@acme.com', before: undefined, ...said, ...over }), erasure);
    }),
  );
}

/** Five records of alice, then one that names bob, with two places for an erasure. */
async function world(): Promise<Database> {
  const database = await recordedWorld(5);
  const told = { members: ['bob@acme.com', 'x@acme.com'] };
  await writeAudit(database.db, change({ actor: 'bob@acme.com', after: told, clientIp: '192.0.2.1' }));
  return database;
}

async function exported(db: Db, made: (line: string) => string): Promise<string> {
  const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-erasures-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = path.join(folder, 'changes.jsonl');
  const lines = (await exportAudit(db, 'jsonl', {}).text()).trimEnd().split('\n');
  writeFileSync(file, lines.map((line) => `${made(line)}\n`).join(''));
  return file;
}

const none = { anchors: [], keys: [] };
const same = (line: string) => line;

/** The script that docs/audit.md gives to whoever has no Toolgate. */
function byScript(file: string): Pick<Verification, 'ok'> & { text: string } {
  const page = readFileSync(new URL('../../../docs/audit.md', import.meta.url), 'utf8');
  const script = /```python\n(.*?)```/s.exec(page)?.[1] ?? '';
  const { status, stdout, stderr } = spawnSync('python3', ['-c', script], {
    input: readFileSync(file),
    encoding: 'utf8',
  });
  expect(stderr).toBe('');
  return { ok: status === 0, text: stdout };
}

const byTheScript: [string, (db: Db) => Promise<{ ok: boolean }>] = [
  'the script',
  async (db) => byScript(await exported(db, same)),
];
const hasPython = spawnSync('python3', ['--version']).status === 0;

describe.each<[string, (db: Db) => Promise<{ ok: boolean }>]>([
  ['a database', (db) => verifyChain(db)],
  ['an export', async (db) => verifyExport(await exported(db, same), none)],
  ...(hasPython ? [byTheScript] : []),
])('to %s', (_, verify) => {
  test('erasures one after the other are in order, also of the same part', async () => {
    const { db } = await world();
    await writeAudit(
      db,
      change({ actor: 'root@acme.com', after: { members: ['bob@acme.com', 'alice@acme.com'] } }),
    );
    await erase(db, 'bob@acme.com', bobs);
    await writeAudit(db, change({ actor: 'carol@acme.com' }));
    await erase(db, 'alice@acme.com', alices);
    await erase(db, 'root@acme.com', `erased-${'c'.repeat(16)}`);
    expect(await verify(db)).toMatchObject({ ok: true });
  });

  const salts = sql`array[null, null, null, null, null, null]::uuid[]`;
  const entry = (by: string, text: string) =>
    sql`jsonb_build_array(jsonb_build_array(${by}::text, 'actor', mcp_proxy.audit_left(${text})))`;
  test.each<[string, (erasure: string) => RawBuilder<unknown>[]]>([
    [
      'a record that was erased, with another text and the pseudonym in it',
      () => [sql`update ${log} set target_id = ${`harmless ${bobs}`} where id = 6`],
    ],
    [
      'another text where the person stood',
      () => [sql`update ${log} set actor = ${`carol@acme.com ${bobs}`} where id = 6`],
    ],
    [
      'an address where one was taken away',
      () => [sql`update ${log} set client_ip = '192.0.2.7' where id = 6`],
    ],
    [
      'another text where the person stood, listed anew',
      () => [
        sql`update ${log} set actor = ${`carol@acme.com ${bobs}`} where id = 6`,
        sql`update ${chain} set erasures = jsonb_set(erasures, '{0,2}', to_jsonb(mcp_proxy.audit_left(${`carol@acme.com ${bobs}`}))) where seq = 6`,
      ],
    ],
    [
      'a record that pretends to belong to an erasure',
      (erasure) => [
        sql`update ${log} set actor = ${forged}, target_id = ${forged}, before = null, after = null, request_id = null where id = 2`,
        sql`update ${chain} set salts = ${salts}, erased_by = ${erasure}::bigint where seq = 2`,
      ],
    ],
    [
      'a record that pretends so, and is listed',
      (erasure) => [
        sql`update ${log} set actor = ${bobs} where id = 2`,
        sql`update ${chain} set salts = array_prepend(null, salts[2:6]), erased_by = ${erasure}::bigint, erasures = ${entry(erasure, bobs)} where seq = 2`,
      ],
    ],
    [
      'a record that pretends to belong to a record that erased nothing',
      () => [
        sql`update ${log} set actor = ${bobs} where id = 2`,
        sql`update ${chain} set salts = array_prepend(null, salts[2:6]), erased_by = 3, erasures = ${entry('3', bobs)} where seq = 2`,
      ],
    ],
    ['a list that is gone', () => [sql`update ${chain} set erasures = '[]' where seq = 6`]],
    [
      'another list in the record of the erasure',
      (erasure) => [
        sql`update ${log} set after = '{"left":{"parts":0,"list":""}}' where id = ${erasure}::bigint`,
      ],
    ],
    [
      'a record of an erasure whose own list was taken away',
      (erasure) => [
        sql`update ${log} set after = null where id = ${erasure}::bigint`,
        sql`update ${chain} set salts[4] = null where audit_id = ${erasure}::bigint`,
      ],
    ],
  ])('%s shows', async (_name, tricks) => {
    const { db } = await world();
    const erasure = await erase(db, 'bob@acme.com', bobs);
    expect(await verify(db)).toMatchObject({ ok: true });
    await tamper(db, ...tricks(erasure));
    expect(await verify(db)).toMatchObject({ ok: false });
  });

  test('an erasure that names another pseudonym than it left shows', async () => {
    const { db } = await world();
    await erase(db, 'bob@acme.com', bobs, { targetId: forged });
    expect(await verify(db)).toMatchObject({ ok: false });
  });

  test('an erasure that says nothing of what it left shows', async () => {
    const { db } = await world();
    await erase(db, 'bob@acme.com', bobs, { after: { users: 1 } });
    expect(await verify(db)).toMatchObject({ ok: false });
  });
});

test('what was changed is named', async () => {
  const { db } = await world();
  await erase(db, 'bob@acme.com', bobs);
  await tamper(db, sql`update ${log} set actor = ${forged} where id = 6`);
  expect((await verifyChain(db)).problem).toMatchObject({ kind: 'changed', record: '6', message: /actor/ });
});

test('two erasures at once take nothing back from each other', async () => {
  const { db } = await recordedWorld(1);
  const members = ['bob@acme.com', 'dora@acme.com'];
  for (let at = 0; at < 30; at += 1) await writeAudit(db, change({ after: { members } }));
  await Promise.all([erase(db, members[0]!, bobs), erase(db, members[1]!, forged)]);
  const { rows } = await sql`
    select distinct after from ${log} where after ? 'members' or after::text ~ '(bob|dora)@'`.execute(db);
  expect(rows).toEqual([{ after: { members: [bobs, forged] } }]);
  expect(await verifyChain(db)).toMatchObject({ ok: true, erased: 30 });
});

test('an export of the version before asks for a new one, and finds what else was changed', async () => {
  const { db } = await world();
  await erase(db, 'bob@acme.com', bobs, { after: { users: 1 } });
  const file = await exported(db, (line) => {
    const { chain: place, ...record } = JSON.parse(line);
    return JSON.stringify({ ...record, chain: { ...place, erasures: undefined } });
  });
  expect(await verifyExport(file, none)).toMatchObject({ ok: false, problem: { kind: 'erasures_unknown' } });
  if (hasPython) expect(byScript(file)).toMatchObject({ ok: false, text: expect.stringMatching(/anew/) });
  writeFileSync(file, readFileSync(file, 'utf8').replace('group-2', 'group-9'));
  expect(await verifyExport(file, none)).toMatchObject({ problem: { kind: 'changed', record: '2' } });
});

test('how many records of the version before cannot be shown is said', () => {
  const found = { ok: true, records: 9, erased: 2, unproved: 1, head: null, problem: null, anchors: 0 };
  const { said } = verificationText.parse({ ...found, unreadable: [] });
  expect(said).toMatch(/Of 1 of these, a version before erased/);
});
