import { get, type IncomingMessage } from 'node:http';
import { expect, test } from 'vitest';
import { ask, bearer } from '../e2e/clients.ts';
import { eventually } from '../e2e/gate.ts';
import { drillWorld, recordsOf } from './drill-world.ts';
import { mixedAims, startLoad } from './load.ts';
import { type Held, held, probeFlags } from './memory.ts';
import { report } from './report.ts';
import { sayings } from './shots.ts';

const sessions = 10_000;
const atOnce = 40;
const world = await drillWorld({ first: { nodeFlags: probeFlags } });
const gate = world.gates[0]!;
const target = world.at(gate.url);

/** A session of an MCP client that says nothing more, and the stream that it listens on. */
async function openIdle(): Promise<IncomingMessage> {
  const url = `${target.url}/mcp`;
  const params = {
    protocolVersion: '2025-11-25',
    capabilities: {},
    clientInfo: { name: 'idle', version: '1' },
  };
  const { headers } = await ask({ url, token: target.token }, 'initialize', params);
  const session = headers.get('mcp-session-id') ?? '';
  const listening = {
    ...bearer(target.token),
    accept: 'text/event-stream',
    'mcp-session-id': session,
  };
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers: listening }, resolve).on('error', reject);
  });
}

test('10,000 sessions are open and say nothing', async (context) => {
  const load = startLoad(mixedAims(target));
  await load.more(300);
  const before = await held(gate);
  const from = performance.now();
  const streams: IncomingMessage[] = [];
  let left = sessions;
  const worker = async () => {
    while (left-- > 0) streams.push(await openIdle());
  };
  await Promise.all(Array.from({ length: atOnce }, worker));
  expect(streams.filter(({ statusCode }) => statusCode !== 200)).toEqual([]);
  await load.more(300);
  const full = await held(gate);
  expect(full.sockets - before.sockets).toBeGreaterThanOrEqual(sessions);
  for (const stream of streams) stream.on('error', () => undefined).destroy();
  const after = await eventually(
    'their streams are closed',
    async () => {
      const now = await held(gate);
      return now.sockets - before.sockets < 100 && now;
    },
    60,
  );
  const until = performance.now();
  await load.stop();
  const kept = await recordsOf(world.databaseUrl, load.shots);
  const perSession = (now: Held) => Math.round((now.heap - before.heap) / sessions / 1_000);
  report(context, {
    ...{ meanwhile: load.between(from, until), kept },
    wellAgain: `calls never failed; ${perSession(full)} KB for each, ${perSession(after)} KB without its stream`,
  });
  expect(sayings(load.shots)).toEqual([]);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
  expect(perSession(full)).toBeLessThan(50);
  // Nobody ended them, so they are still there, and may take what an idle session may.
  expect(perSession(after)).toBeLessThanOrEqual(10);
});
