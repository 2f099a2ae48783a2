import { sql } from 'kysely';
import { expect, onTestFinished, test } from 'vitest';
import { asOwner, renameTable, testDatabase } from '../../../test/database.ts';
import { createLog } from '../log.ts';
import { type Changes, createLive, type Database, type Live, watchChanges } from './index.ts';

const log = createLog('silent');
const clock = () => 1_000;
const never = 2 ** 30;

interface Setup {
  pollMs?: number;
  minIntervalMs?: number;
  maxAgeMs?: number;
}

/** A real view of a real table; `broken` makes its loads fail. */
async function setup({ pollMs = never, ...timing }: Setup = {}) {
  const database = await testDatabase();
  const changes = await watchChanges(database, { log, clock, pollMs });
  const state = { broken: false, loads: 0 };
  const live = await createLive({
    topic: 'access',
    changes,
    log,
    clock,
    minIntervalMs: 1,
    ...timing,
    load: async () => {
      state.loads += 1;
      if (state.broken) throw new Error('no database');
      const { rows } = await sql<{ id: string }>`select id from mcp_proxy.tenants order by id`.execute(
        database.db,
      );
      return rows.map(({ id }) => id);
    },
  });
  onTestFinished(async () => {
    live.close();
    await changes.close();
  });
  return { database, changes, live, state };
}

const addTenant = (database: Database, id: string) =>
  sql`insert into mcp_proxy.tenants (id, display_name) values (${id}, ${id})`.execute(database.db);

test('a view holds the data as soon as it exists and follows each change', async () => {
  const { database, live } = await setup();
  expect(live.current()).toEqual([]);
  const told: string[][] = [];
  live.onChange((value) => told.push(value));
  await addTenant(database, 'acme');
  await expect.poll(() => live.current()).toEqual(['acme']);
  expect(told).toEqual([['acme']]);
});

test('a change of another topic loads nothing', async () => {
  const { database, state } = await setup();
  await sql`update mcp_proxy.live_versions set version = version + 1 where topic = 'tokens'`.execute(
    database.db,
  );
  await sql`notify toolgate_live, 'tokens'`.execute(database.db);
  await addTenant(database, 'acme'); // Told after the other, so that the wait below has an end.
  await expect.poll(() => state.loads).toBe(2);
});

test('a change whose notification was lost is found by looking', async () => {
  const { database, live } = await setup({ pollMs: 20 });
  await asOwner(database.db, (db) => sql`alter table mcp_proxy.tenants disable trigger live`.execute(db));
  await addTenant(database, 'quiet');
  await sql`update mcp_proxy.live_versions set version = version + 1 where topic = 'access'`.execute(
    database.db,
  );
  await expect.poll(() => live.current()).toEqual(['quiet']);
});

test('a change while the connection is cut is caught up with', async () => {
  const { database, live } = await setup();
  await asOwner(database.db, (db) =>
    sql`
      do $$ begin
        insert into mcp_proxy.tenants (id, display_name) values ('unheard', 'unheard');
        perform pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid();
      end $$`.execute(db),
  );
  await expect.poll(() => live.current()).toEqual(['unheard']);
});

test('a failing load keeps the last value, says since when, and recovers by itself', async () => {
  const { database, live, state } = await setup();
  state.broken = true;
  await addTenant(database, 'acme');
  await expect.poll(() => live.staleSince()).toEqual(new Date(1_000));
  expect(live.current()).toEqual([]);
  await expect(live.refresh()).rejects.toThrow('no database');
  state.broken = false;
  await expect.poll(() => live.current()).toEqual(['acme']);
  expect(live.staleSince()).toBeNull();
});

test('refresh resolves with a load that began after the call', async () => {
  const { database, live } = await setup();
  for (const id of ['a', 'b', 'c']) {
    await addTenant(database, id);
    await live.refresh();
    expect(live.current()).toContain(id);
  }
});

test('a value grows old also without a change', async () => {
  const { state } = await setup({ maxAgeMs: 5 });
  await expect.poll(() => state.loads).toBeGreaterThan(3);
});

test('a listener that throws harms neither the view nor the other listeners', async () => {
  const { live } = await setup();
  const told: string[][] = [];
  live.onChange(() => {
    throw new Error('mine');
  });
  const stop = live.onChange((value) => told.push(value));
  await live.refresh();
  stop();
  await live.refresh();
  expect(told).toEqual([[]]);
});

test('nothing is loaded after closing', async () => {
  const { database, live, changes, state } = await setup();
  live.close();
  await addTenant(database, 'acme');
  await live.refresh();
  await changes.close();
  expect(state.loads).toBe(1);
});

test('the watch says since when the database does not answer', async () => {
  const database = await testDatabase();
  const changes = await watchChanges(database, { log, clock, pollMs: 10 });
  onTestFinished(() => changes.close());
  expect(changes.failingSince()).toBeNull();
  await renameTable(database.db, 'live_versions', 'hidden');
  await expect.poll(() => changes.failingSince()).toEqual(new Date(1_000));
  await renameTable(database.db, 'hidden', 'live_versions');
  await expect.poll(() => changes.failingSince()).toBeNull();
});

test('the first load must work', async () => {
  const changes: Changes = {
    subscribe: () => () => undefined,
    failingSince: () => null,
    close: async () => {},
  };
  const load = () => Promise.reject(new Error('no database'));
  await expect(createLive({ topic: 'access', changes, load, log, clock })).rejects.toThrow('no database');
});

/** A view whose loads the test ends by hand. */
function byHand() {
  let onChange = () => {};
  const changes: Changes = {
    subscribe: (_, listener) => {
      onChange = listener;
      return () => undefined;
    },
    failingSince: () => null,
    close: async () => {},
  };
  const loads: PromiseWithResolvers<string>[] = [];
  const load = () => {
    const result = Promise.withResolvers<string>();
    loads.push(result);
    return result.promise;
  };
  const creating: Promise<Live<string>> = createLive({
    topic: 'x',
    changes,
    load,
    log,
    clock,
    minIntervalMs: 0,
  });
  return { loads, creating, change: () => onChange() };
}

test('a load that began before a change is not taken as the answer to it', async () => {
  const { loads, creating, change } = byHand();
  loads[0]?.resolve('first');
  const live = await creating;
  const early = live.refresh();
  const late = [live.refresh(), live.refresh()];
  change();
  loads[1]?.resolve('before the change');
  await early;
  await expect.poll(() => loads.length).toBe(3);
  expect(live.current()).toBe('before the change');
  loads[2]?.resolve('after the change');
  await Promise.all(late);
  expect(live.current()).toBe('after the change');
  expect(loads).toHaveLength(3);
  live.close();
});

test('a burst of changes costs one load', async () => {
  const { loads, creating, change } = byHand();
  loads[0]?.resolve('first');
  const live = await creating;
  for (let i = 0; i < 30; i += 1) change();
  await expect.poll(() => loads.length).toBe(2);
  for (let i = 0; i < 30; i += 1) change();
  loads[1]?.resolve('second');
  await expect.poll(() => loads.length).toBe(3);
  loads[2]?.resolve('third');
  await expect.poll(() => live.current()).toBe('third');
  expect(loads).toHaveLength(3);
  live.close();
});

test('a change in the middle of the very first load is not missed', async () => {
  const { loads, creating, change } = byHand();
  change();
  loads[0]?.resolve('before the change');
  await expect.poll(() => loads.length).toBe(2);
  loads[1]?.resolve('after the change');
  const live = await creating;
  expect(live.current()).toBe('after the change');
  live.close();
});
