// can(), rightsOf() and explain() read the same picture; here they are held to it over worlds made at random.
import { expect, test } from 'vitest';
import { caller, snapshotOf, type World } from '../../test/access-world.ts';
import { can } from './can.ts';
import type { AccessQuestion, Principal } from './contract.ts';
import { explain } from './explain.ts';
import { rightsOf } from './rights.ts';
import type { Snapshot } from './snapshot.ts';

const servers = ['s1', 's2', 's3', 's4'];
const groups = ['g1', 'g2', 'g3', 'g4', 'g5'];
const tenants = ['t1', 't2'];
const people = ['u1@a.org', 'u2@a.org', 'u3@b.org', 'new@b.org', 'service:x', 'service:new'];
const tools = ['get_a', 'get_b', 'delete_a', 'x'];
const patterns = [
  ['*'],
  ['get_*'],
  ['*', '!delete_*'],
  ['get_a', 'x'],
  ['x', 'get_a'],
  ['*_a', '!get_?'],
  ['*', '!*'],
];
const sources = ['admin', 'oidc:corp', 'scim'];
const now = 1000;

/** Small and the same on every machine, so that a seed that fails fails again (mulberry32). */
function dice(seed: number) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  const one = <T>(from: readonly T[]): T => from[Math.floor(next() * from.length)]!;
  const chance = (p: number) => next() < p;
  return { one, chance, some: <T>(from: readonly T[], p = 0.4) => from.filter(() => chance(p)) };
}

function worldOf(seed: number): World {
  const { one, chance, some } = dice(seed);
  const grants = () => Object.fromEntries(some(servers).map((id) => [id, one(patterns)]));
  const known = some([...people.filter((id) => !id.includes('new')), '*@a.org', '*@b.org'], 0.8);
  return {
    servers: Object.fromEntries(
      some(servers, 0.8).map((id) => [
        id,
        { enabled: chance(0.8), ...(chance(0.3) && { tools: one(patterns) }) },
      ]),
    ),
    tenants: Object.fromEntries(
      tenants.map((id) => [id, { enabled: chance(0.8), emailDomains: some(['a.org', 'b.org']) }]),
    ),
    groups: Object.fromEntries(
      groups.map((name) => [
        name,
        { admin: chance(0.1), servers: grants(), ...(chance(0.4) && { tenant: one(tenants) }) },
      ]),
    ),
    users: Object.fromEntries(
      known.map((id) => [
        id,
        { groups: some(groups, 0.2), servers: chance(0.3) ? grants() : {}, disabled: chance(0.1) },
      ]),
    ),
    memberships: some(known).map((user) => {
      const expiry = chance(0.5) ? { expiresAt: now + one([-1, 0, 1]) } : {};
      return { user, group: one(groups), source: one(sources), ...expiry };
    }),
  };
}

function callersOf(seed: number): Principal[] {
  const { one, chance, some } = dice(seed ^ 0x5bd1e995);
  const asserting = () =>
    chance(0.5)
      ? {}
      : { assertedGroups: [...some(groups, 0.2), 'unknown'], assertedBy: one(['oidc:corp', 'oidc:other']) };
  return people.map((id) => caller(id, asserting()));
}

function questions(): AccessQuestion[] {
  return [...servers, 'unknown'].flatMap((server) => [
    { server },
    { server, whole: true as const },
    ...tools.map((tool) => ({ server, tool })),
  ]);
}

function answers(snapshot: Snapshot, principal: Principal): string {
  return questions()
    .map((question) => Number(can(snapshot, principal, question, now).allow))
    .join('');
}

const seeds = Array.from({ length: 120 }, (_, seed) => seed);

test('explain() says what can() decides, and gives reasons', () => {
  for (const seed of seeds) {
    const snapshot = snapshotOf(worldOf(seed));
    for (const id of people) {
      for (const { server, tool } of questions()) {
        const told = explain(snapshot, { user: id, server, tool }, now);
        const question = tool === undefined ? { server } : { server, tool };
        expect(told.allowed, `seed ${seed}`).toBe(can(snapshot, caller(id), question, now).allow);
        expect(told.reasons.length).toBeGreaterThan(1);
      }
    }
  }
});

test('a server is among the rights exactly when can() says that it may be seen', () => {
  for (const seed of seeds) {
    const snapshot = snapshotOf(worldOf(seed));
    for (const principal of callersOf(seed)) {
      const seen = servers.filter((server) => can(snapshot, principal, { server }, now).allow);
      expect(rightsOf(snapshot, principal, now).servers, `seed ${seed}`).toEqual(seen);
    }
  }
});

test('callers with one signature get one answer to every question', () => {
  let shared = 0;
  for (const seed of seeds) {
    const snapshot = snapshotOf(worldOf(seed));
    const bySignature = new Map<string, string>();
    for (const principal of callersOf(seed)) {
      const { signature } = rightsOf(snapshot, principal, now);
      const given = answers(snapshot, principal);
      if (bySignature.has(signature)) shared++;
      expect(bySignature.get(signature) ?? given, `seed ${seed}`).toBe(given);
      bySignature.set(signature, given);
    }
  }
  expect(shared).toBeGreaterThan(20);
});

test('no tool is allowed of a server that may not be seen, and disabled means nothing at all', () => {
  for (const seed of seeds) {
    const snapshot = snapshotOf(worldOf(seed));
    for (const principal of callersOf(seed)) {
      for (const question of questions().filter(
        ({ server }) => !rightsOf(snapshot, principal, now).servers.some((id) => id === server),
      )) {
        expect(can(snapshot, principal, question, now).allow, `seed ${seed}`).toBe(false);
      }
    }
  }
});
