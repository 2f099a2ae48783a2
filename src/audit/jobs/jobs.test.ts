import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { asOwner, testDatabase } from '../../../test/database.ts';
import type { Db } from '../../platform/db/index.ts';
import { createLog } from '../../platform/log.ts';
import { createJobs, type Job } from './jobs.ts';
import { takeTurn } from './jobs-store.ts';

function processOf(db: Db, run: Job['run'], everyMs = 3_600_000) {
  const jobs = createJobs({ db, log: createLog('silent'), jobs: [{ name: 'work', everyMs, run }] });
  onTestFinished(() => jobs.close());
  return jobs;
}

test('one process at a time has the turn, and hands over how far it came', async () => {
  const { db } = await testDatabase();
  const seen: unknown[] = [];
  let finish = () => {};
  const first = processOf(db, async ({ state, keep }) => {
    seen.push(state);
    await keep({ at: 1 });
    await new Promise<void>((resolve) => {
      finish = resolve;
    });
  });
  const second = processOf(db, async ({ state }) => void seen.push(state));
  const turn = first.run('work');
  await expect.poll(() => seen).toEqual([{}]);
  expect(await second.run('work')).toBe(false);
  finish();
  await turn;
  expect(await second.run('work')).toBe(true);
  expect(seen).toEqual([{}, { at: 1 }]);
});

test('the turn of a process that is gone ends by itself, and what it still keeps counts no more', async () => {
  const { db } = await testDatabase();
  let keep: (state: object) => Promise<void> = async () => undefined;
  const gone = processOf(db, async (turn) => {
    keep = turn.keep;
    await new Promise((_, reject) => turn.signal.addEventListener('abort', reject));
  });
  const turn = gone.run('work').catch(() => undefined);
  await expect.poll(async () => (await sql`select 1 from mcp_proxy.jobs`.execute(db)).rows.length).toBe(1);
  await asOwner(db, (owner) =>
    sql`update mcp_proxy.jobs set held_until = now() - interval '1 second'`.execute(owner),
  );
  expect(await processOf(db, async () => undefined).run('work')).toBe(true);
  await expect(keep({ at: 9 })).rejects.toThrow(/another process/);
  await gone.close();
  await turn;
});

test('work is done by itself, is not repeated before its time, and a failure is told until it works again', async () => {
  const { db } = await testDatabase();
  let runs = 0;
  let isBroken = true;
  const jobs = processOf(
    db,
    async () => {
      runs += 1;
      if (isBroken) throw new Error('broken');
    },
    1,
  );
  await expect.poll(() => jobs.failing().has('work')).toBe(true);
  isBroken = false;
  await expect.poll(() => jobs.failing().size).toBe(0);
  expect(runs).toBeGreaterThan(1);
  const slow = processOf(db, async () => void (runs = -1));
  await jobs.close();
  expect(await slow.run('work')).toBe(true);
  expect(runs).toBe(-1);
});

test('a job that comes seldom and failed is tried again soon', async () => {
  const { db } = await testDatabase();
  let runs = 0;
  const jobs = processOf(db, async () => {
    runs += 1;
    if (runs === 1) throw new Error('broken');
  });
  await expect.poll(() => jobs.failing().has('work'), { timeout: 20_000 }).toBe(true);
  await expect.poll(() => runs, { timeout: 30_000 }).toBe(2);
  await expect.poll(() => jobs.failing().size, { timeout: 20_000 }).toBe(0);
}, 60_000);

test('a job that failed is told of by every process until it worked, whoever has the turn', async () => {
  const { db } = await testDatabase();
  const broken = processOf(db, async () => {
    throw new Error('broken');
  });
  await expect.poll(() => broken.failing().has('work'), { timeout: 20_000 }).toBe(true);
  let finish: (() => void) | undefined;
  processOf(db, () => new Promise<void>((resolve) => void (finish = resolve)));
  await expect.poll(() => finish !== undefined, { timeout: 20_000 }).toBe(true);
  const idle = processOf(db, async () => undefined);
  await expect.poll(() => idle.failing().has('work'), { timeout: 20_000 }).toBe(true);
  expect(broken.failing().has('work')).toBe(true);
  finish?.();
  await expect.poll(() => broken.failing().size + idle.failing().size, { timeout: 30_000 }).toBe(0);
}, 90_000);

const seldom = { everySeconds: 3_600, isAnew: false, leaseSeconds: 9 };
const next = (db: Db) => takeTurn(db, { name: 'work', holder: 'another' }, seldom);

test('a job that was stopped, or whose process is gone, is not left for its next time', async () => {
  const { db } = await testDatabase();
  const jobs = processOf(
    db,
    ({ signal }) => new Promise((resolve) => signal.addEventListener('abort', () => resolve())),
  );
  const turn = jobs.run('work');
  await expect.poll(async () => (await sql`select 1 from mcp_proxy.jobs`.execute(db)).rows.length).toBe(1);
  expect(await next(db)).toBeUndefined();
  await jobs.close();
  await turn;
  expect(await next(db)).toEqual({});
  await sql`update mcp_proxy.jobs set held_until = now() - interval '1 second'`.execute(db);
  expect(await next(db)).toEqual({});
});

test('a job that worked waits for its time', async () => {
  const { db } = await testDatabase();
  await processOf(db, async () => undefined).run('work');
  expect(await next(db)).toBeUndefined();
});
