import { expect, test } from 'vitest';
import { degradedParts, partNames, type Watched } from './degraded.ts';

const since = new Date('2026-11-20T10:00:00Z');
const well = { staleSince: () => null };
const recordsState = {
  queued: 2,
  spilled: 3,
  degradedSince: null,
  diskRefusedSince: null,
  lost: 0,
  rejected: 0,
};

/** Everything is well but for what a test says. */
function watched(but: object = {}): Watched {
  const parts = {
    database: { ping: async () => undefined, walls: { missing: () => null } },
    changes: { failingSince: () => null },
    recorder: { accepting: () => true, state: () => recordsState },
    gateway: { unreachable: () => [] },
    bus: { awaySince: () => null },
    stdio: { runner: { away: () => null } },
    records: { failing: () => new Map(), brokenSince: async () => null },
    masterKeys: { problem: () => null },
    ...{ access: { live: well }, vault: well, accounts: well },
    fileTrouble: { since: null },
    openWebUi: { awaySince: async () => null },
    sharedLimits: { awaySince: () => null },
    observe: { tracer: { failingSince: () => null } },
    ...but,
  };
  // Each is asked for these and nothing else.
  return parts as unknown as Watched;
}

const away = { awaySince: () => since };
const stale = { staleSince: () => since };
const database = (but: object) => ({
  database: { ping: async () => undefined, walls: { missing: () => null }, ...but },
});

const cases: readonly (readonly [part: string, but: object, since: Date | null])[] = [
  [
    'database',
    {
      ...database({ ping: () => Promise.reject(new Error('away')) }),
      changes: { failingSince: () => since },
    },
    since,
  ],
  ['rights and servers', { access: { live: stale } }, since],
  ['keys', { vault: stale }, since],
  ['accounts', { accounts: stale }, since],
  ['walls between tenants', database({ walls: { missing: () => 'no role' } }), null],
  [
    'records',
    { recorder: { accepting: () => true, state: () => ({ ...recordsState, degradedSince: since }) } },
    since,
  ],
  ['config file', { fileTrouble: { since } }, since],
  ['Open WebUI', { openWebUi: { awaySince: async () => since } }, since],
  ['messages between replicas', { bus: away }, since],
  ['shared limits', { sharedLimits: away }, since],
  ['master keys', { masterKeys: { problem: () => ({ since, meaning: 'A key is missing.' }) } }, since],
  ['runner', { stdio: { runner: { away: () => ({ since, why: 'It is started again.' }) } } }, since],
  [
    'work on records',
    { records: { failing: () => new Map([['rollup', since]]), brokenSince: async () => null } },
    since,
  ],
  ['records of changes', { records: { failing: () => new Map(), brokenSince: async () => since } }, since],
  [
    'workers',
    { worker: { link: { ask: async () => ({ serving: 1, count: 2, since: since.toISOString() }) } } },
    since,
  ],
  ['traces', { observe: { tracer: { failingSince: () => since } } }, since],
];

test('nothing is told while all is well, also where parts are not there at all', async () => {
  expect(await degradedParts(watched())).toEqual([]);
  const without = {
    openWebUi: undefined,
    sharedLimits: undefined,
    stdio: {},
    observe: { tracer: undefined },
  };
  expect(await degradedParts(watched(without))).toEqual([]);
});

test.each(cases)('%s: since when, and what it means in a sentence', async (part, but, at) => {
  const found = await degradedParts(watched(but));
  expect(found).toEqual([{ part, since: at, meaning: expect.stringMatching(/^[A-Z0-9].*\.$/) }]);
});

test('there is a case for every part', () => {
  expect(new Set(cases.map(([part]) => part))).toEqual(new Set(partNames));
});

test('a database that is away is told once, not as rights and keys too', async () => {
  const but = {
    ...database({ ping: () => Promise.reject(new Error('away')) }),
    ...{ changes: { failingSince: () => since }, access: { live: stale }, vault: stale },
  };
  expect((await degradedParts(watched(but))).map(({ part }) => part)).toEqual(['database']);
});

test('records that have no place any more are told as what they are: calls are refused', async () => {
  const state = () => ({ ...recordsState, degradedSince: since });
  const [found] = await degradedParts(watched({ recorder: { accepting: () => false, state } }));
  expect(found).toMatchObject({ part: 'records', since, meaning: expect.stringContaining('refused') });
});

test('a disk that takes no records is told of, though the database takes them', async () => {
  const state = () => ({ ...recordsState, diskRefusedSince: since });
  const [found] = await degradedParts(watched({ recorder: { accepting: () => true, state } }));
  expect(found).toMatchObject({ part: 'records', since, meaning: expect.stringContaining('disk') });
});

test('each server that cannot be reached is a part of its own', async () => {
  const unreachable = () => [{ server: 'github', since, message: 'The server "github" cannot be reached.' }];
  expect(await degradedParts(watched({ gateway: { unreachable } }))).toEqual([
    { part: 'server github', since, meaning: 'The server "github" cannot be reached.' },
  ]);
});
