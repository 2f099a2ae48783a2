import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { missingKeys } from './missing.ts';
import type { Needs } from '../needs.ts';

test('however many tenants are looked at, calls get their turn in between', async () => {
  let turns = 0;
  const looked: [string | null, number][] = [];
  const needs: Needs = {
    forTenant: (tenant) => {
      looked.push([tenant, turns]);
      return [];
    },
    namesOf: () => undefined,
    envPlaces: () => [],
  };
  const done = missingKeys(needs, [], { tenants: ['acme', 'globex', 'umbra'], shared: true });
  let isDone = false;
  void done.then(() => (isDone = true));
  do {
    turns += 1;
    await setImmediate();
  } while (!isDone);
  expect(looked.map(([tenant]) => tenant)).toEqual([null, 'acme', 'globex', 'umbra']);
  expect(new Set(looked.map(([, turn]) => turn)).size).toBeGreaterThan(2);
});
