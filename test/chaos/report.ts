// What a drill found, as one row of a table.
import type { TestContext } from 'vitest';
import type { Kept } from './drill-world.ts';
import { type Shot, tally } from './shots.ts';

declare module 'vitest' {
  interface TaskMeta {
    drill?: readonly string[];
  }
}

export const columns = [
  'drill',
  'requests meanwhile',
  'good',
  'errors that say why',
  'broken off',
  'other errors, or none',
  '99 of 100 within, slowest',
  'answered, recorded, lost',
  'well again',
] as const;

/** For the table that is printed when all drills are over. */
export function report(
  { task }: TestContext,
  o: {
    /** Requests that began while it happened. */
    readonly meanwhile: readonly Shot[];
    readonly kept: Kept;
    readonly wellAgain: string;
  },
): void {
  const { calls, ok, told, broken, other, hung, p99, slowest } = tally(o.meanwhile);
  const { answered, recorded, lost } = o.kept;
  task.meta.drill = [
    ...[task.name, calls, ok, told, broken, other + hung, `${seconds(p99)}, ${seconds(slowest)}`],
    ...[`${answered}, ${recorded}, ${lost}`, o.wellAgain],
  ].map(String);
}

export function seconds(milliseconds: number): string {
  return milliseconds < 1_000 ? `${Math.round(milliseconds)} ms` : `${(milliseconds / 1_000).toFixed(1)} s`;
}
