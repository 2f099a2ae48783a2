import { setTimeout as wait } from 'node:timers/promises';
import { expect, type TestContext, test } from 'vitest';
import { eventually } from '../e2e/gate.ts';
import { ownRedis } from '../redis.ts';
import { aimAtList, drillWorld, recordsOf } from './drill-world.ts';
import { mixedAims, startLoad } from './load.ts';
import { report, seconds } from './report.ts';
import { sayings, tally } from './shots.ts';
import { hang } from './suspend.ts';

const perMinute = 30;
const redis = await ownRedis();
await redis.start();
const limited = ['bob@acme.com', 'carol@acme.com'] as const;
const world = await drillWorld({
  replicas: 2,
  env: { REDIS_URL: redis.url, RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '1000000' },
  more: {
    users: Object.fromEntries(['alice@acme.com', ...limited].map((who) => [who, { groups: ['Everyone'] }])),
    rateLimits: { users: Object.fromEntries(limited.map((who) => [who, { perMinute }])) },
  },
});
const parts = ['messages between replicas', 'shared limits'];

/** Nobody sees that Redis is away, and whoever has a limit has it still. */
async function drill(
  context: TestContext,
  o: { person: string; away: () => Promise<void> | void; back: () => Promise<void> | void },
): Promise<void> {
  const load = startLoad(world.gates.flatMap(({ url }) => mixedAims(world.at(url)).slice(0, 5)));
  await load.more(100);
  const from = performance.now();
  await o.away();
  const says = async () => {
    const all = await Promise.all(world.gates.map((gate) => world.degraded(gate)));
    return all.every((degraded) => parts.every((part) => degraded.includes(part)));
  };
  await eventually('both say so', says, 60);
  const flood = await floodBy(o.person);
  await wait(Math.max(0, from + 20_000 - performance.now()));
  await o.back();
  const back = performance.now();
  const isWell = async () => (await Promise.all(world.gates.map(world.degraded))).flat().length === 0;
  await eventually('both are well', isWell, 90);
  const until = performance.now();
  await load.stop();
  const kept = await recordsOf(world.databaseUrl, [...load.shots, ...flood]);
  report(context, {
    ...{ meanwhile: load.between(from, until), kept },
    wellAgain: `calls never failed; ${seconds(until - back)}`,
  });
  expect(sayings(load.shots)).toEqual([]);
  const { ok, told, calls } = tally(flood);
  expect(ok).toBeGreaterThan(0);
  expect(ok).toBeLessThanOrEqual(perMinute * world.gates.length);
  expect(ok + told).toBe(calls);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
}

/** 200 requests of somebody with a limit, to both replicas. */
async function floodBy(person: string) {
  const token = await world.gates[0]!.tokenFor(person);
  const aims = world.gates.map(({ url }) => aimAtList({ url, token }));
  for (const aim of aims)
    await eventually('the token is known', async () => !/token/i.test((await aim()).said), 30);
  return Promise.all(Array.from({ length: 200 }, (_, at) => aims[at % aims.length]!()));
}

test('Redis is stopped for 20 s', (context) =>
  drill(context, { person: limited[0], away: () => redis.stop(), back: () => redis.start() }));

test('Redis hangs for 20 s', async (context) => {
  let goOn = () => {};
  const away = () => {
    goOn = hang(redis.url);
  };
  await drill(context, { person: limited[1], away, back: () => goOn() });
});
