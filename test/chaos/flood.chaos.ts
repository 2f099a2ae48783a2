import { expect, test } from 'vitest';
import { ownRedis } from '../redis.ts';
import { drillWorld, recordsOf } from './drill-world.ts';
import { aimsAt, mixedAims, startLoad } from './load.ts';
import { report } from './report.ts';
import { type Shot, sayings, tally } from './shots.ts';

const perMinute = 100;
const people = ['alice@acme.com', 'mallory@acme.com'];
const redis = await ownRedis();
await redis.start();
const world = await drillWorld({
  replicas: 2,
  env: { REDIS_URL: redis.url, RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: String(perMinute) },
  more: {
    users: Object.fromEntries(people.map((person) => [person, { groups: ['Everyone'] }])),
    rateLimits: { users: { 'alice@acme.com': { perMinute: 1_000_000 } } },
  },
});

test('one person sends all they can for 20 s, from 100 connections', async (context) => {
  const token = await world.gates[0]!.tokenFor('mallory@acme.com');
  const load = startLoad(world.gates.flatMap(({ url }) => mixedAims(world.at(url))));
  await load.more(300);
  const from = performance.now();
  const flood: Shot[] = [];
  const worker = async (_: unknown, at: number) => {
    const aim = aimsAt({ url: world.gates[at % 2]!.url, token }).modern('ok__echo', { text: 'x' });
    while (performance.now() - from < 20_000) flood.push(await aim());
  };
  await Promise.all(Array.from({ length: 100 }, worker));
  const until = performance.now();
  await load.stop();
  const kept = await recordsOf(world.databaseUrl, [...load.shots, ...flood]);
  const { calls, ok } = tally(flood);
  report(context, {
    ...{ meanwhile: load.between(from, until), kept },
    wellAgain: `calls of others never failed; of ${calls} of the flood ${ok} passed`,
  });
  expect(sayings(load.shots)).toEqual([]);
  expect(ok).toBe(perMinute);
  for (const said of sayings(flood)) expect(said).toMatch(/told: |token/);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
});
