// PostgreSQL is away and the disk for records is full: then calls are refused, because they could not be recorded.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { eventually, query } from '../e2e/gate.ts';
import { startOwnPostgres } from '../e2e/own-postgres.ts';
import { aimAtList, drillWorld, recordsOf } from './drill-world.ts';
import { mixedAims, startLoad } from './load.ts';
import { report, seconds } from './report.ts';
import { type Shot, sayings } from './shots.ts';

const mount = 'mount -t tmpfs -o size=4m,mode=0700 tmpfs "$1"';
const unmount = 'umount -l "$1"';
const mostSent = 100_000;
const full = 'calls are refused';
const folder = mkdtempSync(path.join(tmpdir(), 'toolgate-chaos-'));
const spill = path.join(folder, 'data', 'spill');
const isSmall = mountSmallDisk();
afterAll(() => {
  if (isSmall) execFileSync('/bin/sh', ['-c', unmount, 'sh', spill]);
  rmSync(folder, { recursive: true, force: true });
});

const countOfRefused = `select sum(coalesce((arguments->>'requests')::int, 1))::int as refused
  from mcp_proxy.api_analytics where reason = 'records_full'`;

/** A disk of 4 MB where records go; only root can have one. */
function mountSmallDisk(): boolean {
  mkdirSync(path.join(folder, 'data'), { mode: 0o700 });
  mkdirSync(spill, { mode: 0o700 });
  if (process.getuid?.() !== 0) return false;
  execFileSync('/bin/sh', ['-c', mount, 'sh', spill]);
  return true;
}

test.skipIf(!isSmall)('the disk for records is full while PostgreSQL is away', async (context) => {
  const postgres = await startOwnPostgres();
  const world = await drillWorld({ databaseUrl: postgres.url, first: { folder } });
  const [gate] = world.gates;
  const target = world.at(gate!.url);
  const quick = aimAtList(target);
  const load = startLoad(mixedAims(target));
  await load.more(50);
  const from = performance.now();
  await postgres.stop();
  const flood: Shot[] = [];
  let refusals = 0;
  const fill = async (untilRefused: number) => {
    const worker = async () => {
      while (refusals < untilRefused && flood.length < mostSent) {
        const shot = await quick();
        flood.push(shot);
        if (shot.ending === 'told') refusals += 1;
      }
    };
    await Promise.all(Array.from({ length: 30 }, worker));
  };
  await fill(1);
  const refusedFrom = performance.now();
  await load.more(60);
  const whileFull = load.between(refusedFrom, performance.now());
  // Memory must not be used up by those that are refused.
  await fill(22_000);
  const ready = await (await fetch(`${gate!.url}/gateway/ready`)).text();
  await postgres.start();
  const back = performance.now();
  const wellAfter = await load.wellAfter(back);
  await eventually('it is well', async () => (await world.degraded()).length === 0, 120);
  const until = performance.now();
  await load.stop();
  const meanwhile = load.between(from, until);
  const all = [...load.shots, ...flood];
  const kept = await recordsOf(
    world.databaseUrl,
    all.filter(({ ending }) => ending === 'ok'),
  );
  report(context, {
    meanwhile,
    kept,
    wellAgain: `${seconds(wellAfter)}, all stored ${seconds(until - back)}`,
  });
  expect(ready).toContain(full);
  for (const text of sayings(all)) expect(text).toMatch(/told: .*record/);
  expect(whileFull.filter(({ ending }) => ending === 'ok')).toEqual([]);
  expect(kept).toMatchObject({ lost: 0, doubled: 0 });
  expect(gate!.logs()).not.toContain('CALL RECORDS WERE LOST');
  // Of those that were refused some have a record, and the others are counted by one.
  const [row] = await query(postgres.url, countOfRefused);
  expect(row).toEqual({ refused: all.filter(({ ending }) => ending === 'told').length });
});
