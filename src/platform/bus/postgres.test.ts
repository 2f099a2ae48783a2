import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { testDatabase } from '../../../test/database.ts';
import { startOwnPostgres } from '../../../test/e2e/own-postgres.ts';
import { openDatabase } from '../db/index.ts';
import { createLog } from '../log.ts';
import { busContract } from './bus.contract.ts';
import { inChunks, Reassembly } from './chunks.ts';
import { everyone } from './contract.ts';
import { postgresTransport } from './postgres.ts';

const log = createLog('silent');

busContract('PostgreSQL', async () => postgresTransport(await testDatabase(), log));

test('when the database restarts, messages get through again, and meanwhile it says that they do not', async () => {
  const postgres = await startOwnPostgres();
  const database = await openDatabase({ url: postgres.url, dataDir: '', log });
  const open = postgresTransport(database, log);
  const heard: string[] = [];
  const a = await open('a', () => undefined);
  const b = await open('b', (text) => heard.push(text));
  a.publish('b', 'before');
  await expect.poll(() => heard).toEqual(['before']);
  await postgres.stop();
  a.publish(everyone, 'meanwhile');
  await expect.poll(() => a.awaySince()).toBeInstanceOf(Date);
  await postgres.start();
  await expect
    .poll(
      () => {
        a.publish('b', 'after');
        return heard;
      },
      { timeout: 30_000, interval: 100 },
    )
    .toContain('after');
  await expect.poll(() => a.awaySince()).toBeNull();
  await a.close();
  await b.close();
  await database.close();
}, 90_000);

test('what was said before the end is heard', async () => {
  const open = postgresTransport(await testDatabase(), log);
  const heard: string[] = [];
  const a = await open('c', () => undefined);
  const b = await open('d', (text) => heard.push(text));
  for (const text of ['1', '2', '3']) a.publish('d', text);
  await a.close();
  await expect.poll(() => heard).toEqual(['1', '2', '3']);
  await b.close();
});

test('what anybody may notify is ignored unless it is a piece, and is bounded', () => {
  let now = 0;
  const reassembly = new Reassembly(() => now);
  const id = randomUUID();
  for (const junk of ['', 'x', `${id},0,0,x`, `${id},1,1,x`, `${id},0,99999,x`, 'id,0,1,x', `${id},0,1`]) {
    expect(reassembly.take(junk)).toBeUndefined();
  }
  const [first = '', second = ''] = inChunks('x'.repeat(10_000));
  expect(reassembly.take(first)).toBeUndefined();
  expect(reassembly.take(first)).toBeUndefined();
  expect(reassembly.take(second)).toHaveLength(10_000);
  const [late = '', never = ''] = inChunks('y'.repeat(10_000));
  reassembly.take(late);
  now += 31_000;
  reassembly.take(`${randomUUID()},0,2,x`);
  expect(reassembly.take(never)).toBeUndefined();
  const [early = '', rest = ''] = inChunks('z'.repeat(10_000));
  reassembly.take(early);
  for (let at = 0; at < 1_000; at++) reassembly.take(`${randomUUID()},0,2,x`);
  expect(reassembly.take(rest)).toBeUndefined();
});

test('every piece fits into a notification', () => {
  for (const text of ['', 'x'.repeat(7_799), 'x'.repeat(7_800), 'x'.repeat(15_601)]) {
    const pieces = inChunks(text);
    expect(Math.max(...pieces.map((piece) => Buffer.byteLength(piece)))).toBeLessThan(8_000);
    const reassembly = new Reassembly(Date.now);
    expect(
      pieces
        .toReversed()
        .map((piece) => reassembly.take(piece))
        .at(-1),
    ).toBe(text);
  }
});
