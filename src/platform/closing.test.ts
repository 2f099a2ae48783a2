import { expect, test } from 'vitest';
import { Closing, shareOf } from './closing.ts';
import { createLog } from './log.ts';

const forever = () => new Promise<void>(() => undefined);

function opened() {
  const closed: string[] = [];
  const closing = new Closing(createLog('silent'));
  const add = (name: string) => closing.add(name, () => void closed.push(name));
  return { closing, closed, add };
}

test('parts are closed in the opposite order of opening, and one that fails keeps nobody', async () => {
  const { closing, closed, add } = opened();
  add('first');
  closing.add('second', () => {
    throw new Error('refuses');
  });
  closing.add('third', () => Promise.reject(new Error('refuses as well')));
  add('last');
  await closing.close();
  expect(closed).toEqual(['last', 'first']);
});

test('parts that never end keep nobody, however many they are', async () => {
  const { closing, closed, add } = opened();
  add('first');
  for (let n = 0; n < 20; n++) closing.add(`hangs ${n}`, forever);
  add('last');
  await closing.close(300);
  expect(closed).toEqual(['last', 'first']);
});

test('each is told how long it has, and leaves time for those after it', async () => {
  const { closing } = opened();
  const told: number[] = [];
  const tell = (ms: number) => void told.push(ms);
  closing.add('short', tell, 2_000);
  closing.add('as long as there is', tell, 1_000_000);
  await closing.close(20_000);
  const [long = 0, short] = told;
  expect(long).toBeLessThanOrEqual(16_000);
  expect(long).toBeGreaterThan(2_000);
  expect(short).toBe(2_000);
});

test('one that sees to its end itself is waited for', async () => {
  const { closing, closed, add } = opened();
  add('first');
  const end = Promise.withResolvers<void>();
  closing.add('own', () => end.promise.then(() => void closed.push('own')), 'own');
  const done = closing.close(1);
  setTimeout(end.resolve, 100);
  await done;
  expect(closed).toEqual(['own', 'first']);
});

test('what is left is shared with those that follow, also where it is little', () => {
  expect([25_000, 8_000, 2_000, 0].map(shareOf)).toEqual([21_000, 4_000, 1_000, 0]);
});
