// Several processes behind one port: one installation, whichever of them answers.
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, onTestFinished, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import {
  type Raw,
  askModern,
  bearer,
  closeLater,
  listenModern,
  openSession,
  post,
  answerOf,
  textOf,
} from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());
const config = configOf({
  plain: { type: 'http', url: upstream.url('ok') },
  everything: { command: 'mcp-server-everything' },
});

const parentOf = (pid: string): number => {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return 0; // Gone meanwhile.
  }
};
const commandOf = (pid: number): string => {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').replaceAll('\0', ' ');
  } catch {
    return '';
  }
};
const childrenOf = (parent: number): number[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && parentOf(name) === parent)
    .map(Number);
const workersOf = ({ pid }: Gate): number[] =>
  childrenOf(pid).filter((child) => / serve\b/.test(commandOf(child)));

/** On a connection of its own each time, so that the workers take turns. */
const fresh = { connection: 'close' };
const echo = async (raw: Raw, text: string) => {
  const { message, status } = await askModern({ ...raw, headers: fresh }, 'tools/call', {
    name: 'echo',
    arguments: { text },
  });
  return message?.result ? textOf(message.result) : { status, message };
};

const databases = { PostgreSQL: false, 'the embedded database': true };

describe.each(Object.entries(databases))('two workers on %s', async (_name, embedded) => {
  const gate = await startGate({ config, embedded, env: { WORKERS: '2' } });
  const token = await gate.tokenFor('alice@acme.com');
  const plain = { url: `${gate.url}/mcp/plain`, token };
  await eventually('all know the token', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, (_, n) => echo(plain, `${n}`)));
    return all.every((one) => 'text' in one);
  });

  test('are processes of one program, with one runner and one banner', async () => {
    expect(workersOf(gate)).toHaveLength(2);
    await eventually('both serve', () => gate.logs().includes('Toolgate is ready'));
    expect(gate.logs().match(/Toolgate is ready/g)).toHaveLength(1);
    const names = await Promise.all(
      Array.from({ length: 6 }, () =>
        askModern({ url: `${gate.url}/mcp/everything`, token, headers: fresh }, 'tools/list'),
      ),
    );
    for (const { message } of names) expect(message.result.tools.length).toBeGreaterThan(3);
    const runners = [gate.pid, ...workersOf(gate)].flatMap(childrenOf);
    expect(runners.filter((child) => / runner\b/.test(commandOf(child)))).toHaveLength(1);
  });

  test('serve one legacy session in turn', async () => {
    const session = await openSession(plain.url, token);
    for (let n = 0; n < 8; n++) {
      const answer = await answerOf(
        await post(
          { ...session, headers: fresh },
          {
            jsonrpc: '2.0',
            id: n,
            method: 'tools/call',
            params: { name: 'echo', arguments: { text: `${n}` } },
          },
        ),
      );
      expect(textOf(answer.message.result)).toEqual({ text: `${n}`, isError: false });
    }
  });

  test('what one is told ends the streams of both', async () => {
    const { body } = await gate.admin('POST', '/tokens', { user: 'alice@acme.com', name: 'lost' });
    const raw = { url: `${gate.url}/mcp`, token: body.token };
    await eventually('all know it', async () => {
      const all = await Promise.all(
        Array.from({ length: 8 }, () => askModern({ ...raw, headers: fresh }, 'tools/list')),
      );
      return all.every(({ status }) => status === 200);
    });
    const streams = await Promise.all(
      Array.from({ length: 6 }, () => listenModern(raw, { toolsListChanged: true })),
    );
    expect((await gate.admin('DELETE', `/tokens/${body.id}`)).status).toBe(204);
    await eventually('all streams have ended', () => streams.every((stream) => stream.ended()));
    for (let n = 0; n < 8; n++)
      expect((await askModern({ ...raw, headers: fresh }, 'tools/list')).status).toBe(401);
  });

  test('give their numbers as those of one', async () => {
    const metrics = async () => (await fetch(`${gate.url}/metrics`, { headers: fresh })).text();
    const served = (text: string) =>
      [...text.matchAll(/^toolgate_http_requests_total\{.*\} (\d+)$/gm)].reduce(
        (sum, [, n]) => sum + Number(n),
        0,
      );
    const before = served(await metrics());
    for (let n = 0; n < 10; n++) await echo(plain, `${n}`);
    // Whichever worker is asked: those ten, and the question before.
    for (let n = 0; n < 4; n++) expect(served(await metrics())).toBe(before + 11 + n);
  });

  test('one that dies is missed by nobody for long', async () => {
    const [lost = 0] = workersOf(gate);
    process.kill(lost, 'SIGKILL');
    await eventually('another one has its place', () => {
      const now = workersOf(gate);
      return now.length === 2 && !now.includes(lost);
    });
    const ready = async () => (await fetch(`${gate.url}/gateway/ready`, { headers: fresh })).json();
    await eventually(
      'both serve',
      async () => JSON.stringify(await ready()) === '{"status":"ready","degraded":[]}',
      60,
    );
    for (let n = 0; n < 8; n++) expect(await echo(plain, `${n}`)).toEqual({ text: `${n}`, isError: false });
    expect(gate.logs()).toContain('a worker ended; it is started again');
  });

  test('answer what is under way when they are told to stop, and leave nothing behind', async () => {
    const before = upstream.stats('ok').counts['tools/call'] ?? 0;
    const slow = Array.from({ length: 4 }, () =>
      askModern({ ...plain, headers: fresh }, 'tools/call', { name: 'slow', arguments: { ms: 1_500 } }),
    );
    await eventually(
      'the server has them',
      () => (upstream.stats('ok').counts['tools/call'] ?? 0) >= before + 4,
    );
    const workers = workersOf(gate);
    expect(await gate.kill('SIGTERM')).toEqual({ code: 0, signal: null });
    for (const { message } of await Promise.all(slow)) expect(textOf(message.result).isError).toBe(false);
    for (const worker of workers) expect(commandOf(worker)).toBe('');
  });
});

test('count calls together, without Redis: of a thousand at once exactly a hundred pass', async () => {
  const gate = await startGate({
    config,
    env: { WORKERS: '2', RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_IP: '100000' },
  });
  const token = await gate.tokenFor('alice@acme.com');
  const raw = { url: `${gate.url}/mcp/plain`, token };
  const call = async () => {
    const response = await fetch(raw.url, {
      method: 'POST',
      headers: {
        ...bearer(token),
        ...fresh,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
      },
      body: JSON.stringify({
        jsonrpc: '2.0',
        id: 1,
        method: 'tools/call',
        params: { name: 'echo', arguments: { text: 'x' } },
      }),
    });
    return (await response.text()).includes('"text":"x"');
  };
  // What passes before both of them know the token counts as well.
  let passed = 0;
  const burst = async (calls: number) => {
    const all = await Promise.all(Array.from({ length: calls }, call));
    passed += all.filter(Boolean).length;
    return all.every(Boolean);
  };
  await eventually('both know the token', () => burst(4));
  await burst(1_000);
  expect(passed).toBe(100);
}, 120_000);

test('let as many calls under way together as may be, and forget those of one that was killed', async () => {
  const own = closeLater(await startHostileHttp());
  const servers = { plain: { concurrent: 5 } };
  const gate = await startGate({
    config: configOf({ plain: { type: 'http', url: own.url('ok') } }, { rateLimits: { servers } }),
    env: { WORKERS: '2', RATE_LIMIT_ENABLED: 'true', RATE_LIMIT_PER_MINUTE: '100000' },
  });
  const token = await gate.tokenFor('alice@acme.com');
  const raw = { url: `${gate.url}/mcp/plain`, token, headers: fresh };
  await eventually('both serve', () => gate.logs().includes('Toolgate is ready'));
  await eventually('all know the token', async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => askModern(raw, 'tools/list')));
    return all.every(({ status }) => status === 200);
  });
  const reached = () => own.stats('ok').counts['tools/call'] ?? 0;
  const thirty = async () => {
    const before = reached();
    let refused = 0;
    const answers = Array.from({ length: 30 }, async () => {
      const params = { name: 'slow', arguments: { ms: 60_000 } };
      const { message } = await askModern(raw, 'tools/call', params);
      if (/under way/.test(textOf(message.result).text)) refused++;
    });
    // Those that are let in stay, and are lost with their worker.
    void Promise.allSettled(answers);
    await eventually('all but five are refused', () => refused === 25, 30);
    await eventually('five are there', () => reached() === before + 5);
  };
  await thirty();
  for (const worker of workersOf(gate)) process.kill(worker, 'SIGKILL');
  await eventually('others have their places', () => workersOf(gate).length === 2, 30);
  await eventually('they serve', async () => {
    const all = await Promise.allSettled(Array.from({ length: 8 }, () => askModern(raw, 'tools/list')));
    return all.every((one) => one.status === 'fulfilled' && one.value.status === 200);
  });
  await thirty();
  await gate.kill('SIGKILL');
}, 120_000);

test('their counts never fall, whether one of them is late or has died', async () => {
  const gate = await startGate({ config, env: { WORKERS: '2' } });
  await eventually('both serve', () => gate.logs().includes('Toolgate is ready'));
  const counted = async () => {
    const text = await (await fetch(`${gate.url}/metrics`, { headers: fresh })).text();
    const rows = text.matchAll(/^toolgate_http_requests_total\{part="calls",.*\} (\d+)$/gm);
    return [...rows].reduce((sum, [, n]) => sum + Number(n), 0);
  };
  /** By whichever worker does not wait. */
  const soonest = () => Promise.any(Array.from({ length: 4 }, counted));
  for (let n = 0; n < 20; n++) await (await fetch(`${gate.url}/mcp`, { headers: fresh })).text();
  for (let n = 0; n < 4; n++) expect(await counted()).toBe(20);
  const [late = 0, lost = 0] = workersOf(gate);
  process.kill(late, 'SIGSTOP');
  onTestFinished(() => void process.kill(late, 'SIGCONT'));
  expect(await soonest()).toBe(20);
  process.kill(late, 'SIGCONT');
  process.kill(lost, 'SIGKILL');
  await eventually('it has gone', () => !workersOf(gate).includes(lost));
  expect(await soonest()).toBe(20);
  await eventually('another one has its place', () => workersOf(gate).length === 2);
  for (let n = 0; n < 4; n++) expect(await soonest()).toBe(20);
}, 120_000);

test('end with their primary, however it ended', async () => {
  const gate = await startGate({ config, env: { WORKERS: '2' } });
  const workers = workersOf(gate);
  expect(workers).toHaveLength(2);
  await gate.kill('SIGKILL');
  await eventually('they are gone', () => workers.every((worker) => commandOf(worker) === ''), 30);
});
