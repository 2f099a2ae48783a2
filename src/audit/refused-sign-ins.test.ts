import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { callRecord } from '../../test/call-record.ts';
import { renameTable, testDatabase } from '../../test/database.ts';
import { createLog } from '../platform/log.ts';
import type { CallRecord } from './contract.ts';
import { refusedBecause } from './refused-because.ts';
import { watchRefusedSignIns } from './refused-sign-ins.ts';

const minute = 60_000;
const refused = { outcome: 'unauthenticated', status: 401, reason: 'unauthenticated' } as const;

async function watching() {
  const database = await testDatabase();
  const { db } = database;
  const clock = { now: Date.UTC(2026, 10, 20) };
  const watch = watchRefusedSignIns({ db, log: createLog('silent'), clock: () => clock.now });
  onTestFinished(() => watch.close());
  const refuse = (times: number, clientIp = '192.0.2.1', refusal = 'token_unknown') => {
    for (let at = 0; at < times; at += 1) watch.see(callRecord({ ...refused, refusal, clientIp }));
  };
  const events = async () => {
    const { rows } = await sql<{ address: string; ip: string | null; after: { refused: number } }>`
      select target_id as address, client_ip as ip, after from mcp_proxy.audit_log
      where action = 'sign_in.refused' order by id`.execute(db);
    return rows;
  };
  return { db, clock, watch, refuse, events };
}

test('one refused sign-in is an event, with its reason and address', async () => {
  const { watch, refuse, events } = await watching();
  refuse(1);
  await watch.flush();
  const after = { refused: 1, since: '2026-11-20T00:00:00.000Z', reasons: { token_unknown: 1 } };
  expect(await events()).toEqual([{ address: '192.0.2.1', ip: '192.0.2.1', after }]);
});

test('however many there are in a minute, they are one event that counts them', async () => {
  const { watch, refuse, events } = await watching();
  refuse(5_000);
  refuse(3, '192.0.2.1', 'token_expired');
  refuse(2, '2001:db8::1');
  await watch.flush();
  expect((await events()).map(({ address, after }) => [address, after])).toEqual([
    [
      '192.0.2.1',
      expect.objectContaining({ refused: 5_003, reasons: { token_unknown: 5_000, token_expired: 3 } }),
    ],
    ['2001:db8::1', expect.objectContaining({ refused: 2 })],
  ]);
});

test('an address that goes on for a day is told of a few dozen times, and every refusal is in the sum', async () => {
  const { clock, watch, refuse, events } = await watching();
  for (let at = 0; at < 24 * 60; at += 1) {
    refuse(2);
    await watch.flush();
    clock.now += minute;
  }
  await watch.close();
  const told = await events();
  expect(told.length).toBeLessThan(40);
  expect(told.reduce((sum, { after }) => sum + after.refused, 0)).toBe(2 * 24 * 60);
});

test('from however many addresses it comes, the log is not filled, and none of it is left out of the sum', async () => {
  const { clock, watch, events } = await watching();
  for (let at = 0; at < 12_000; at += 1)
    watch.see(callRecord({ ...refused, refusal: `made-up-${at}`, clientIp: `2001:db8::${at.toString(16)}` }));
  await watch.flush();
  clock.now += minute;
  await watch.flush();
  const told = await events();
  expect(told.length).toBeLessThan(105);
  expect(told.at(-1)).toMatchObject({ address: '*', ip: null });
  expect(told.reduce((sum, { after }) => sum + after.refused, 0)).toBe(12_000);
  expect(JSON.stringify(told.at(-1)).length).toBeLessThan(1_000);
});

test('what the database does not take waits, and is told of when it does', async () => {
  const { db, watch, refuse, events } = await watching();
  await renameTable(db, 'audit_log', 'audit_log_away');
  refuse(3);
  await watch.flush();
  await renameTable(db, 'audit_log_away', 'audit_log');
  refuse(1);
  await watch.flush();
  expect(await events()).toMatchObject([{ after: { refused: 4 } }]);
});

test.each<[string, Partial<CallRecord>, string | undefined]>([
  ['a call that went well', {}, undefined],
  ['a client that asks how to sign in', { ...refused, refusal: 'no_credential' }, undefined],
  ['a token that nobody has', { ...refused, refusal: 'token_unknown' }, 'token_unknown'],
  [
    'a wrong token of somebody who hangs up first',
    { outcome: 'cancelled', status: 401, reason: 'client_gone' },
    'client_gone',
  ],
  ['a token that was pasted into the form', { face: 'http', ...refused, reason: 'http_401' }, 'http_401'],
  [
    'a sign-in service that says no',
    { face: 'http', endpoint: '/gateway/sign-in/callback', status: 400, outcome: 'bad_request' },
    'sign_in_failed',
  ],
  [
    'a wrong password at Open WebUI',
    { face: 'webui', endpoint: '/api/v1/auths/signin', status: 400, outcome: 'bad_request' },
    'open_webui_sign_in',
  ],
  [
    'a page of Open WebUI before anybody signed in',
    { face: 'webui', endpoint: '/api/v1/auths/', ...refused },
    undefined,
  ],
  ['somebody disabled', { status: 403, outcome: 'denied', reason: 'user_disabled' }, 'user_disabled'],
  [
    'somebody who is no administrator',
    { face: 'http', status: 403, outcome: 'denied', reason: 'not_an_admin' },
    'not_an_admin',
  ],
  [
    'a web page of somebody else',
    { face: 'http', status: 403, outcome: 'denied', reason: 'origin_not_allowed' },
    'origin_not_allowed',
  ],
  ['a tool that is not theirs', { status: 403, outcome: 'denied', reason: 'tool_denied' }, undefined],
  [
    'a limit',
    { status: 429, outcome: 'rate_limited', reason: 'rate_limited', endpoint: '/api/v1/auths/signin' },
    undefined,
  ],
])('%s', (_, over, reason) => {
  expect(refusedBecause(callRecord(over))).toBe(reason);
});
