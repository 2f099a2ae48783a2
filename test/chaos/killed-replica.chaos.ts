import { setTimeout as wait } from 'node:timers/promises';
import { expect, type TestContext, test } from 'vitest';
import { closeLater } from '../e2e/clients.ts';
import { eventually, type Gate } from '../e2e/gate.ts';
import { startOwnPostgres } from '../e2e/own-postgres.ts';
import { startRoundRobin } from '../round-robin.ts';
import { drillWorld, recordsOf } from './drill-world.ts';
import { mixedAims, startLoad } from './load.ts';
import { report, seconds } from './report.ts';
import { type Shot, tally } from './shots.ts';

const postgres = await startOwnPostgres();
const world = await drillWorld({ replicas: 2, databaseUrl: postgres.url });
const replicas: Gate[] = [...world.gates];
const backends = replicas.map(({ url }) => url);
const proxy = closeLater(await startRoundRobin(backends));

/** What came of the killed one's requests, and of their records when it has been started again. */
async function drill(context: TestContext, around: (kill: () => Promise<void>) => Promise<void>) {
  const load = startLoad([...mixedAims(world.at(proxy.url)), ...mixedAims(world.at(proxy.url))]);
  await load.more(300);
  const from = performance.now();
  let killed = 0;
  await around(async () => {
    await load.more(100);
    killed = performance.now();
    await replicas[0]!.kill('SIGKILL');
    await wait(3_000);
  });
  const again = await replicas[0]!.again();
  [replicas[0], backends[0]] = [again, again.url];
  const served = proxy.served[0] ?? 0;
  await eventually('it serves again', () => (proxy.served[0] ?? 0) > served + 10, 60);
  const until = performance.now();
  await load.stop();
  const meanwhile = load.between(from, until);
  const kept = await recordsOf(world.databaseUrl, load.shots);
  const longest = pauseAfter(killed, load.shots);
  const wellAgain = `the next good answer came after ${seconds(longest)}`;
  report(context, { meanwhile, kept, wellAgain });
  const { calls, ok, broken } = tally(load.shots);
  expect(ok + broken).toBe(calls);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
}

function pauseAfter(moment: number, shots: readonly Shot[]): number {
  const ends = shots
    .filter(({ ending }) => ending === 'ok')
    .map(({ begun, milliseconds }) => begun + milliseconds);
  return Math.min(...ends.filter((end) => end > moment)) - moment;
}

test('one of two replicas is killed under load (kill -9)', (context) => drill(context, (kill) => kill()));

test('one of two replicas is killed while PostgreSQL is away', (context) =>
  drill(context, async (kill) => {
    await postgres.stop();
    await eventually('it says so', async () => (await world.degraded(replicas[0])).includes('records'), 30);
    await kill();
    await postgres.start();
  }));
