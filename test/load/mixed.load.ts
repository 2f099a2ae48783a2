// The whole program, twice, with everything on, used in every way at once.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { eventually, type Gate } from '../e2e/gate.ts';
import { browserLines, prepareEdits } from './browsers.ts';
import { descendants, type Held, heldBy } from './held.ts';
import { mcpLines } from './mcp.ts';
import { type Paced, runAll } from './pace.ts';
import { postLines } from './posts.ts';
import { compare, recordIds, unmarked } from './recorded.ts';
import { reportText, type Result, writeReport } from './report.ts';
import { Watch } from './watch.ts';
import { startWorld, type World } from './world.ts';

const minutes = Number(process.env['TOOLGATE_LOAD_MINUTES']);
const warmUpMs = Math.min(60_000, minutes * 20_000);

/** What an idle process may hold more than before: connections that a pool opened, or has not closed yet. */
const moreFiles = 8;
/** By how much the heap may be larger, in MiB: what is remembered of sessions, people and paths has bounds above this. */
const moreHeap = 8;

/** Share of the calls that had to work. */
const mostFailed = 0.01;

test('nothing is lost, and nothing is left', async () => {
  const world = await startWorld();
  await prepareEdits(world);
  const lines = [...mcpLines(world), ...postLines(world), ...browserLines(world)];
  await runAll(lines, Date.now() + warmUpMs);
  say('warm');
  const before = await idle(world);
  say('idle');
  world.ledger.forgetCalls();

  const watch = new Watch(world);
  const paced = await runAll(lines, Date.now() + minutes * 60_000);
  await watch.close();
  say('done');
  const after = await idle(world, before);

  say('idle again');
  await stored(world);
  const result: Result = {
    ...{ minutes, ledger: world.ledger, minutely: watch.minutely },
    compared: await compare(world.ledger, world.databaseUrl),
    idle: before.map((one, at) => ({ before: one, after: after[at] ?? one })),
    notes: await notesOf(world, watch, paced),
  };
  const text = reportText(result);
  process.stderr.write(`\n${text}\n`);
  if (process.env['TOOLGATE_LOAD_WRITE'] === 'true') await writeReport(text);
  await assertSound(world, result);
  await assertGone(world);
});

function say(what: string): void {
  process.stderr.write(`${new Date().toISOString()} ${what}\n`);
}

/** Waits until everything that is not used has ended, and says what is still held. */
async function idle(world: World, before?: readonly Held[]): Promise<Held[]> {
  const look = () => Promise.all(world.gates.map(heldBy));
  const isAsBefore = (now: readonly Held[]) =>
    now.every(({ files, processes }, at) => {
      const was = before?.[at];
      return was !== undefined && files <= was.files + moreFiles && processes <= was.processes;
    });
  // Connections end after 10 seconds without a call; sockets that are kept alive soon after.
  let last: Held[] = [];
  for (let turn = 0, same = 0; turn < 24 && same < 4; turn++) {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    world.forget();
    const now = await look();
    const isStill = now.every(({ files }, at) => files === last[at]?.files);
    same = isStill || isAsBefore(now) ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** Everything recorded is in the database, and was sent on. */
async function stored(world: World): Promise<void> {
  const waiting = async (gate: Gate) => {
    const text = await (await fetch(`${gate.url}/metrics`)).text();
    const found = [...text.matchAll(/^toolgate_records_waiting\{[^}]*\} (\d+)/gm)];
    return found.reduce((sum, [, value]) => sum + Number(value), found.length === 0 ? Number.NaN : 0);
  };
  for (const gate of world.gates)
    await eventually('all records are stored', async () => (await waiting(gate)) === 0, 60);
  const ids = await recordIds(world.databaseUrl);
  await eventually(
    'all records were sent on',
    () => {
      world.receiver.take();
      return ids.every((id) => world.receiver.calls.has(id));
    },
    300,
  ).catch((error: unknown) => process.stderr.write(`${String(error)}\n`));
}

async function notesOf(world: World, watch: Watch, paced: ReadonlyMap<string, Paced>): Promise<string[]> {
  const ids = await recordIds(world.databaseUrl);
  const { receiver } = world;
  const { made, failed } = callsThatHadToWork(world);
  const sentOn = ids.filter((id) => receiver.calls.has(id)).length;
  const skipped = [...paced].filter(([, one]) => one.skipped > 0);
  const left = ([name, one]: [string, Paced]) => `${name} ${one.skipped} of ${one.begun + one.skipped} times`;
  return [
    `Calls that had to work and did not: ${failed} of ${made}.`,
    `Records sent on to another system: ${sentOn} of ${ids.length}, ${receiver.again()} of them again; changes: ${receiver.changes()}.`,
    await chainOf(world),
    `Spans that came to the collector: ${world.spansSeen()}. Metrics were read ${watch.scrapes} times.`,
    ...(skipped.length === 0
      ? []
      : [`Left out, because too many were under way: ${skipped.map(left).join(', ')}.`]),
  ];
}

function callsThatHadToWork({ ledger }: World): { readonly made: number; readonly failed: number } {
  const had = [...ledger.calls].filter(([kind]) => !/^(?:failing|limited)/.test(kind));
  const sum = (numbers: readonly number[]) => numbers.reduce((total, one) => total + one, 0);
  return {
    made: sum(had.map(([, calls]) => calls.milliseconds.length)),
    failed: sum(had.map(([, calls]) => calls.failed)),
  };
}

/** What the program says of the chain of changes, compared with the anchors that were kept elsewhere. */
async function chainOf(world: World): Promise<string> {
  const anchors = readFileSync(world.anchors, 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line));
  const { status, text } = await world.admin('POST', '/audit/verify', { anchors });
  const found = status === 200 ? (JSON.parse(text) as { ok: boolean; records: number }) : undefined;
  if (!found?.ok) throw new Error(`The chain of changes: ${text}`);
  return `Chain of changes: in order, ${found.records} records, compared with ${anchors.length} anchors.`;
}

/** After a clean stop nothing waits in a file, and nothing runs. */
async function assertGone({ gates }: World): Promise<void> {
  for (const gate of gates) {
    const started = descendants(gate.pid);
    expect(await gate.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(readdirSync(path.join(gate.folder, 'data', 'spill'))).toEqual([]);
    await eventually('its processes are gone', () => started.every((pid) => !existsSync(`/proc/${pid}`)));
  }
}

async function assertSound(world: World, result: Result): Promise<void> {
  // A run in which a whole kind of calls is only refused shows nothing.
  const { made, failed } = callsThatHadToWork(world);
  expect(failed).toBeLessThan(made * mostFailed);
  for (const { kind, lost, doubled, madeUp } of result.compared)
    expect({ kind, lost, doubled, madeUp }).toEqual({ kind, lost: [], doubled: [], madeUp: [] });
  expect(await unmarked(world.databaseUrl)).toEqual([]);
  for (const { before, after } of result.idle) {
    expect(after.files).toBeLessThanOrEqual(before.files + moreFiles);
    expect(after.processes).toBeLessThanOrEqual(before.processes);
    expect(after.theirFiles).toBeLessThanOrEqual(before.theirFiles + moreFiles);
    expect(after.heapMiB).toBeLessThanOrEqual(before.heapMiB + moreHeap);
  }
  expect(world.chat.held()).toBe(0);
  const ids = await recordIds(world.databaseUrl);
  expect(ids.filter((id) => !world.receiver.calls.has(id))).toEqual([]);
}
