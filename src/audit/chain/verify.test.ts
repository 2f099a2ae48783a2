import { sql } from 'kysely';
import { describe, expect, test } from 'vitest';
import { change, recordedWorld, tamper } from '../../../test/audit-world.ts';
import { asOwner, testDatabase } from '../../../test/database.ts';
import { writeAudit } from '../store.ts';
import { chainHead } from './chain-store.ts';
import { verifyChain } from './verify.ts';

const log = sql`mcp_proxy.audit_log`;
const chain = sql`mcp_proxy.audit_chain`;

test('an empty chain is in order', async () => {
  const { db } = await testDatabase();
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 0, head: null, problem: null });
});

test('records are chained in order, whatever is in them', async () => {
  const { db } = await recordedWorld(3);
  const odd = { 'ключ "\\': ['\u2028\u0001\t', 1e21, -0.5, null, true, { é: '🎉' }], empty: {} };
  await writeAudit(db, change({ before: odd, after: undefined, tenant: null, requestId: null }));
  const found = await verifyChain(db);
  expect(found).toMatchObject({ ok: true, records: 4, erased: 0 });
  expect(found.head).toEqual(await chainHead(db));
});

describe('found, by the first record that it concerns:', () => {
  const columns = [
    ...[
      "actor = 'mallory'",
      "action = 'group.read'",
      "target_kind = 'x'",
      "target_id = 'x'",
      'tenant_id = null',
    ],
    ...["before = '{}'", 'after = null', "request_id = 'r-2'", "client_ip = '192.0.2.1'"],
    "timestamp = timestamp - interval '1 microsecond'",
  ];
  test.each(columns)('a record with another %s', async (assignment) => {
    const { db } = await recordedWorld(5);
    await tamper(db, sql`update ${log} set ${sql.raw(assignment)} where id = 3`);
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'changed', record: '3', seq: 3 });
  });

  test('a deleted record', async () => {
    const { db } = await recordedWorld(5);
    await tamper(db, sql`delete from ${log} where id = 3`);
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'missing', record: '3' });
  });

  test('a record deleted together with its place', async () => {
    const { db } = await recordedWorld(5);
    await tamper(db, sql`delete from ${log} where id = 3`, sql`delete from ${chain} where seq = 3`);
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'missing', seq: 4 });
  });

  test('a record deleted together with its place, and the places after it moved up', async () => {
    const { db } = await recordedWorld(5);
    await tamper(
      db,
      sql`delete from ${log} where id = 3`,
      sql`delete from ${chain} where seq = 3`,
      sql`update ${chain} set seq = -seq where seq > 3`,
      sql`update ${chain} set seq = -seq - 1 where seq < 0`,
    );
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'missing', record: '4' });
  });

  test('two places in the other order', async () => {
    const { db } = await recordedWorld(5);
    await tamper(
      db,
      sql`update ${chain} set seq = 100 where seq = 2`,
      sql`update ${chain} set seq = 2 where seq = 3`,
      sql`update ${chain} set seq = 3 where seq = 100`,
    );
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'reordered', seq: 2, record: '3' });
  });

  test('two records whose contents were exchanged', async () => {
    const { db } = await recordedWorld(5);
    await tamper(
      db,
      sql`update ${log} a set target_id = b.target_id from ${log} b where (a.id, b.id) in ((2, 4), (4, 2))`,
    );
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'changed', record: '2' });
  });

  test('a record that was put in past the chain', async () => {
    const { db } = await recordedWorld(2);
    await tamper(
      db,
      sql`insert into ${log} (actor, action, target_kind, target_id) values ('a', 'b', 'c', 'd')`,
    );
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'unchained', record: '3' });
  });

  test('a record that pretends to be erased', async () => {
    const { db } = await recordedWorld(3);
    const erased = sql`array[null, salts[2], salts[3], salts[4], salts[5], salts[6]]::uuid[]`;
    await tamper(
      db,
      sql`update ${log} set actor = 'erased-0123456789abcdef' where id = 2`,
      sql`update ${chain} set salts = ${erased}, erased_by = 3 where seq = 2`,
    );
    expect((await verifyChain(db)).problem).toMatchObject({
      ...{ kind: 'changed', record: '2' },
      message: /actor/,
    });
  });

  test.each([
    ['a commitment', sql`commitments = commitments[2:6] || commitments[1]`],
    ['a digest', sql`digest = sha256('x')`],
    ['a hash', sql`hash = sha256('x')`],
    ['a salt', sql`salts = array_append(salts[1:5], null)`],
  ])('another %s in the chain itself', async (_, assignment) => {
    const { db } = await recordedWorld(3);
    await tamper(db, sql`update ${chain} set ${assignment} where seq = 2`);
    expect((await verifyChain(db)).problem).toMatchObject({ kind: 'changed', seq: 2 });
  });
});

test('nobody changes or deletes a record, or empties the table: not the owner either', async () => {
  const { db } = await recordedWorld(2);
  const attempts = [
    ...[sql`update ${log} set actor = 'x'`, sql`delete from ${log}`, sql`truncate ${log}`],
    ...[sql`update ${chain} set hash = '\\x00'`, sql`delete from ${chain}`, sql`truncate ${chain}`],
  ];
  for (const attempt of attempts) {
    await expect(asOwner(db, (owner) => attempt.execute(owner))).rejects.toMatchObject({ code: '23001' });
    await expect(attempt.execute(db)).rejects.toMatchObject({ code: '42501' });
  }
  expect((await verifyChain(db)).records).toBe(2);
});

test('transactions at the same time are chained one after the other, and those that fail leave no gap', async () => {
  const { db } = await testDatabase();
  const work = Array.from({ length: 60 }, (_, at) =>
    db.transaction().execute(async (trx) => {
      await writeAudit(trx, change({ targetId: `first-${at}` }));
      if (at % 7 === 0) throw new Error('undone');
      await writeAudit(trx, change({ targetId: `second-${at}` }));
    }),
  );
  await Promise.allSettled(work);
  const undone = Math.ceil(60 / 7);
  expect(await verifyChain(db)).toMatchObject({ ok: true, records: 2 * (60 - undone) });
});

test('a tenant’s own change is chained, though the tenant sees nothing of the chain', async () => {
  const { db, forTenant } = await recordedWorld(1);
  await writeAudit(forTenant('acme'), change());
  expect(await chainHead(forTenant('acme'))).toBeUndefined();
  expect((await verifyChain(db)).records).toBe(2);
});
