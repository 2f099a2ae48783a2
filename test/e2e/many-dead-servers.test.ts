// Forty servers, twelve of them dead in one way or another: neither the start nor a list waits for those.
import { createServer, type Server } from 'node:net';
import { expect, test } from 'vitest';
import { type MoodyServer, startMoodyServer } from '../moody-server.ts';
import { askModern, closeLater } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';

const deadKinds = ['refused', 'silent', 'hangs', 'fails'] as const;

/** Takes connections and says nothing, until the test ends: whoever waited for it would wait as long. */
async function blackHole(): Promise<string> {
  const sockets = new Set<{ destroy(): void }>();
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  closeLater({
    close: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  });
  const address = server.address();
  return `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/mcp`;
}

async function dead(kind: (typeof deadKinds)[number]): Promise<string> {
  if (kind === 'silent') return blackHole();
  const server: MoodyServer = await startMoodyServer();
  if (kind === 'refused') {
    await server.close();
    return server.url;
  }
  closeLater(server);
  server.mood = kind === 'hangs' ? 'hangs' : { status: 500 };
  return server.url;
}

const living: string[] = [];
const gone: string[] = [];
const servers: Record<string, object> = {};
for (let n = 0; n < 40; n++) {
  const kind = n % 10 < 3 ? deadKinds[Math.floor(n / 10)] : undefined;
  const id = `${kind ?? 'well'}-${n}`;
  const url = kind ? await dead(kind) : closeLater(await startMoodyServer()).url;
  servers[id] = { type: 'http', url };
  (kind ? gone : living).push(id);
}
// Nobody is told that a dead one is dead before half a minute has passed, which is longer than a test may take.
const gate = await startGate({ config: configOf(servers) });
const token = await gate.tokenFor('alice@acme.com');

async function listed(): Promise<string[]> {
  const { message } = await askModern({ url: `${gate.url}/mcp`, token }, 'tools/list');
  const tools = message.result.tools as { name: string }[];
  return tools.map(({ name }) => name.split('__')[0] ?? '').sort();
}

test('there are twelve dead ones, of each kind', () => {
  expect([gone.length, living.length]).toEqual([12, 28]);
});

test('the first list has every server that lives, and none that does not', async () => {
  expect(await listed()).toEqual([...living].sort());
});

test('lists and calls go on while the dead ones are still waited for', async () => {
  const call = () =>
    askModern({ url: `${gate.url}/mcp`, token }, 'tools/call', { name: `${living[0]}__work`, arguments: {} });
  const answers = await Promise.all(Array.from({ length: 20 }, call));
  expect(answers.map(({ message }) => message.result.isError ?? false)).not.toContain(true);
  expect(await listed()).toHaveLength(28);
});

test('it is told which are left alone, and why', async () => {
  const states = await eventually('those that fail at once are known', async () => {
    const { body } = await gate.admin('GET', '/servers/state?limit=200');
    const items = body.items as { server: string; circuit: { state: string; since: string | null } }[];
    const left = items.filter(({ circuit }) => circuit.state !== 'closed').map(({ server }) => server);
    return new Set(left).size >= 6 && items;
  });
  const refused = states.find(({ server }) => server.startsWith('refused'));
  expect(refused).toMatchObject({
    type: 'http',
    scope: { kind: 'shared', of: null },
    connected: false,
    inFlight: expect.any(Number),
    circuit: { since: expect.stringMatching(/Z$/), nextTry: expect.stringMatching(/Z$/) },
    lastError: { message: expect.stringContaining('cannot be reached') },
  });
  const { body: one } = await gate.admin('GET', `/servers/${living[0]}/state`);
  expect(one.items).toEqual([
    expect.objectContaining({
      connected: true,
      era: 'legacy',
      protocolVersion: '2025-11-25',
      connections: 1,
      circuit: { state: 'closed', since: null, nextTry: null },
      calls: expect.any(Number),
      failures: 0,
    }),
  ]);
  expect(one.items[0].calls).toBeGreaterThanOrEqual(20);
  const ready = (await (await fetch(`${gate.url}/gateway/ready`)).json()) as {
    degraded: { part: string }[];
  };
  const parts = ready.degraded.map(({ part }) => part);
  for (const id of gone.filter((name) => /refused|fails/.test(name))) expect(parts).toContain(`server ${id}`);
  for (const id of living) expect(parts).not.toContain(`server ${id}`);
  expect((await gate.admin('GET', '/servers/nothing/state')).status).toBe(404);
});

test('the list of states goes page by page', async () => {
  const seen: string[] = [];
  for (let cursor = ''; ; ) {
    const { body } = await gate.admin('GET', `/servers/state?limit=15${cursor}`);
    seen.push(...(body.items as { server: string }[]).map(({ server }) => server));
    if (body.nextCursor === null) break;
    cursor = `&cursor=${encodeURIComponent(body.nextCursor)}`;
  }
  expect(seen).toEqual([...seen].sort());
  expect(new Set(seen).size).toBeGreaterThanOrEqual(28);
  const { body } = await gate.admin('GET', `/servers/state?search=${living[0]}`);
  expect(new Set((body.items as { server: string }[]).map(({ server }) => server))).toContain(living[0]);
});
