import { sql } from 'kysely';
import { expect, test } from 'vitest';
import { callRecord } from '../../test/call-record.ts';
import { testDatabase } from '../../test/database.ts';
import type { Db } from '../platform/db/index.ts';
import { createLog } from '../platform/log.ts';
import { watchRefusedSignIns } from './refused-sign-ins.ts';

const events = async (db: Db) =>
  (await sql`select target_id, after from mcp_proxy.audit_log order by id`.execute(db)).rows;

async function watching() {
  const { db } = await testDatabase();
  const clock = { now: 1_000_000 };
  const see = watchRefusedSignIns({ db, log: createLog('silent'), clock: () => clock.now });
  const refuse = (times: number, clientIp = '192.0.2.1') => {
    for (let at = 0; at < times; at += 1)
      see(callRecord({ outcome: 'unauthenticated', reason: 'token_unknown', clientIp }));
  };
  return { db, clock, see, refuse };
}

test('an address that is refused again and again is told of, once', async () => {
  const { db, refuse } = await watching();
  refuse(500);
  const after = { refused: 30, minutes: 10, reason: 'token_unknown' };
  await expect.poll(() => events(db)).toEqual([{ target_id: '192.0.2.1', after }]);
});

test('a few refusals, and many that are spread over time, are not told of', async () => {
  const { db, clock, refuse, see } = await watching();
  refuse(29);
  clock.now += 601_000;
  refuse(29);
  for (let at = 0; at < 100; at += 1) see(callRecord({ outcome: 'ok' }));
  refuse(30, '192.0.2.2');
  await expect.poll(() => events(db)).toEqual([expect.objectContaining({ target_id: '192.0.2.2' })]);
});

test('from however many addresses it comes, the log of changes is not filled', async () => {
  const { db, refuse } = await watching();
  for (let at = 0; at < 150; at += 1) refuse(30, `192.0.2.${at}`);
  await expect.poll(async () => (await events(db)).length).toBe(100);
});
