import { connect, type Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { afterAll, expect, test } from 'vitest';
import { eventually } from '../e2e/gate.ts';
import { drillWorld, recordsOf } from './drill-world.ts';
import { mixedAims, startLoad } from './load.ts';
import { megabytes, resident } from './memory.ts';
import { report } from './report.ts';
import { sayings } from './shots.ts';

const world = await drillWorld();
const gate = world.gates[0]!;
const target = world.at(gate.url);
/** Answers without end would fill gigabytes. What is kept of long results has a bound of its own. */
const bound = 400_000_000;
const open: Socket[] = [];
afterAll(() => {
  for (const socket of open) socket.destroy();
});

/** Sends a request and takes one byte of the answer each second. */
function readSlowly(lines: readonly string[], body = ''): () => number {
  const socket = connect(Number(new URL(gate.url).port), '127.0.0.1');
  open.push(socket);
  let taken = 0;
  socket.on('error', () => undefined);
  socket.on('readable', () => undefined);
  const timer = setInterval(() => {
    if (socket.read(1) !== null) taken += 1;
  }, 1_000);
  socket.once('close', () => clearInterval(timer));
  socket.write(`${[...lines, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`);
  return () => taken;
}

function endless(): () => number {
  return readSlowly(['GET /endless HTTP/1.1', `Host: ${new URL(gate.url).host}`, `Cookie: ${target.cookie}`]);
}

/** A tool's result of 5 MB: what a model is not shown of it is kept to be read later. */
function bigResult(): () => number {
  const params = { name: 'ok__big', arguments: { bytes: 5_000_000 } };
  return readSlowly(
    [
      ...['POST /mcp HTTP/1.1', `Host: ${new URL(gate.url).host}`, 'Content-Type: application/json'],
      ...[`Authorization: Bearer ${target.token}`, 'Accept: application/json, text/event-stream'],
    ],
    JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params }),
  );
}

test('twenty clients read one byte a second of answers without end', async (context) => {
  const load = startLoad(mixedAims(target));
  await load.more(300);
  const before = resident(gate.pid);
  const from = performance.now();
  const taken = Array.from({ length: 20 }, (_, at) => (at % 2 === 0 ? endless() : bigResult()));
  let most = 0;
  for (let second = 0; second < 30; second++) {
    await wait(1_000);
    most = Math.max(most, resident(gate.pid) - before);
  }
  await eventually('each of them reads', () => taken.every((bytes) => bytes() > 5), 60);
  const until = performance.now();
  for (const socket of open) socket.destroy();
  await load.more(100);
  await load.stop();
  const kept = await recordsOf(world.databaseUrl, load.shots);
  report(context, {
    ...{ meanwhile: load.between(from, until), kept },
    wellAgain: `calls never failed; ${megabytes(most)} of memory at most`,
  });
  expect(sayings(load.shots)).toEqual([]);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
  expect(most).toBeLessThan(bound);
});
