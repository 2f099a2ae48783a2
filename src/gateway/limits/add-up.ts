import type { LimitCounts } from '../contract.ts';

/** What several replicas counted, as one; of each list the `most` largest. */
export function addedUp(all: readonly LimitCounts[], most: number): LimitCounts {
  const perMinute = byKind(
    all.map((one) => one.perMinute),
    (a, b) => ({ ...a, used: a.used + b.used }),
  );
  const underWay = byKind(
    all.map((one) => one.underWay),
    (a, b) => ({ ...a, calls: a.calls + b.calls }),
  );
  const refusals = merged(
    all.flatMap((one) => one.refusals),
    ({ reason }) => reason,
    sum,
  );
  const refused = merged(
    all.flatMap((one) => one.refused),
    ({ whose }) => whose,
    sum,
  );
  return {
    perMinute: largest(perMinute, ({ used }) => used, most),
    underWay: largest(underWay, ({ calls }) => calls, most),
    refusals: refusals.sort(bySinceStart),
    refused: refused.sort((a, b) => b.lastMinute - a.lastMinute || bySinceStart(a, b)).slice(0, most),
  };
}

interface Times {
  readonly lastMinute: number;
  readonly sinceStart: number;
}

function sum<T extends Times>(a: T, b: T): T {
  return { ...a, lastMinute: a.lastMinute + b.lastMinute, sinceStart: a.sinceStart + b.sinceStart };
}

function bySinceStart(a: Times, b: Times): number {
  return b.sinceStart - a.sinceStart;
}

type Lists<T> = Record<string, T[]>;

/** Every kind that any of them has. */
function byKind<T extends { readonly id: string }>(
  all: readonly Lists<T>[],
  add: (a: T, b: T) => T,
): Lists<T> {
  const kinds = [...new Set(all.flatMap((lists) => Object.keys(lists)))];
  return Object.fromEntries(
    kinds.map((kind) => [
      kind,
      merged(
        all.flatMap((lists) => lists[kind] ?? []),
        ({ id }) => id,
        add,
      ),
    ]),
  );
}

function largest<T>(lists: Lists<T>, size: (item: T) => number, most: number): Lists<T> {
  return Object.fromEntries(
    Object.entries(lists).map(([kind, list]) => [
      kind,
      list.sort((a, b) => size(b) - size(a)).slice(0, most),
    ]),
  );
}

/** One item for each name. */
function merged<T>(items: readonly T[], nameOf: (item: T) => string, add: (a: T, b: T) => T): T[] {
  const byName = new Map<string, T>();
  for (const item of items) {
    const known = byName.get(nameOf(item));
    byName.set(nameOf(item), known ? add(known, item) : item);
  }
  return [...byName.values()];
}
