import { expect, test } from 'vitest';
import { snapshotOf } from '../../../test/access-world.ts';
import { namesGiven } from './names-given.ts';

const snapshot = snapshotOf({
  servers: { shop: { toolOverrides: { list: { name: 'orders' }, find: { title: 'Find' } } }, plain: {} },
  groups: {
    sellers: { toolOverrides: { shop: { list: { name: 'sales' }, drop: { name: 'find' } } } },
    others: { toolOverrides: { plain: { list: { name: 'x' } } } },
  },
});
const items = ['list', 'find', 'drop'].map((key) => ({ key, raw: `{"name":"${key}"}` }));

test.each([
  ['list', { shownName: 'orders', groupNames: { sellers: 'sales' }, warnings: [] }],
  ['find', { shownName: 'find', groupNames: {}, warnings: [] }],
  [
    'drop',
    {
      shownName: 'drop',
      groupNames: { sellers: 'drop' },
      warnings: ['group sellers calls it find, but another tool has that name, so it keeps drop.'],
    },
  ],
])('an administrator is told what everybody and each group calls %s', (tool, given) => {
  expect(namesGiven(snapshot, 'shop', items)(tool)).toEqual(given);
});
