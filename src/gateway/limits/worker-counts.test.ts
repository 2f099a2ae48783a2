import { expect, test, vi } from 'vitest';
import { sayAgainMs } from './count-script.ts';
import type { Limit } from './limit.ts';
import { Limits } from './limits.ts';
import { PrimaryCounts } from './primary-counts.ts';
import { WorkerCounts } from './worker-counts.ts';

const start = 1_700_000_000_000;
const user: Limit = { kind: 'user', id: 'alice@acme.com', perMinute: 3 };
const server: Limit = { kind: 'server', id: 'github', perMinute: 5 };

function world() {
  let now = start;
  const clock = () => now;
  const primary = new PrimaryCounts(clock);
  let isAway = false;
  let messages = 0;
  let workers = 0;
  const worker = () => {
    const number = ++workers;
    return new WorkerCounts(async (message) => {
      messages++;
      if (isAway) throw new Error('no answer');
      return JSON.parse(JSON.stringify(primary.answer(message, number)));
    }, clock);
  };
  return {
    clock,
    primary,
    worker,
    messages: () => messages,
    pass: (milliseconds: number) => void (now += milliseconds),
    away: (value: boolean) => void (isAway = value),
  };
}

test('workers count together, and what is one too many for all is refused in each', async () => {
  const { worker } = world();
  const [one, other] = [worker(), worker()];
  expect((await one.take([user], [])).full).toBeNull();
  expect((await other.take([user], [])).full).toBeNull();
  expect(await one.take([user], [])).toEqual({ ceiling: null, full: null, counts: [3] });
  for (const counts of [one, other])
    expect(await counts.take([user], [])).toEqual({
      ...{ ceiling: null, full: { at: 0, milliseconds: 61_000 }, counts: [3] },
    });
});

test('a call that one limit refuses uses up none of the others', async () => {
  const { worker } = world();
  const counts = worker();
  for (let n = 0; n < 3; n++) await counts.take([user, server], []);
  expect(await counts.take([user, server], [])).toMatchObject({ full: { at: 0 }, counts: [3, 3] });
  expect(await counts.take([server], [])).toEqual({ ceiling: null, full: null, counts: [4] });
});

test('the window slides: room comes when the oldest call has left it', async () => {
  const { worker, pass } = world();
  const counts = worker();
  await counts.take([user], []);
  pass(30_000);
  for (let n = 0; n < 2; n++) await counts.take([user], []);
  expect((await counts.take([user], [])).full).toEqual({ at: 0, milliseconds: 31_000 });
  pass(31_000);
  expect((await counts.take([user], [])).full).toBeNull();
  expect((await counts.take([user], [])).full).not.toBeNull();
});

test('a primary that does not answer is left alone for a second, and asked again', async () => {
  const { worker, pass, away } = world();
  const counts = worker();
  expect([counts.isUsable(), counts.awaySince()]).toEqual([true, null]);
  away(true);
  await expect(counts.take([user], [])).rejects.toThrow();
  expect([counts.isUsable(), counts.awaySince()]).toEqual([false, new Date(start)]);
  away(false);
  pass(1_001);
  expect(counts.isUsable()).toBe(true);
  expect((await counts.take([user], [])).full).toBeNull();
  expect(counts.awaySince()).toBeNull();
});

test('a message that is no question counts nothing', () => {
  const primary = new PrimaryCounts(() => start);
  for (const message of [null, 'x', [{ limits: [['a']] }], [{ limits: [], held: [['a', 1]] }]])
    expect(() => primary.answer(message, 1)).toThrow();
});

test('what is asked in one turn of the event loop goes in one message, and is answered in its order', async () => {
  const { worker, messages } = world();
  const counts = worker();
  const taken = await Promise.all(Array.from({ length: 5 }, () => counts.take([user], [])));
  expect(taken.map(({ full }) => full === null)).toEqual([true, true, true, false, false]);
  expect(messages()).toBe(1);
});

test('what comes up while one message is under way goes in the next, or fails with it', async () => {
  const primary = new PrimaryCounts(() => start);
  const asked: { message: unknown; answered: PromiseWithResolvers<unknown> }[] = [];
  const counts = new WorkerCounts(
    (message) => {
      const answered = Promise.withResolvers<unknown>();
      asked.push({ message, answered });
      return answered.promise;
    },
    () => start,
  );
  const taken = [counts.take([server], [])];
  await expect.poll(() => asked.length).toBe(1);
  taken.push(counts.take([server], []), counts.take([server], []));
  await new Promise(setImmediate);
  expect(asked).toHaveLength(1);
  asked[0]?.answered.resolve(primary.answer(asked[0].message, 1));
  await expect.poll(() => asked.length).toBe(2);
  expect(asked[1]?.message).toHaveLength(2);
  const late = counts.take([server], []);
  const found = Promise.allSettled([...taken, late]);
  asked[1]?.answered.reject(new Error('no answer'));
  expect((await found).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'rejected',
    'rejected',
  ]);
});

test('an answer to fewer questions than were asked is none', async () => {
  const counts = new WorkerCounts(
    async () => [],
    () => start,
  );
  await expect(counts.take([user], [])).rejects.toThrow();
  expect(counts.awaySince()).toEqual(new Date(start));
});

const up = (atOnce: number, calls: number) => [{ kind: 'server', id: 'up', atOnce, calls }] as const;

test('workers have so many calls under way together, and what ends in one makes room in the other', async () => {
  const { worker } = world();
  const [one, other] = [worker(), worker()];
  expect((await one.take([user], up(2, 1))).ceiling).toBeNull();
  expect((await other.take([user], up(2, 1))).ceiling).toBeNull();
  expect(await other.take([user], up(2, 2))).toEqual({ ceiling: 0, full: null, counts: [] });
  await one.tell([{ kind: 'server', id: 'up', calls: 0 }]);
  // What found no room before was not counted.
  expect(await other.take([user], up(2, 2))).toEqual({ ceiling: null, full: null, counts: [3] });
  expect((await one.take([server], up(2, 1))).ceiling).toBe(0);
});

test('a call over its limit takes no place', async () => {
  const { worker } = world();
  const [one, other] = [worker(), worker()];
  for (let n = 0; n < 3; n++) await one.take([user], []);
  expect((await one.take([user], up(1, 1))).full).not.toBeNull();
  expect((await other.take([server], up(1, 1))).ceiling).toBeNull();
});

test('calls of a worker that has ended make room', async () => {
  const { worker, primary } = world();
  const [one, other] = [worker(), worker()];
  await one.take([], up(1, 1));
  expect((await other.take([], up(1, 1))).ceiling).toBe(0);
  primary.forget(1);
  expect((await other.take([], up(1, 1))).ceiling).toBeNull();
});

test('what a worker says again is all that it has, and leaves that of the others', async () => {
  const { worker } = world();
  const [one, other] = [worker(), worker()];
  await one.take([], [...up(3, 1), { kind: 'user', id: 'alice@acme.com', atOnce: 1, calls: 1 }]);
  await other.take([], up(3, 2));
  await one.tellAll([{ kind: 'user', id: 'alice@acme.com', calls: 1 }]);
  expect((await one.take([], up(3, 2))).ceiling).toBe(0);
  expect((await one.take([], up(3, 1))).ceiling).toBeNull();
  const alice = { kind: 'user', id: 'alice@acme.com', atOnce: 1, calls: 1 } as const;
  expect((await other.take([], [alice])).ceiling).toBe(0);
  await one.tellAll([]);
  expect((await other.take([], [alice])).ceiling).toBeNull();
});

test('calls that end while their worker leaves the primary alone make room when all is said again', async () => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
  const { worker, clock, away, pass, messages } = world();
  const [one, other] = [worker(), worker()];
  const limits = new Limits({ clock, shared: one });
  try {
    const entry = limits.underWay.enter([{ kind: 'server', id: 'up', atOnce: 1 }]);
    if (!entry.ok) throw new Error('There is room for it.');
    await limits.calls.take([], entry.held);
    away(true);
    await limits.calls.take([user]);
    away(false);
    entry.leave();
    pass(sayAgainMs);
    expect((await other.take([], up(1, 1))).ceiling).toBe(0);
    const before = messages();
    vi.advanceTimersByTime(sayAgainMs);
    await expect.poll(messages).toBe(before + 1);
    expect((await other.take([], up(1, 1))).ceiling).toBeNull();
  } finally {
    vi.useRealTimers();
    await limits.close();
  }
});
