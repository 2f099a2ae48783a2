// The clock of one of two replicas jumps an hour ahead, an hour behind, and back to the truth.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createLocalJWKSet, type JSONWebKeySet, jwtVerify } from 'jose';
import { afterAll, expect, test } from 'vitest';
import { closeLater } from '../e2e/clients.ts';
import { eventually, query } from '../e2e/gate.ts';
import { startMoodyServer } from '../moody-server.ts';
import { aimAtList, drillWorld, recordsOf } from './drill-world.ts';
import { aimsAt, mixedAims, startLoad } from './load.ts';
import { report, seconds } from './report.ts';
import { type Shot, sayings, tally } from './shots.ts';

const hour = 3_600_000;
const perMinute = 30;
const people = ['bob', 'carol', 'dave', 'eve'].map((name) => `${name}@acme.com`);
const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-chaos-'));
const clockFile = path.join(folder, 'clock');
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const moody = closeLater(await startMoodyServer());
const world = await drillWorld({
  replicas: 2,
  servers: { moody: { type: 'http', url: moody.url } },
  env: { RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '1000000', TEST_CLOCK_FILE: clockFile },
  more: {
    users: Object.fromEntries(['alice@acme.com', ...people].map((who) => [who, { groups: ['Everyone'] }])),
    rateLimits: { users: Object.fromEntries(people.map((who) => [who, { perMinute }])) },
  },
  first: { nodeFlags: ['--import', new URL('shift-clock.ts', import.meta.url).href] },
});
const gate = world.gates[0]!;
const tokens = new Map<string, string>();

async function jumpTo(shift: number): Promise<void> {
  writeFileSync(clockFile, String(shift));
  const said = () => gate.logs().split(`\nclock ${shift}\n`).length;
  const before = said();
  process.kill(gate.pid, 'SIGUSR2');
  await eventually('the clock has jumped', () => said() > before);
}

/** Twice as many requests as this person may make in a minute, at once. */
async function flood(person: string): Promise<Shot[]> {
  const aim = aimAtList({ url: gate.url, token: tokens.get(person) ?? '' });
  return Promise.all(Array.from({ length: perMinute * 2 }, aim));
}

let visits = 0;

/** The headers of a request with this cookie, as Open WebUI gets them. */
async function arrivesAs(cookie: string): Promise<readonly string[]> {
  const path = `/echo?visit=${visits++}`;
  await (await fetch(gate.url + path, { headers: { cookie } })).text();
  return world.site.last(path).rawHeaders;
}

/** What Open WebUI is told is signed for the moment in which it is told it. */
async function signatureHolds(shift: number): Promise<void> {
  const keys = (await (await fetch(`${gate.url}/gateway/jwks.json`)).json()) as JSONWebKeySet;
  const raw = await arrivesAs(world.at(gate.url).cookie);
  const signature = raw[raw.indexOf('X-Gateway-Signature') + 1] ?? '';
  const currentDate = new Date(Date.now() + shift);
  const { payload } = await jwtVerify(signature, createLocalJWKSet(keys), { currentDate });
  expect(Math.abs((payload.iat ?? 0) * 1000 - currentDate.getTime())).toBeLessThan(60_000);
}

/** What was found out while the clock was ahead: that a server fails, and that a session of Open WebUI is in force. */
async function findOut(): Promise<{ forget(): Promise<void> }> {
  const ill = aimsAt({ url: gate.url, token: world.at('').token }).modern('moody__work', {});
  moody.mood = 'breaks';
  await eventually('its circuit is open', async () => /has been failing/.test((await ill()).said), 60);
  const session = await world.webUi.session(world.webUi.account('frank@acme.com'));
  const isKnown = async () => (await arrivesAs(`token=${session}`)).includes('frank@acme.com');
  await eventually('the session is known', isKnown);
  return {
    async forget() {
      moody.mood = 'well';
      await eventually('the server is used again', async () => (await ill()).ending === 'ok', 90);
      world.webUi.revoke(session);
      await eventually('the ended session is refused', async () => !(await isKnown()), 90);
    },
  };
}

test('the clock of a replica jumps an hour ahead, an hour behind, and back', async (context) => {
  for (const person of people) tokens.set(person, await gate.tokenFor(person));
  const expiresAt = new Date(Date.now() + hour / 2).toISOString();
  const brief = aimAtList({ url: gate.url, token: await gate.tokenFor('alice@acme.com', { expiresAt }) });
  // At the replica whose clock jumps, and at the one whose clock is right and that hears of the other.
  const load = startLoad(world.gates.flatMap(({ url }) => mixedAims(world.at(url))));
  await load.more(100);
  const from = performance.now();
  const floods: Shot[] = [];
  const found: Awaited<ReturnType<typeof findOut>>[] = [];
  for (const [at, shift] of [0, hour, -hour, 0].entries()) {
    if (at > 0) await jumpTo(shift);
    if (shift < 0) await found.pop()?.forget();
    await load.more(300);
    const shots = await flood(people[at] ?? '');
    floods.push(...shots);
    const { ok, told } = tally(shots);
    expect({ shift, ok, told }).toEqual({ shift, ok: perMinute, told: perMinute });
    expect({ shift, ending: (await brief()).ending }).toEqual({ shift, ending: shift > 0 ? 'told' : 'ok' });
    await signatureHolds(shift);
    if (shift > 0) found.push(await findOut());
  }
  const back = performance.now();
  // Whoever was at their limit while the clock was wrong is let in again when their minute is over.
  for (const person of people) {
    const aim = aimAtList({ url: gate.url, token: tokens.get(person) ?? '' });
    await eventually(`${person} may call again`, async () => (await aim()).ending === 'ok', 100);
  }
  const until = performance.now();
  await load.stop();
  const kept = await recordsOf(world.databaseUrl, [...load.shots, ...floods]);
  report(context, {
    ...{ meanwhile: load.between(from, until), kept },
    wellAgain: `calls never failed; limits after ${seconds(until - back)}`,
  });
  expect(sayings(load.shots)).toEqual([]);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
  const [row] = await query(
    world.databaseUrl,
    `select count(*)::int as odd from mcp_proxy.api_analytics where response_time_ms > 60000 or response_time_ms < 0`,
  );
  // Those that were under way when it jumped.
  expect(Number(row?.['odd'])).toBeLessThanOrEqual(2 * mixedAims(world.at(gate.url)).length);
});
