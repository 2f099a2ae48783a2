import { expect, test } from 'vitest';
import type { Limit } from './limit.ts';
import { countForWorkers, countsOfPrimary } from './worker-counts.ts';

const start = 1_700_000_000_000;
const user: Limit = { kind: 'user', id: 'alice@acme.com', perMinute: 3 };
const server: Limit = { kind: 'server', id: 'github', perMinute: 5 };

function world() {
  let now = start;
  const clock = () => now;
  const count = countForWorkers(clock);
  let isAway = false;
  const worker = () =>
    countsOfPrimary(async (message) => {
      if (isAway) throw new Error('no answer');
      return JSON.parse(JSON.stringify(count(message)));
    }, clock);
  return {
    worker,
    pass: (milliseconds: number) => void (now += milliseconds),
    away: (value: boolean) => void (isAway = value),
  };
}

test('workers count together, and what is one too many for all is refused in each', async () => {
  const { worker } = world();
  const [one, other] = [worker(), worker()];
  expect((await one.take([user])).full).toBeNull();
  expect((await other.take([user])).full).toBeNull();
  expect(await one.take([user])).toEqual({ full: null, counts: [3] });
  for (const counts of [one, other])
    expect(await counts.take([user])).toEqual({ full: { at: 0, milliseconds: 61_000 }, counts: [3] });
});

test('a call that one limit refuses uses up none of the others', async () => {
  const { worker } = world();
  const counts = worker();
  for (let n = 0; n < 3; n++) await counts.take([user, server]);
  expect(await counts.take([user, server])).toMatchObject({ full: { at: 0 }, counts: [3, 3] });
  expect(await counts.take([server])).toEqual({ full: null, counts: [4] });
});

test('what was let in already is counted, room or not', async () => {
  const { worker } = world();
  const counts = worker();
  for (let n = 0; n < 4; n++) await counts.add([user]);
  expect(await counts.take([user])).toMatchObject({ full: { at: 0 }, counts: [4] });
});

test('the window slides: room comes when the oldest call has left it', async () => {
  const { worker, pass } = world();
  const counts = worker();
  await counts.take([user]);
  pass(30_000);
  for (let n = 0; n < 2; n++) await counts.take([user]);
  expect((await counts.take([user])).full).toEqual({ at: 0, milliseconds: 31_000 });
  pass(31_000);
  expect((await counts.take([user])).full).toBeNull();
  expect((await counts.take([user])).full).not.toBeNull();
});

test('a primary that does not answer is left alone for a second, and asked again', async () => {
  const { worker, pass, away } = world();
  const counts = worker();
  expect([counts.isUsable(), counts.awaySince()]).toEqual([true, null]);
  away(true);
  await expect(counts.take([user])).rejects.toThrow();
  expect([counts.isUsable(), counts.awaySince()]).toEqual([false, new Date(start)]);
  away(false);
  pass(1_001);
  expect(counts.isUsable()).toBe(true);
  expect((await counts.take([user])).full).toBeNull();
  expect(counts.awaySince()).toBeNull();
});

test('a message that is no question counts nothing', () => {
  const count = countForWorkers(() => start);
  for (const message of [null, 'x', [{ key: 1 }], [{ key: 'a' }]]) expect(() => count(message)).toThrow();
});
