// Every function of every store, called in the scope of another tenant, of nobody, and of whoever it is meant for.
import { globSync, readFileSync } from 'node:fs';
import { inspect } from 'node:util';
import { beforeAll, describe, expect, test } from 'vitest';
import type { Db } from '../src/platform/db/index.ts';
import { accessStores } from './walls/access.ts';
import { auditStores } from './walls/audit.ts';
import type { Entry } from './walls/entry.ts';
import { identityStores } from './walls/identity.ts';
import { otherStores } from './walls/others.ts';
import { secretsStores } from './walls/secrets.ts';
import {
  acme,
  changedTables,
  globex,
  nowhere,
  operatorCanary,
  type Target,
  type World,
  wallsWorld,
} from './walls/world.ts';

const stores: Readonly<Record<string, Readonly<Record<string, Entry>>>> = {
  ...accessStores,
  ...auditStores,
  ...secretsStores,
  ...identityStores,
  ...otherStores,
};
const entries = Object.entries(stores).flatMap(([file, functions]) =>
  Object.entries(functions).map(([name, entry]) => [`${file} ${name}`, entry] as const),
);
const walled = entries.filter(([, { scope }]) => scope !== 'none');

const root = new URL('../', import.meta.url);

test('each function that a store exports is tried below, and nothing that is not there', async () => {
  const files = globSync('src/**/*.ts', { cwd: root, exclude: ['src/platform/db/**', '**/*.test.ts'] })
    .map((file) => file.replaceAll('\\', '/'))
    .filter((file) => readFileSync(new URL(file, root), 'utf8').includes("from 'kysely'"));
  const found = await Promise.all(
    files.map(async (file) => {
      const module: Record<string, unknown> = await import(new URL(file, root).href);
      return Object.keys(module).flatMap((name) =>
        typeof module[name] === 'function' ? [`${file} ${name}`] : [],
      );
    }),
  );
  expect(entries.map(([place]) => place).sort()).toEqual(found.flat().sort());
});

let world: World;
beforeAll(async () => {
  world = await wallsWorld();
});

/** What comes of it, so that two can be compared: the value, or which error. */
async function outcome({ call }: Entry, db: Db, it: Target): Promise<string> {
  try {
    return `value ${inspect(await call(db, it), { depth: 9, sorted: true })}`;
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'none';
    // All of it, because what the database says may quote a row.
    return code === 'none' || inspect(error).includes('canary') ? `error ${inspect(error)}` : `error ${code}`;
  }
}

interface Trial {
  readonly outcome: string;
  /** Tables in which something changed, but for rows of the one whose scope it was. */
  readonly changed: string[];
}

/** Calls it on the world as it was at first, and leaves it so. */
async function attempt(entry: Entry, db: Db, it: Target): Promise<Trial> {
  const before = await world.dump();
  const found = await outcome(entry, db, it);
  const after = await world.dump();
  if (changedTables(before, after).length > 0) await world.reset();
  return { outcome: found, changed: changedTables(before, after, globex) };
}

describe.each([
  ['another tenant', globex.tenant],
  ['nobody', ''],
  ['a tenant whose id is the sign of the operator', '*'],
])('as %s', (_, tenant) => {
  test.each(walled)(
    '%s sees and changes nothing of a tenant, which looks like one that is not there',
    async (_place, entry) => {
      const db = world.database.forTenant(tenant);
      const [real, made] = [await attempt(entry, db, acme), await attempt(entry, db, nowhere)];
      expect(real.changed).toEqual([]);
      expect(real.outcome.replaceAll(acme.tenant, '…')).toBe(made.outcome.replaceAll(nowhere.tenant, '…'));
      for (const secret of [acme.canary, acme.id, operatorCanary]) expect(real.outcome).not.toContain(secret);
    },
  );
});

describe('in the scope that it is meant for', () => {
  test.each(walled)('%s does its work', async (_place, entry) => {
    const { database } = world;
    const own = entry.scope === 'tenant' ? database.forTenant(acme.tenant) : database.db;
    const foreign = await attempt(entry, database.forTenant(globex.tenant), acme);
    const done = await attempt(entry, own, acme);
    expect(done.outcome).toMatch(/^value/);
    const hasEffect = done.changed.length > 0 || done.outcome !== foreign.outcome;
    expect(hasEffect || entry.isSilent === true).toBe(true);
    if (entry.scope === 'tenant') expect(done.outcome).not.toContain(globex.canary);
  });
});
