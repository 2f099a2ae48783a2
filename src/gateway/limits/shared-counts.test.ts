import { randomBytes, randomUUID } from 'node:crypto';
import { Redis } from 'ioredis';
import { afterAll, expect, test } from 'vitest';
import { testRedisUrl } from '../../../test/redis.ts';
import { systemClock } from '../../platform/clock.ts';
import { createLog } from '../../platform/log.ts';
import { openRedisLink } from '../../platform/redis/link.ts';
import { CallCounts } from './call-counts.ts';
import type { Limit, LimitKind } from './limit.ts';
import { Limits } from './limits.ts';
import { redisCounts } from './shared-counts.ts';
import type { Ceiling } from './under-way.ts';

const url = await testRedisUrl();
const redis = new Redis(url);
const key = randomBytes(32);
const open: { close(): Promise<void> }[] = [];
afterAll(async () => {
  for (const one of open.splice(0)) await one.close();
  redis.disconnect();
});

/** One replica of the installation. */
async function replica(secret = key) {
  const link = await openRedisLink(url, {
    purpose: 'a test',
    log: createLog('silent'),
    clock: systemClock,
  });
  const counts = redisCounts(link, secret);
  open.push(counts);
  return counts;
}

function limit(kind: LimitKind, perMinute: number, id: string = randomUUID()): Limit {
  return { kind, id, perMinute };
}

/** Makes every hit of every limit so many seconds older. */
async function age(seconds: number) {
  for (const name of await redis.keys('{toolgate-limits}:*')) {
    const fields = Object.entries(await redis.hgetall(name));
    const older = fields.map(([field, value]) => {
      if (field === 'n') return [field, value];
      if (field === 'h') return [field, String(Number(value) - seconds)];
      return [String(Number(field) - seconds), value];
    });
    await redis.multi().del(name).hset(name, Object.fromEntries(older)).exec();
  }
}

test('of a thousand calls at once through two replicas exactly as many pass as may', async () => {
  const replicas = [await replica(), await replica()].map(
    (shared) => new CallCounts({ clock: systemClock, shared }),
  );
  const alice = limit('user', 100);
  const bob = limit('user', 100);
  const calls = Array.from({ length: 1_000 }, async (_, n) => {
    const verdict = await replicas[n % 2]!.take([alice]);
    const other = n % 20 === 0 ? await replicas[n % 2]!.take([bob]) : { ok: true };
    return { alice: verdict.ok, bob: other.ok };
  });
  const found = await Promise.all(calls);
  expect(found.filter((one) => one.alice)).toHaveLength(100);
  expect(found.every((one) => one.bob)).toBe(true);
});

test('a call counts with all of its limits or with none', async () => {
  const shared = await replica();
  const [user, server] = [limit('user', 5), limit('server', 2)];
  for (let n = 0; n < 2; n++) expect((await shared.take([user, server], [])).full).toBeNull();
  for (let n = 0; n < 10; n++)
    expect((await shared.take([user, server], [])).full).toMatchObject({
      at: 1,
      milliseconds: expect.any(Number),
    });
  expect((await shared.take([user], [])).counts).toEqual([3]);
});

test('the window slides, and whoever waits as long as told gets through', async () => {
  const shared = await replica();
  const user = limit('user', 3);
  await shared.take([user], []);
  await age(30);
  await shared.take([user], []);
  await shared.take([user], []);
  const { full } = await shared.take([user], []);
  expect(full?.milliseconds).toBeGreaterThan(25_000);
  expect(full?.milliseconds).toBeLessThanOrEqual(31_000);
  await age(Math.ceil((full?.milliseconds ?? 0) / 1_000));
  const { counts } = await shared.take([user], []);
  expect(counts).toEqual([3]);
  expect((await shared.take([user], [])).full).not.toBeNull();
  await age(200);
  expect((await shared.take([user], [])).counts).toEqual([1]);
});

test('a limit with more hits than it may have is told when enough of them have left', async () => {
  const shared = await replica();
  const address = limit('address', 2);
  const before = { ...address, perMinute: 5 };
  await shared.take([before], []);
  await age(20);
  for (let n = 0; n < 4; n++) await shared.take([before], []);
  const { full } = await shared.take([address], []);
  expect(full?.milliseconds).toBeGreaterThan(50_000);
});

test('a clock of Redis that was set back keeps nobody out for long', async () => {
  const shared = await replica();
  const user = limit('user', 1);
  await shared.take([user], []);
  await age(-3_600);
  const { full } = await shared.take([user], []);
  expect(full?.milliseconds).toBeLessThanOrEqual(61_000);
  await age(61);
  expect((await shared.take([user], [])).full).toBeNull();
});

test('Redis learns no names, forgets in minutes, and keeps two installations apart', async () => {
  const [ours, theirs] = [await replica(), await replica(randomBytes(32))];
  const alice = limit('user', 1, 'alice@acme.com');
  expect((await ours.take([alice], [])).full).toBeNull();
  expect((await theirs.take([alice], [])).full).toBeNull();
  await ours.tell([{ kind: 'user', id: 'alice@acme.com', calls: 1 }]);
  const names = await redis.keys('*');
  expect(names.join()).not.toMatch(/alice|acme|user/);
  for (const name of names) {
    const left = await redis.ttl(name);
    if (await redis.hexists(name, 'h')) expect(left).toBeLessThanOrEqual(120);
  }
});

test('a Redis that has forgotten the script is told it again', async () => {
  const shared = await replica();
  const user = limit('user', 5);
  await shared.take([user], []);
  await redis.script('FLUSH');
  expect((await shared.take([user], [])).counts).toEqual([2]);
});

/** Somebody who asks one replica or another to let calls in. */
async function door(ceilings: readonly Ceiling[], most = 100) {
  const shared = await replica();
  const limits = new Limits({ clock: systemClock, shared });
  const user = limit('user', most);
  return {
    shared,
    limits,
    user,
    /** How a call can leave; undefined: it was not let in. */
    enter: async () => {
      const entry = limits.underWay.enter(ceilings);
      if (!entry.ok) return undefined;
      const { ok } = await limits.calls.take([user], entry.held);
      if (!ok) entry.leave();
      return ok ? entry.leave : undefined;
    },
  };
}

/** What has just ended at one replica may be news to the other. */
async function entered(at: Awaited<ReturnType<typeof door>>) {
  let leave: (() => void) | undefined;
  await expect.poll(async () => (leave = await at.enter()), { timeout: 10_000 }).toBeDefined();
  return leave ?? expect.fail();
}

/** Everything that replicas said of their calls under way was said so many seconds before. */
async function ageHeld(seconds: number) {
  for (const name of await redis.keys('{toolgate-limits}-at-once:*')) {
    const fields = Object.entries(await redis.hgetall(name));
    for (const [replicaId, said] of fields) {
      const [calls, at] = said.split(' ').map(Number);
      await redis.hset(name, replicaId, `${calls} ${(at ?? 0) - seconds}`);
    }
  }
}

function ceiling(atOnce: number, id: string = randomUUID()): Ceiling {
  return { kind: 'server', id, atOnce };
}

test('of forty calls at once through two replicas exactly as many are under way as may be', async () => {
  const up = ceiling(5);
  const doors = [await door([up]), await door([up])];
  const forty = async () => {
    const all = await Promise.all(Array.from({ length: 40 }, (_, n) => doors[n % 2]!.enter()));
    return all.filter((leave) => leave !== undefined);
  };
  const under = await forty();
  expect(under).toHaveLength(5);
  expect(await forty()).toEqual([]);
  under.pop()?.();
  await entered(doors[1]!);
  expect(await forty()).toEqual([]);
});

test('a call that finds too many under way uses up nothing, nor one over a limit a place', async () => {
  const up = ceiling(1);
  const [one, other] = [await door([up]), await door([up], 1)];
  const leave = await one.enter();
  for (let n = 0; n < 5; n++) expect(await other.enter()).toBeUndefined();
  leave?.();
  const second = await entered(other);
  second();
  expect(await other.enter()).toBeUndefined();
  (await entered(one))();
});

test('calls of a replica that was killed make room when it has said nothing for a while', async () => {
  const up = ceiling(2);
  const [killed, other] = [await door([up]), await door([up])];
  expect([await killed.enter(), await killed.enter()]).not.toContain(undefined);
  await ageHeld(14);
  expect(await other.enter()).toBeUndefined();
  await ageHeld(2);
  expect(await other.enter()).toBeDefined();
});

test('what a replica says again counts on, also in a Redis that has forgotten everything', async () => {
  const up = ceiling(2);
  const [one, other] = [await door([up]), await door([up])];
  const leave = await one.enter();
  await one.enter();
  await redis.del(await redis.keys('{toolgate-limits}-at-once:*'));
  await one.shared.tell(one.limits.underWay.all());
  expect(await other.enter()).toBeUndefined();
  await ageHeld(14);
  await one.shared.tell(one.limits.underWay.all());
  await ageHeld(14);
  expect(await other.enter()).toBeUndefined();
  leave?.();
  await entered(other);
});
