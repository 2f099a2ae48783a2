import { expect, test } from 'vitest';
import { CallCounts } from './call-counts.ts';
import type { Limit, LimitKind, Verdict } from './limit.ts';
import type { SharedCounts, Taken } from './shared-counts.ts';

const start = Date.parse('2026-11-20T12:00:00Z');

function limit(kind: LimitKind, id: string, perMinute: number): Limit {
  return { kind, id, perMinute };
}

const alice = (perMinute = 3) => limit('user', 'alice@acme.com', perMinute);

/** Counts of one process, with what the others count as the test says. */
function counting(shared: Partial<SharedCounts> | null = null) {
  let now = start;
  const others = shared && { ...away, ...shared };
  const counts = new CallCounts({ clock: () => now, shared: others });
  return {
    counts,
    /** Passed or not, one after the other. */
    take: async (limits: readonly Limit[], times = 1) => {
      const found: boolean[] = [];
      for (let n = 0; n < times; n++) found.push((await counts.take(limits)).ok);
      return found;
    },
    pass: (seconds: number) => {
      now += seconds * 1_000;
    },
  };
}

const away: SharedCounts = {
  isUsable: () => false,
  take: () => Promise.reject(new Error('away')),
  tell: () => Promise.reject(new Error('away')),
  tellAll: () => Promise.reject(new Error('away')),
  awaySince: () => new Date(start),
  close: async () => undefined,
};

test('alone, a call counts with all of its limits or with none', async () => {
  const { take, counts } = counting();
  const server = limit('server', 'github', 2);
  expect(await take([alice(), server], 4)).toEqual([true, true, false, false]);
  expect(await take([alice()], 2)).toEqual([true, false]);
  const verdict = (await counts.take([alice(), server])) as Extract<Verdict, { ok: false }>;
  expect(verdict.over?.seconds).toBeGreaterThan(0);
});

test('two people do not affect each other, and nothing is counted where there is no limit', async () => {
  const { take } = counting();
  expect(await take([alice()], 4)).toEqual([true, true, true, false]);
  expect(await take([limit('user', 'bob@acme.com', 3)], 3)).toEqual([true, true, true]);
  expect(await take([], 100)).not.toContain(false);
});

test('tells how many are left, of the caller’s own limit', () => {
  const { counts } = counting();
  const told = () => counts.take([alice(), limit('tenant', 'acme', 10)]);
  expect(told()).toMatchObject({ ok: true, quota: { limit: alice(), remaining: 2, seconds: 61 } });
  expect(told()).toMatchObject({ quota: { remaining: 1 } });
});

test('a limit that is changed counts what was counted before', async () => {
  const { take } = counting();
  expect(await take([alice(3)], 4)).toEqual([true, true, true, false]);
  expect(await take([alice(5)], 3)).toEqual([true, true, false]);
  expect(await take([alice(2)])).toEqual([false]);
});

test('while Redis is away a process starts from what it counted, and from what it heard of the others', async () => {
  let isUsable = true;
  let together = 0;
  const { take, pass } = counting({
    isUsable: () => isUsable,
    take: async (): Promise<Taken> => ({ ceiling: null, full: null, counts: [(together += 4)] }),
  });
  // Each call here comes with three elsewhere.
  expect(await take([alice(10)], 2)).toEqual([true, true]);
  isUsable = false;
  expect(await take([alice(10)], 4)).toEqual([true, true, false, false]);
  pass(62);
  expect(await take([alice(10)], 11)).toEqual([...Array.from({ length: 10 }, () => true), false]);
});

test('a Redis that fails in the middle of a call makes the process decide alone', async () => {
  const { take, counts } = counting({ isUsable: () => true });
  expect(await take([alice()], 5)).toEqual([true, true, true, false, false]);
  expect(counts.aloneSince()).toEqual(new Date(start));
});

test('when Redis is back and empty, what passed meanwhile still counts', async () => {
  let isUsable = false;
  let together = 0;
  const { take } = counting({
    isUsable: () => isUsable,
    take: async () => ({ ceiling: null, full: null, counts: [++together] }),
  });
  expect(await take([alice()], 2)).toEqual([true, true]);
  isUsable = true;
  expect(await take([alice()], 2)).toEqual([true, false]);
});

test('a flood of somebody who has no room asks Redis once, and again when there may be some', async () => {
  let asked = 0;
  const { take, pass } = counting({
    isUsable: () => true,
    take: async () => {
      asked++;
      return { ceiling: null, full: { at: 0, milliseconds: 4_200 }, counts: [3] };
    },
  });
  expect(await take([alice()], 100)).not.toContain(true);
  expect(asked).toBe(1);
  expect(await take([alice(4)])).toEqual([false]);
  expect(asked).toBe(2);
  pass(5);
  await take([alice()], 10);
  expect(asked).toBe(3);
});

test('a clock that is set back while there is no room does not keep anybody out for long', async () => {
  let full: Taken['full'] = { at: 0, milliseconds: 60_000 };
  const { take, pass } = counting({
    isUsable: () => true,
    take: async () => ({ ceiling: null, full, counts: [3] }),
  });
  expect(await take([alice()])).toEqual([false]);
  full = null;
  pass(-86_400);
  expect(await take([alice()])).toEqual([true]);
});

test('a flood of addresses pushes out no count of a person', async () => {
  const { take, counts } = counting();
  await take([alice()], 3);
  for (let n = 0; n < 60_000; n++) await counts.take([limit('address', `10.0.${n >> 8}.${n & 255}`, 1_000)]);
  expect(await take([alice()])).toEqual([false]);
});

test('who would wait for two limits is told the longer wait', async () => {
  const { counts, pass, take } = counting();
  const server = limit('server', 'github', 1);
  await take([alice(1)]);
  pass(20);
  await take([server]);
  pass(1);
  expect(counts.take([alice(1), server])).toMatchObject({ over: { limit: server, seconds: 60 } });
});
