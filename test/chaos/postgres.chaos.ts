import { setTimeout as wait } from 'node:timers/promises';
import { expect, type TestContext, test } from 'vitest';
import { eventually } from '../e2e/gate.ts';
import { startOwnPostgres } from '../e2e/own-postgres.ts';
import { drillWorld, recordsOf } from './drill-world.ts';
import { mixedAims, startLoad } from './load.ts';
import { report, seconds } from './report.ts';
import { sayings } from './shots.ts';
import { hang } from './suspend.ts';

const postgres = await startOwnPostgres();
const world = await drillWorld({ databaseUrl: postgres.url });
const [gate] = world.gates;

/** Everybody works while PostgreSQL is away, and nobody sees it. */
async function drill(
  context: TestContext,
  o: { awaySeconds: number; away: () => Promise<void> | void; back: () => Promise<void> | void },
): Promise<void> {
  const load = startLoad(mixedAims(world.at(gate!.url)));
  await load.more(200);
  const from = performance.now();
  await o.away();
  await eventually(
    'it says so',
    async () => {
      const parts = await world.degraded();
      return parts.includes('database') && parts.includes('records');
    },
    30,
  );
  await wait(Math.max(0, from + o.awaySeconds * 1_000 - performance.now()));
  await o.back();
  const back = performance.now();
  await eventually('it is well', async () => (await world.degraded()).length === 0, 90);
  const until = performance.now();
  const firstGood = await load.wellAfter(back);
  await load.stop();
  const kept = await recordsOf(world.databaseUrl, load.shots);
  report(context, {
    ...{ meanwhile: load.between(from, until), kept },
    wellAgain: `calls never failed; ${seconds(until - back)}`,
  });
  expect(sayings(load.shots)).toEqual([]);
  expect(firstGood).toBeGreaterThan(0);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
}

test('PostgreSQL is stopped for 60 s', (context) =>
  drill(context, { awaySeconds: 60, away: () => postgres.stop(), back: () => postgres.start() }));

test('PostgreSQL hangs for 30 s', async (context) => {
  let goOn = () => {};
  const away = () => {
    goOn = hang(postgres.url);
  };
  await drill(context, { awaySeconds: 30, away, back: () => goOn() });
});
