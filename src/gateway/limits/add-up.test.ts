import { expect, test } from 'vitest';
import { addedUp } from './add-up.ts';

const nothing = { perMinute: {}, underWay: {}, refusals: [], refused: [] };
const user = (id: string, used: number) => ({ id, used, perMinute: 100 });

test('what replicas counted is added up by name, the largest first, and bounded', () => {
  const a = { ...nothing, perMinute: { user: [user('bob', 5), user('alice', 3)] } };
  const b = {
    ...nothing,
    perMinute: { user: [user('alice', 4), user('carol', 1)], tenant: [user('acme', 2)] },
  };
  expect(addedUp([a, b], 2).perMinute).toEqual({
    user: [user('alice', 7), user('bob', 5)],
    tenant: [user('acme', 2)],
  });
});

test('refusals and calls under way are added up, too', () => {
  const one = {
    perMinute: {},
    underWay: { user: [{ id: 'alice', calls: 2 }] },
    refusals: [{ reason: 'user', lastMinute: 1, sinceStart: 9 }],
    refused: [{ whose: 'user alice', lastMinute: 1, sinceStart: 9 }],
  };
  expect(addedUp([one, one], 20)).toEqual({
    perMinute: {},
    underWay: { user: [{ id: 'alice', calls: 4 }] },
    refusals: [{ reason: 'user', lastMinute: 2, sinceStart: 18 }],
    refused: [{ whose: 'user alice', lastMinute: 2, sinceStart: 18 }],
  });
  expect(addedUp([], 20)).toEqual(nothing);
});
