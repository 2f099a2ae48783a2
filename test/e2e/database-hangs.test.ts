// A PostgreSQL that hangs: connections stay open, and nothing comes back. Worse than one that is gone.
import { afterEach, expect, test } from 'vitest';
import { hang } from '../chaos/suspend.ts';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { askModern, closeLater, textOf } from './clients.ts';
import { configOf, eventually, query, startGate } from './gate.ts';
import { startOwnPostgres } from './own-postgres.ts';

const postgres = await startOwnPostgres();
const upstream = closeLater(await startHostileHttp());
const config = configOf({ ok: { type: 'http', url: upstream.url('ok') } });
const fresh = { connection: 'close' };

let resume = () => {};
afterEach(() => resume());

/** Answered calls of all tests. */
let made = 0;
const allRecorded = () =>
  eventually(
    'every call is recorded',
    async () => {
      const [row] = await query(
        postgres.url,
        `select count(*)::int as calls from mcp_proxy.api_analytics
         where rpc_method = 'tools/call' and user_email = 'alice@acme.com'`,
      );
      return row?.['calls'] === made;
    },
    30,
  );

async function startOnPostgres(env: Record<string, string>) {
  const gate = await startGate({ config, env: { DATABASE_URL: postgres.url, ...env } });
  const raw = { url: `${gate.url}/mcp`, token: await gate.tokenFor('alice@acme.com'), headers: fresh };
  const call = async (name: string, args: object) => {
    const { message } = await askModern(raw, 'tools/call', { name: `ok__${name}`, arguments: args });
    if (!message?.result) return undefined;
    made += 1;
    return textOf(message.result);
  };
  const echo = () => call('echo', { text: 'x' });
  await eventually('all workers serve', () => gate.logs().includes('Toolgate is ready'));
  // Whichever worker is asked has to know the token before nobody can tell it any more.
  await eventually('access', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, echo));
    return all.every((answer) => answer?.text === 'x');
  });
  await allRecorded();
  return { gate, call, echo };
}

test.each([{ WORKERS: '1' }, { WORKERS: '2' }])(
  'a stop ends cleanly, long before there is no time left, and loses no record (%o)',
  async (env) => {
    const { gate, echo } = await startOnPostgres({ SHUTDOWN_SECONDS: '60', ...env });
    resume = hang(postgres.url);
    for (let n = 0; n < 40; n++) expect((await echo())?.text).toBe('x');
    expect(await gate.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    expect(gate.logs()).not.toMatch(/the time to stop is over|RECORDS WERE LOST/);
    resume();
    const next = await gate.again();
    await allRecorded();
    await next.close();
  },
  180_000,
);

test('a stop ends cleanly also where a call takes all the time that it may', async () => {
  const { gate, call, echo } = await startOnPostgres({ SHUTDOWN_SECONDS: '10' });
  const before = upstream.stats('ok').counts['tools/call'] ?? 0;
  resume = hang(postgres.url);
  const slow = call('slow', { ms: 120_000 });
  await eventually('it is there', () => (upstream.stats('ok').counts['tools/call'] ?? 0) > before);
  for (let n = 0; n < 10; n++) await echo();
  const ended = gate.kill('SIGTERM');
  expect((await slow)?.isError).toBe(true);
  expect(await ended).toEqual({ code: 0, signal: null });
  resume();
  const next = await gate.again();
  await allRecorded();
  await next.close();
}, 120_000);
