import { get, type IncomingMessage } from 'node:http';
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { ask, bearer, closeLater, openSession, type Raw } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';
import { leftIn, probeFlags } from './memory.ts';

const upstream = closeLater(await startHostileHttp());
const stdio = fileURLToPath(new URL('../fakes/hostile-stdio.ts', import.meta.url));
const marker = `marker=e2e-sessions-${process.pid}`;

const gate = await startGate({
  nodeFlags: probeFlags,
  config: configOf({
    ok: { type: 'http', url: upstream.url('ok') },
    own: { command: process.execPath, args: [stdio, 'ok', marker], isolation: 'session' },
  }),
});
const token = await gate.tokenFor('alice@acme.com');
const url = `${gate.url}/mcp`;

async function inParallel<T>(jobs: readonly T[], work: (job: T) => Promise<void>): Promise<void> {
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) await work(job);
  };
  await Promise.all(Array.from({ length: 20 }, worker));
}

/** The standalone stream on a socket of its own. */
function openStream({ session }: Raw): Promise<IncomingMessage> {
  const headers = { ...bearer(token), accept: 'text/event-stream', 'mcp-session-id': session };
  return new Promise((resolve, reject) => {
    get(url, { agent: false, headers }, resolve).on('error', reject);
  });
}

async function end(raw: Raw): Promise<number> {
  const headers = { ...bearer(token), 'mcp-session-id': raw.session ?? '' };
  const response = await fetch(url, { method: 'DELETE', headers });
  await response.body?.cancel();
  return response.status;
}

/** 1,000 sessions, 300 of them with an open stream; half end properly, half just go. */
async function round(): Promise<void> {
  const sessions: Raw[] = [];
  const streams: IncomingMessage[] = [];
  await inParallel(
    Array.from({ length: 1_000 }, (_, at) => at),
    async (at) => {
      const session = await openSession(url, token);
      sessions.push(session);
      if (at % 10 < 3) streams.push(await openStream(session));
      const answer = await ask(session, 'tools/call', { name: 'ok__echo', arguments: { text: 'x' } });
      if (answer.message.result.content[0].text !== 'x') throw new Error(answer.text);
    },
  );
  expect((await leftIn(gate)).sockets).toBeGreaterThanOrEqual(300);
  await inParallel(sessions.slice(0, 500), async (session) => {
    const status = await end(session);
    if (status !== 204) throw new Error(`DELETE: ${status}`);
  });
  for (const stream of streams) stream.on('error', () => undefined).destroy();
  expect((await ask(sessions[0]!, 'tools/list')).status).toBe(404);
  expect((await ask(sessions[999]!, 'tools/list')).status).toBe(200);
}

test('1,000 sessions that came and went leave no stream, and a second thousand no more memory than idle sessions may take', async () => {
  await eventually('the upstream', async () =>
    (
      await ask(await openSession(url, token), 'tools/call', { name: 'ok__echo', arguments: { text: 'x' } })
    ).text.includes('"x"'),
  );
  await round();
  const first = await eventually('streams are closed', async () => {
    const now = await leftIn(gate);
    return now.sockets < 100 && now;
  });
  await round();
  const second = await eventually('streams are closed', async () => {
    const now = await leftIn(gate);
    return now.sockets < 100 && now;
  });
  // 10 KB for each of a thousand sessions is what the design allows for those that are still there.
  expect(second.heap - first.heap).toBeLessThan(10_000 * 1_000);
  expect(upstream.stats('ok').openStreams).toBeLessThanOrEqual(1);
}, 120_000);

test('processes of a server that isolates sessions end with their sessions', async () => {
  const sessions = await Promise.all(Array.from({ length: 6 }, () => openSession(url, token)));
  const before = servers();
  await Promise.all(
    sessions.map((session) => ask(session, 'tools/call', { name: 'own__whoami', arguments: {} })),
  );
  const own = servers().filter((pid) => !before.includes(pid));
  expect(own).toHaveLength(6);
  for (const session of sessions) expect(await end(session)).toBe(204);
  await eventually('their processes are gone', () => servers().every((pid) => !own.includes(pid)));
}, 60_000);

/** Without what stands around them. */
function servers(): number[] {
  return marked().filter((pid) => commandLine(pid).startsWith(process.execPath));
}

function marked(): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => commandLine(pid).includes(marker));
}

function commandLine(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch {
    return ''; // It has ended meanwhile.
  }
}
