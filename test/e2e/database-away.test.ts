import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { askModern, closeLater, openSession, textOf } from './clients.ts';
import { configOf, eventually, type Gate, query, startGate } from './gate.ts';
import { startOwnPostgres } from './own-postgres.ts';
import { runProgram } from './program.ts';

const postgres = await startOwnPostgres();
const upstream = closeLater(await startHostileHttp());
const config = configOf({ ok: { type: 'http', url: upstream.url('ok') } });

async function ready(
  gate: Gate,
): Promise<{ status: string; degraded: { part: string; since: string; meaning: string }[] }> {
  const response = await fetch(`${gate.url}/gateway/ready`);
  expect(response.status).toBe(200);
  return (await response.json()) as Awaited<ReturnType<typeof ready>>;
}

async function recorded(user: string): Promise<number> {
  const rows = await query(
    postgres.url,
    `select count(*)::int as calls from mcp_proxy.api_analytics where rpc_method = 'tools/call' and user_email = '${user}'`,
  );
  return rows[0]!['calls'] as number;
}

test('calls go on while PostgreSQL is stopped, and every one of them is recorded once it is back', async () => {
  const gate = await startGate({ config, env: { DATABASE_URL: postgres.url } });
  const raw = { url: `${gate.url}/mcp`, token: await gate.tokenFor('alice@acme.com') };
  const call = async () => {
    const { status, message } = await askModern(raw, 'tools/call', {
      name: 'ok__echo',
      arguments: { text: 'x' },
    });
    return status === 200 && textOf(message.result).text === 'x';
  };
  let made = 0;
  let failed = 0;
  let enough = false;
  const load = Array.from({ length: 4 }, async () => {
    while (!enough) {
      if (!(await call())) failed += 1;
      made += 1;
    }
  });
  await eventually('calls before', () => made > 100);

  await postgres.stop();
  const { degraded } = await eventually('degraded', async () => {
    const state = await ready(gate);
    return state.status === 'degraded' && state.degraded.some(({ part }) => part === 'records') && state;
  });
  expect(degraded.find(({ part }) => part === 'database')?.meaning).toMatch(/^Calls go on .+\.$/);
  const refused = await gate.admin('POST', '/tokens', { user: 'alice@acme.com', name: 'too late' });
  expect(refused.status).toBeGreaterThanOrEqual(500);
  expect(refused.body.error).toMatchObject({
    code: expect.any(String),
    message: expect.stringMatching(/\.$/),
  });
  expect(JSON.stringify(refused.body)).not.toMatch(/ECONNREFUSED|127\.0\.0\.1|select|insert/i);
  const session = await openSession(raw.url, raw.token);
  expect(session.session).not.toBe('');
  const during = made;
  await eventually('calls without a database', () => made > during + 200);
  enough = true;
  await Promise.all(load);
  expect(failed).toBe(0);

  await postgres.start();
  await eventually('ready again', async () => (await ready(gate)).status === 'ready', 30);
  await eventually('every call is recorded', async () => (await recorded('alice@acme.com')) >= made, 30);
  expect(await recorded('alice@acme.com')).toBe(made);
  expect((await gate.admin('POST', '/tokens', { user: 'alice@acme.com', name: 'again' })).status).toBe(201);
  await gate.close();
}, 120_000);

test('records that were waiting when Toolgate was stopped are stored by its next start', async () => {
  const gate = await startGate({ config, env: { DATABASE_URL: postgres.url } });
  await gate.admin('POST', '/users', { email: 'paul@acme.com', groups: ['Everyone'] });
  const token = await gate.tokenFor('paul@acme.com');
  const raw = { url: `${gate.url}/mcp`, token };
  const call = () => askModern(raw, 'tools/call', { name: 'ok__echo', arguments: { text: 'x' } });
  await eventually('access', async () => textOf((await call()).message.result).text === 'x');
  await eventually('the first records', async () => (await recorded('paul@acme.com')) > 0);
  await postgres.stop();
  const before = 40;
  for (let at = 0; at < before; at++) await call();
  expect(await gate.kill('SIGTERM')).toEqual({ code: 0, signal: null });

  const { code, printed } = await runProgram({
    folder: gate.folder,
    config,
    env: { DATABASE_URL: postgres.url },
  });
  expect(code).toBe(1);
  expect(printed.trim().split('\n').at(-1)).toMatch(
    /^The database at .+ cannot be used: .+ Check DATABASE_URL\.$/,
  );
  expect(printed).not.toMatch(/^\s+at /m);

  await postgres.start();
  const earlier = await recorded('paul@acme.com');
  const next = await gate.again();
  await eventually('the records', async () => (await recorded('paul@acme.com')) >= earlier + before);
  expect(await recorded('paul@acme.com')).toBe(earlier + before);
  await next.close();
  await gate.close();
}, 120_000);

test('what cannot be loaded although the database answers is told, part by part, until it can', async () => {
  const gate = await startGate({ config, env: { DATABASE_URL: postgres.url } });
  const tables = { servers: 'access', credentials: 'credentials', user_accounts: 'accounts' };
  for (const [table, topic] of Object.entries(tables)) {
    await query(postgres.url, `alter table mcp_proxy.${table} rename to ${table}_away`);
    await query(
      postgres.url,
      `update mcp_proxy.live_versions set version = version + 1 where topic = '${topic}'`,
    );
  }
  const parts = async () => (await ready(gate)).degraded.map(({ part }) => part);
  const wanted = ['rights and servers', 'keys', 'accounts'];
  await eventually('all three are told', async () => {
    const told = await parts();
    return wanted.every((part) => told.includes(part));
  });
  for (const table of Object.keys(tables))
    await query(postgres.url, `alter table mcp_proxy.${table}_away rename to ${table}`);
  await eventually(
    'none is told any more',
    async () => {
      const told = await parts();
      return wanted.every((part) => !told.includes(part));
    },
    30,
  );
  await gate.close();
}, 120_000);
