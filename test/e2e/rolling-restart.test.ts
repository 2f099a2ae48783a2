// Two programs behind a proxy are replaced one after the other while people work. Nobody notices.
import { randomBytes } from 'node:crypto';
import { afterAll, expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { startRoundRobin } from '../round-robin.ts';
import { askModern, closeLater, clientV1, textOf } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const upstream = await startHostileHttp();
afterAll(() => upstream.close());

test('no call fails while two replicas are restarted in turn', async () => {
  const config = configOf({ plain: { type: 'http', url: upstream.url('ok') } });
  const shared = {
    TOOLGATE_MASTER_KEY: randomBytes(32).toString('base64'),
    TOOLGATE_ADMIN_TOKEN: randomBytes(32).toString('hex'),
  };
  const first = await startGate({ config, env: shared });
  const second = await startGate({ config, env: { ...shared, DATABASE_URL: first.databaseUrl ?? '' } });
  const token = await first.tokenFor('alice@acme.com');
  const replicas: Gate[] = [first, second];
  const backends = replicas.map(({ url }) => url);
  const proxy = closeLater(await startRoundRobin(backends));
  const known = async () => (await askModern({ url: `${second.url}/mcp`, token }, 'ping')).status !== 401;
  await eventually('the second one knows the token', known);

  let isOver = false;
  const failures: unknown[] = [];
  let calls = 0;
  const raw = { url: `${proxy.url}/mcp/plain`, token };
  const work = async (call: (text: string) => Promise<unknown>) => {
    for (let n = 0; !isOver; n++) {
      const text = `${n}`;
      const result = await call(text).catch((error: unknown) => ({ error: String(error) }));
      calls++;
      if (JSON.stringify(result) !== JSON.stringify({ text, isError: false })) failures.push(result);
    }
  };
  const modern = async (text: string) => {
    const { status, message } = await askModern(raw, 'tools/call', { name: 'echo', arguments: { text } });
    return message?.result ? textOf(message.result) : { status, message };
  };
  const slow = async (text: string) => {
    const { status, message } = await askModern(raw, 'tools/call', { name: 'slow', arguments: { ms: 400 } });
    if (!message?.result) return { status, message };
    return message.result.isError ? message : { text, isError: false };
  };
  const client = await clientV1(raw.url, token);
  const legacy = async (text: string) => textOf(await client.callTool({ name: 'echo', arguments: { text } }));
  const workers = [modern, modern, modern, slow, slow, slow, legacy, legacy].map(work);
  const moreCalls = (count: number) => {
    const until = calls + count;
    return eventually('people work', () => calls >= until, 60);
  };

  await moreCalls(50);
  for (const [at, replica] of replicas.entries()) {
    expect(await replica.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    await moreCalls(20);
    const again = await replica.again();
    replicas[at] = again;
    backends[at] = again.url;
    const before = proxy.served[at] ?? 0;
    await eventually('it serves again', () => (proxy.served[at] ?? 0) > before + 10, 60);
  }
  isOver = true;
  await Promise.all(workers);
  expect({ failures, broken: proxy.broken() }).toEqual({ failures: [], broken: 0 });
}, 180_000);
