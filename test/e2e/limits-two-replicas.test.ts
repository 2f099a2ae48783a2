// Two programs that count together in one Redis.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type OwnRedis, ownRedis } from '../redis.ts';
import { ask, bearer } from './clients.ts';
import { configOf, eventually, type Gate, query, startGate } from './gate.ts';
import type { Json } from './program.ts';
import { startUpstream } from './upstream.ts';

const perUser = 100;
let redis: OwnRedis;
/** Calls of the tool `held` wait here. */
const held: (() => void)[] = [];
let replicas: readonly [Gate, Gate];
const tokens = new Map<string, string>();

beforeAll(async () => {
  redis = await ownRedis();
  await redis.start();
  const upstream = await startUpstream(
    { tools: {} },
    {
      'tools/list': () => ({
        tools: ['one', 'held'].map((name) => ({ name, inputSchema: { type: 'object' } })),
      }),
      'tools/call': async ({ params }) => {
        if (params?.['name'] === 'held') await new Promise<void>((resolve) => held.push(resolve));
        return { content: [{ type: 'text', text: 'done' }] };
      },
    },
  );
  const people = ['alice', 'bob', 'carol', 'dave', 'erin'].map((name) => `${name}@acme.com`);
  const config = configOf(
    { up: { type: 'http', url: upstream.url }, five: { type: 'http', url: upstream.url } },
    {
      users: Object.fromEntries(people.map((person) => [person, { groups: ['Everyone'] }])),
      rateLimits: { users: { 'carol@acme.com': { perMinute: 7 } }, servers: { five: { concurrent: 5 } } },
    },
  );
  const shared = {
    REDIS_URL: redis.url,
    RATE_LIMIT_ENABLED: 'true',
    RATE_LIMIT_PER_MINUTE: String(perUser),
    TRUSTED_PROXIES: '127.0.0.1',
    TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64'),
    TOOLGATE_ADMIN_TOKEN: randomBytes(32).toString('hex'),
  };
  const a = await startGate({ config, env: shared });
  const b = await startGate({ config, env: { ...shared, DATABASE_URL: a.databaseUrl ?? '' } });
  replicas = [a, b];
  for (const person of people) tokens.set(person, await a.tokenFor(person));
  const last = { url: `${b.url}/servers`, token: tokens.get('dave@acme.com') ?? '' };
  await eventually('the second one knows the tokens', async () => {
    const answer = await fetch(last.url, { headers: bearer(last.token) });
    return answer.status === 200;
  });
}, 120_000);

afterAll(() => redis?.stop());

/** The text of the tool's result, from one of the replicas. */
async function call(person: string, at: number, name = 'up__one'): Promise<string> {
  const url = `${replicas[at % 2]?.url}/mcp`;
  const { message } = await ask({ url, token: tokens.get(person) ?? '' }, 'tools/call', { name });
  return message.result.content[0].text;
}

const tooMany =
  /^Too many requests: try again in \d+ s\.$|^You have as many calls under way as may be at a time/;

test('of a thousand calls of one person at once exactly a hundred pass; another is not affected', async () => {
  const flood = Array.from({ length: 1_000 }, (_, n) => call('alice@acme.com', n));
  const others = Array.from({ length: perUser }, (_, n) => call('bob@acme.com', n));
  const answers = await Promise.all(flood);
  expect(answers.filter((text) => text === 'done')).toHaveLength(perUser);
  for (const text of answers) if (text !== 'done') expect(text).toMatch(tooMany);
  expect((await Promise.all(others)).filter((text) => text === 'done')).toHaveLength(perUser);
  for (const at of [0, 1]) expect(await call('bob@acme.com', at)).toMatch(tooMany);
}, 120_000);

test('a limit of the config file counts in both', async () => {
  const answers = await Promise.all(Array.from({ length: 40 }, (_, n) => call('carol@acme.com', n)));
  expect(answers.filter((text) => text === 'done')).toHaveLength(7);
});

test('a server that takes five calls at a time gets five of both together, and the next when one has ended', async () => {
  const refused: string[] = [];
  const answers = Array.from({ length: 30 }, async (_, n) => {
    const text = await call('erin@acme.com', n, 'five__held');
    if (text !== 'done') refused.push(text);
    return text;
  });
  await eventually('all but five are refused', () => refused.length === 25);
  for (const text of refused) expect(text).toMatch(/^The server "five" has as many calls under way/);
  await eventually('five are there', () => held.length === 5);
  for (const go of held.splice(0)) go();
  expect((await Promise.all(answers)).filter((text) => text === 'done')).toHaveLength(5);
  for (const at of [0, 1]) {
    const name = 'five__one';
    await eventually('there is room', async () => (await call('erin@acme.com', at, name)) === 'done');
  }
}, 60_000);

test.each([
  ['wrong tokens', '/mcp', '203.0.113.77', 401],
  ['pages that are not there', '/none', '203.0.113.78', 404],
])(
  'of %s of one address as many are looked at as it may ask, of both together',
  async (_what, path, address, status) => {
    const headers = { ...bearer('wrong'), 'x-forwarded-for': address };
    const found = new Map<number, number>();
    const ask = async (n: number) => {
      const response = await fetch(`${replicas[n % 2]?.url}${path}`, { method: 'POST', headers });
      await response.body?.cancel();
      found.set(response.status, (found.get(response.status) ?? 0) + 1);
    };
    await Promise.all(Array.from({ length: 1_200 }, (_, n) => ask(n)));
    expect(Object.fromEntries(found)).toEqual({ [status]: 1_000, 429: 200 });
  },
  60_000,
);

test('/gateway/stats shows an administrator what both have counted, and nobody else', async () => {
  const stats = async (token: string) => {
    const response = await fetch(`${replicas[0].url}/gateway/stats`, { headers: bearer(token) });
    return { status: response.status, body: (await response.json()) as Json };
  };
  const { status, body } = await stats(replicas[0].adminToken);
  expect(status).toBe(200);
  expect(body.replicas).toHaveLength(2);
  const users: { id: string; used: number; perMinute: number }[] = body.together.perMinute.user;
  const carol = users.find(({ id }) => id === 'carol@acme.com');
  expect(carol).toEqual({ id: 'carol@acme.com', used: 7, perMinute: 7 });
  const refusal = { reason: 'user', sinceStart: expect.any(Number), lastMinute: expect.any(Number) };
  expect(body.together.refusals).toContainEqual(refusal);
  expect((await stats('wrong')).status).toBe(401);
  expect((await stats(tokens.get('dave@acme.com') ?? '')).status).toBe(403);
});

test('records name the client, and what it says of itself is not believed', async () => {
  const headers = { ...bearer(tokens.get('dave@acme.com') ?? ''), 'x-forwarded-for': '1.1.1.1, 203.0.113.9' };
  await fetch(`${replicas[0].url}/servers`, { headers });
  await eventually('it is recorded', async () => {
    const rows = await query(
      replicas[0].databaseUrl ?? '',
      `select 1 from mcp_proxy.api_analytics where client_ip = '203.0.113.9' and endpoint = '/servers'`,
    );
    return rows.length > 0;
  });
});

test('without Redis each limits alone, from what it knows, and says so; with it they are one again', async () => {
  await redis.stop();
  const degraded = async (at: number): Promise<string[]> => {
    const ready: Json = await (await fetch(`${replicas[at]?.url}/gateway/ready`)).json();
    return ready.degraded.map(({ part }: { part: string }) => part);
  };
  for (const at of [0, 1])
    await eventually('it says so', async () => (await degraded(at)).includes('shared limits'), 30);
  expect(await call('dave@acme.com', 0)).toBe('done');
  const answers = await Promise.all(Array.from({ length: 250 }, (_, n) => call('dave@acme.com', n)));
  const passed = answers.filter((text) => text === 'done').length;
  expect(passed).toBeGreaterThan(0);
  expect(passed).toBeLessThanOrEqual(2 * perUser);
  await redis.start();
  for (const at of [0, 1])
    await eventually('it is well', async () => !(await degraded(at)).includes('shared limits'), 60);
  // What passed meanwhile counts, although this Redis is empty: room is only for what each knew of the other.
  const after: string[] = [];
  for (let n = 0; n < 40; n++) after.push(await call('dave@acme.com', n));
  expect(after.filter((text) => text === 'done').length).toBeLessThan(10);
  for (const gate of replicas) expect(gate.logs()).not.toContain(redis.password);
}, 120_000);
