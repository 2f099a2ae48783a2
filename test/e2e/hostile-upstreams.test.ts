import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { startHostileSse } from '../fakes/hostile-sse.ts';
import { ask, askModern, closeLater, openSession, textOf } from './clients.ts';
import { configOf, eventually, startGate } from './gate.ts';

/** What a caller of `echo` is told. */
const echoes = 'hello';
const silent = /gave no answer within 1 s/;
const gone = /closed the connection|broke the connection|cannot be reached|exited with code|HTTP 404/;
const tooLarge = /larger than 10485760 bytes/;

const everywhere = {
  never: silent,
  'never-call': silent,
  late: echoes,
  huge: tooLarge,
  endless: tooLarge,
  closes: gone,
  'duplicate-response': echoes,
  'cursor-loop': echoes,
  'list-changes': echoes,
} as const;

/** Kinds by transport. A text is the proper answer; a pattern is the sentence of an `isError` result. */
const hostiles = {
  http: {
    ...everywhere,
    'wrong-id': gone,
    'invalid-json': /no JSON-RPC message/,
    exits: gone,
    html: /neither JSON nor an event stream/,
    'http-500': /HTTP 500/,
    redirect: /redirects elsewhere \(HTTP 302\), which the gate does not follow/,
  },
  sse: { ...everywhere, 'wrong-id': silent, 'invalid-json': silent },
  stdio: { ...everywhere, 'wrong-id': silent, 'invalid-json': silent, exits: gone, 'floods-stderr': echoes },
} as const;

const canary = 'Bearer canary-5f1d';
const http = closeLater(await startHostileHttp());
const sse = closeLater(await startHostileSse());
const stdio = fileURLToPath(new URL('../fakes/hostile-stdio.ts', import.meta.url));

function definition(transport: string, kind: string, outcome: string | RegExp): object {
  // Only those that will never answer are given up quickly.
  const timeoutMs = outcome === silent ? 1_000 : 30_000;
  // The kinds of the table are those that the transport's fake knows.
  if (transport === 'http')
    return { type: 'http', url: http.url(kind as 'ok'), headers: { Authorization: canary }, timeoutMs };
  if (transport === 'sse') return { type: 'sse', url: sse.url(kind as 'ok'), timeoutMs };
  return { command: process.execPath, args: [stdio, kind], timeoutMs };
}

const cases = Object.entries(hostiles).flatMap(([transport, kinds]) =>
  Object.entries(kinds).map(([kind, outcome]) => ({ transport, kind, outcome, id: `${transport}-${kind}` })),
);
const servers = Object.fromEntries(
  cases.map(({ transport, kind, outcome, id }) => [id, definition(transport, kind, outcome)]),
);
const gate = await startGate({
  config: configOf({
    ...servers,
    healthy: { type: 'http', url: http.url('ok') },
    // As `never`, but with the usual patience.
    mute: { type: 'http', url: http.url('never') },
  }),
});
const token = await gate.tokenFor('alice@acme.com');
const raw = { url: `${gate.url}/mcp`, token };
const usual = ['add', 'big', 'crash', 'echo', 'slow', 'whoami'];

async function listed(): Promise<string[]> {
  const { message } = await askModern(raw, 'tools/list');
  return message.result.tools.map(({ name }: { name: string }) => name);
}

function call(server: string, name = 'echo', args: object = { text: 'hello' }) {
  return askModern(raw, 'tools/call', { name: `${server}__${name}`, arguments: args });
}

test('lists are complete but for what the hostile ones keep back, for clients of both eras', async () => {
  const listing = [
    'http-huge',
    'sse-closes',
    'stdio-floods-stderr',
    'healthy',
    'stdio-late',
    'http-duplicate-response',
  ];
  await eventually(
    'the lists',
    async () => {
      const names = await listed();
      return listing.every((server) => usual.every((tool) => names.includes(`${server}__${tool}`)));
    },
    30,
  );
  const session = await openSession(raw.url, token);
  const { message } = await ask(session, 'tools/list');
  const names: string[] = message.result.tools.map(({ name }: { name: string }) => name);
  expect(names.filter((name) => name.startsWith('healthy__'))).toEqual(
    usual.map((tool) => `healthy__${tool}`),
  );
  expect(names.filter((name) => /^(http|sse|stdio)-never__/.test(name))).toEqual([]);
}, 60_000);

test('a list that was kept waiting by a server once is not kept waiting by it again', async () => {
  await listed();
  const order: string[] = [];
  const slow = call('healthy', 'slow', { ms: 2_500 }).then(() => order.push('slow call'));
  await Promise.all([slow, listed().then(() => order.push('list'))]);
  expect(order).toEqual(['list', 'slow call']);
});

describe.each(Object.keys(hostiles))('over %s', (transport) => {
  const mine = cases.filter((one) => one.transport === transport);

  test.each(mine)('the server that is $kind harms nobody else', async ({ id, outcome }) => {
    const hostile = [
      call(id),
      call(id),
      ask(await openSession(`${gate.url}/mcp/${id}`, token), 'tools/call', {
        name: 'echo',
        arguments: { text: 'hello' },
      }),
    ];
    const healthy = [call('healthy'), call('healthy', 'add', { a: 1, b: 2 })];
    for (const answer of await Promise.all(healthy))
      expect(textOf(answer.message.result).isError).toBe(false);
    expect((await listed()).filter((name) => name.startsWith('healthy__'))).toHaveLength(usual.length);
    for (const { status, message } of await Promise.all(hostile)) {
      expect(status).toBe(200);
      const { text, isError } = textOf(message.result);
      if (typeof outcome === 'string') expect({ text, isError }).toEqual({ text: outcome, isError: false });
      else {
        // The first failure may have ended the connection that the next call came over; both are sentences.
        expect(text).toMatch(new RegExp(`^The server "${id}" [^.]*(\\.[^.]+)*\\.$`));
        expect(text).toMatch(new RegExp(`${outcome.source}|${gone.source}`));
        expect(isError).toBe(true);
      }
    }
  });

  test('a server that crashes in the middle of a call is used again afterwards', async () => {
    const { status, message } = await call(`${transport}-late`, 'crash', {});
    expect([status, textOf(message.result).isError]).toEqual([200, true]);
    await eventually(
      'an answer',
      async () => textOf((await call(`${transport}-late`)).message.result).text === 'hello',
    );
  });
});

test('a redirect takes the credential nowhere', () => {
  expect(http.stats('redirect').lastHeaders['authorization']).toBe(canary);
  expect(http.stats('redirect-target').requests).toBe(0);
});

test('what 50 MB answers leave behind in memory is bounded', async () => {
  const before = residentMegabytes();
  for (let round = 0; round < 3; round++) {
    const ids = Object.keys(hostiles).flatMap((transport) => [`${transport}-huge`, `${transport}-endless`]);
    const answers = await Promise.all([...ids, ...ids, ...ids].map((id) => call(id)));
    expect(answers.map(({ status }) => status).filter((status) => status !== 200)).toEqual([]);
  }
  expect(residentMegabytes() - before).toBeLessThan(400);
}, 60_000);

test('after all of it the gate is the same process, ready, and says which servers are away', async () => {
  const response = await fetch(`${gate.url}/gateway/ready`);
  const { status, degraded } = (await response.json()) as {
    status: string;
    degraded: { part: string; meaning: string }[];
  };
  expect([response.status, status]).toEqual([200, 'degraded']);
  const away = degraded.map(({ part }) => part);
  expect(away).toContain('server http-http-500');
  expect(away).toContain('server stdio-exits');
  expect(away).not.toContain('server healthy');
  for (const { meaning } of degraded) expect(meaning).toMatch(/^The server ".+\.$/);
  expect(gate.logs()).not.toContain('canary-5f1d');
  expect(gate.logs()).not.toMatch(/unhandled|internal_error|heap out of memory/i);
});

function residentMegabytes(): number {
  const status = readFileSync(`/proc/${gate.pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+) kB/.exec(status)?.[1]) / 1024;
}
