// Servers that are processes: what one of them does is told apart from what the others do, and a hung one is replaced.
import { fileURLToPath } from 'node:url';
import { afterEach, expect, test } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { poolWorld } from '../../../test/pool-world.ts';
import { failureOf } from '../../../test/upstream-world.ts';
import type { UpstreamPool } from './pool.ts';
import { makeTarget } from './target.ts';

const pools: UpstreamPool[] = [];
afterEach(async () => {
  for (const pool of pools.splice(0)) await pool.close();
});

const fake = fileURLToPath(new URL('../../../test/fakes/hostile-stdio.ts', import.meta.url));

function world(args: readonly string[]) {
  const { pool, pass } = poolWorld({ signOfLifeMs: 1_000 });
  pools.push(pool);
  const it = pictureOf({
    servers: { it: { command: process.execPath, args: [fake, ...args], timeoutMs: 20_000 } },
  }).servers.get('it')!;
  const target = makeTarget(it, { principal: 'x', tenant: null, session: null }, undefined, new Map());
  const call = async (name: string, capabilities = '{}', timeoutMs = 20_000) => {
    const asked = { prefer: 'legacy', capabilities } as const;
    const rawParams = JSON.stringify({ name, arguments: { text: 'hello', ms: 60_000 } });
    const controller = new AbortController();
    const { response } = await pool.use(target, asked, ({ upstream }) =>
      upstream.request({ method: 'tools/call', rawParams, controller, timeoutMs }),
    );
    return response.error ? `error ${response.error.code}` : 'done';
  };
  return { pool, call, pass, standing: () => pool.states().known[0]!.standing };
}

test('a client that brings its process down takes none from others, however often it does so', async () => {
  const { call, pass, standing } = world(['ok']);
  const other = '{"roots":{}}';
  expect(await call('echo')).toBe('done');
  for (let n = 0; n < 6; n++) {
    expect(await failureOf(call('crash', other))).toBe('closed');
    expect(await failureOf(call('echo', other))).toBe('paused');
    expect(await call('echo')).toBe('done');
    pass(60_000);
  }
  expect(standing().circuit.state).toBe('closed');
  expect(standing().restarts).toBe(5);
});

test('a process that hangs is found while nobody waits, and replaced', async () => {
  const { pool, call, pass, standing } = world(['never', 'on=ping,tools/list']);
  expect(await call('echo')).toBe('done');
  await pool.look();
  pass(40_000);
  await pool.look();
  expect(standing().lastError?.message).toBe('The server "it" gave no sign of life.');
  expect(await failureOf(call('echo'))).toBe('paused');
  // Nobody else’s circuit: another client would start a process of its own.
  expect(standing().circuit.state).toBe('closed');
  pass(500);
  await expect.poll(() => standing().restarts).toBe(1);
  expect(await call('echo')).toBe('done');
});

test('a client that makes its process hang takes none from others', async () => {
  const { call, standing } = world(['ok']);
  const other = '{"roots":{}}';
  expect(await call('echo')).toBe('done');
  const calls = Array.from({ length: 6 }, () => failureOf(call('slow', other, 200)));
  expect(new Set(await Promise.all(calls))).toEqual(new Set(['timeout']));
  expect(await call('echo')).toBe('done');
  expect(standing().circuit.state).toBe('closed');
});
