import { expect, test } from 'vitest';
import { Lanes } from './lanes.ts';

/** Work that ends when it is told to. */
function held() {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  let hasBegun = false;
  const work = () => {
    hasBegun = true;
    return promise;
  };
  return { work, resolve, reject, hasBegun: () => hasBegun };
}

test('what takes long holds up its own lane alone', async () => {
  const lanes = new Lanes(2);
  const long = held();
  const all = lanes.run(long.work);
  for (let n = 0; n < 5; n++) await lanes.run(() => Promise.resolve());
  long.resolve();
  await all;
});

test('no more is done at once than there are lanes, and what fails leaves its lane free', async () => {
  const lanes = new Lanes(2);
  const [a, b, c, d] = [held(), held(), held(), held()];
  const done = [a, b, c, d].map((one) => lanes.run(one.work).catch(String));
  expect([a, b, c, d].map((one) => one.hasBegun())).toEqual([true, true, false, false]);
  b.reject(new Error('no'));
  expect(await done[1]).toBe('Error: no');
  await expect.poll(c.hasBegun).toBe(true);
  expect(d.hasBegun()).toBe(false);
  for (const one of [a, c, d]) one.resolve();
  await Promise.all(done);
});
