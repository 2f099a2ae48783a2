import { setTimeout as wait } from 'node:timers/promises';
import { expect, type TestContext, test } from 'vitest';
import { closeLater } from '../e2e/clients.ts';
import { eventually } from '../e2e/gate.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { startMoodyServer } from '../moody-server.ts';
import { drillWorld, recordsOf } from './drill-world.ts';
import { type Aim, aimsAt, mixedAims, startLoad } from './load.ts';
import { report, seconds } from './report.ts';
import { sayings, tally } from './shots.ts';

const timeoutMs = 5_000;
const [hung, dead, flapping] = await Promise.all([1, 2, 3].map(() => startMoodyServer()));
const servers = { hung: hung!, dead: dead!, flapping: flapping! };
for (const server of Object.values(servers)) closeLater(server);
const slow = closeLater(await startHostileHttp());
const world = await drillWorld({
  servers: {
    hung: { type: 'http', url: servers.hung.url, timeoutMs },
    dead: { type: 'http', url: servers.dead.url, timeoutMs },
    flapping: { type: 'http', url: servers.flapping.url, timeoutMs },
    slow: { type: 'http', url: slow.url('ok') },
  },
});
const target = world.at(world.gates[0]!.url);

/** Two people use the server that is ill, six others use all else. Returns how the calls of the two ended. */
async function drill(
  context: TestContext,
  o: { aims: readonly Aim[]; ill: () => Promise<void>; well: () => void; again: (ms: number) => string },
) {
  const [last] = o.aims.slice(-1);
  await eventually('it is well', async () => (await last?.())?.ending === 'ok', 30);
  const load = startLoad([...mixedAims(target), ...o.aims]);
  await load.more(100);
  const from = performance.now();
  await o.ill();
  const back = performance.now();
  o.well();
  const again = await load.wellAfter(back, 'ill');
  await load.stop();
  const meanwhile = load.between(from, back);
  const kept = await recordsOf(world.databaseUrl, load.shots);
  report(context, { meanwhile, kept, wellAgain: o.again(again) });
  expect(sayings(load.shots.filter(({ kind }) => kind !== 'ill'))).toEqual([]);
  const ofTheIll = tally(meanwhile.filter(({ kind }) => kind === 'ill'));
  expect(ofTheIll.calls).toBeGreaterThan(0);
  expect(ofTheIll.ok + ofTheIll.told).toBe(ofTheIll.calls);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
  return ofTheIll;
}

function at(name: string, tool = 'work', args: object = {}): Aim[] {
  const { legacy, modern } = aimsAt(target);
  return [legacy(`${name}__${tool}`, args, 'ill'), modern(`${name}__${tool}`, args, 'ill')];
}

const after = (ms: number) => `its first good call ended after ${seconds(ms)}`;

test('a server of tools hangs for 20 s', async (context) => {
  const server = servers.hung;
  const ill = async () => {
    server.mood = 'hangs';
    await wait(20_000);
  };
  const well = () => {
    server.mood = 'well';
    server.letGo();
  };
  await drill(context, { aims: at('hung'), ill, well, again: after });
});

test('a server of tools takes 30 s for each call', async (context) => {
  const { calls, ok } = await drill(context, {
    aims: [...at('slow', 'slow', { ms: 30_000 }), ...at('slow', 'slow', { ms: 500 })],
    // Long enough that a call which takes so long begins and another one ends.
    ill: () => wait(32_000),
    well: () => undefined,
    again: () => 'calls never failed',
  });
  expect(ok).toBe(calls);
});

test('a server of tools is dead for 20 s', async (context) => {
  const server = servers.dead;
  const ill = async () => {
    server.mood = 'breaks';
    await wait(20_000);
  };
  const well = () => {
    server.mood = 'well';
  };
  await drill(context, { aims: at('dead'), ill, well, again: after });
});

test('a server of tools comes and goes every second for 20 s', async (context) => {
  const server = servers.flapping;
  const ill = async () => {
    for (let second = 0; second < 20; second++) {
      server.mood = second % 2 === 0 ? 'breaks' : 'well';
      await wait(1_000);
    }
  };
  const well = () => {
    server.mood = 'well';
  };
  await drill(context, { aims: at('flapping'), ill, well, again: after });
});
