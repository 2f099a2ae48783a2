// The config file is saved while the program serves: what it limits changes at the front door, without a restart.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { expect, test } from 'vitest';
import { startHostileHttp } from '../fakes/hostile-http.ts';
import { bearer, closeLater } from './clients.ts';
import { configOf, eventually, type Gate, startGate } from './gate.ts';

const upstream = closeLater(await startHostileHttp());

interface Limits {
  readonly rateLimits?: object;
  readonly limits?: object;
}

const configWith = (more: Limits) => configOf({ plain: { type: 'http', url: upstream.url('ok') } }, more);

async function gateWith(more: Limits) {
  const gate = await startGate({ config: configWith(more), env: { RATE_LIMIT_ENABLED: 'true' } });
  return { gate, token: await gate.tokenFor('alice@acme.com') };
}

const save = (gate: Gate, text: string) => writeFile(path.join(gate.folder, 'mcp-servers.json'), text);

async function saveAndWait(gate: Gate, more: Limits): Promise<void> {
  const applied = () => gate.logs().split('config file applied').length;
  const before = applied();
  await save(gate, JSON.stringify(configWith(more)));
  await eventually('it is applied', () => applied() > before);
}

/** Status of a ping whose body is so long. */
async function ping(
  { gate, token }: { gate: Gate; token: string },
  target = '/mcp',
  length = 0,
): Promise<number> {
  const message = { jsonrpc: '2.0', id: 1, method: 'ping', params: { filler: 'x'.repeat(length) } };
  const response = await fetch(`${gate.url}${target}`, {
    method: 'POST',
    headers: {
      ...bearer(token),
      'content-type': 'application/json',
      accept: 'application/json, text/event-stream',
    },
    body: JSON.stringify(message),
  });
  await response.body?.cancel();
  return response.status;
}

async function statuses(gate: { gate: Gate; token: string }, times: number): Promise<number[]> {
  const found: number[] = [];
  for (let n = 0; n < times; n++) found.push(await ping(gate));
  return found;
}

const alice = (perMinute: number, more: object = {}) => ({
  rateLimits: { users: { 'alice@acme.com': { perMinute } }, ...more },
});

test('a limit that is raised lets through at once, and one that is lowered counts what was before', async () => {
  const world = await gateWith(alice(3));
  expect(await statuses(world, 4)).toEqual([200, 200, 200, 429]);
  await saveAndWait(world.gate, alice(6));
  expect(await statuses(world, 4)).toEqual([200, 200, 200, 429]);
  await saveAndWait(world.gate, alice(5));
  expect(await ping(world)).toBe(429);
  await saveAndWait(world.gate, {});
  expect(await ping(world)).toBe(200);
});

test('a file that is wrong changes no limit', async () => {
  const world = await gateWith(alice(3));
  expect(await statuses(world, 3)).toEqual([200, 200, 200]);
  await save(world.gate, JSON.stringify(configWith(alice(0))));
  await eventually('it is refused', () => world.gate.logs().includes('config file is wrong'));
  expect(await ping(world)).toBe(429);
  await save(world.gate, '{ "rateLimits": ');
  expect(await ping(world)).toBe(429);
  await saveAndWait(world.gate, alice(1_000));
  expect(await ping(world)).toBe(200);
});

test('the longest body changes with the file, of each kind of request by itself', async () => {
  const bodies = (stream: number) => ({ limits: { bodyBytes: { stream } } });
  const world = await gateWith(bodies(2_000));
  const openapi = '/tools/plain/echo';
  expect([await ping(world), await ping(world, '/mcp', 3_000)]).toEqual([200, 413]);
  expect(await ping(world, openapi, 3_000)).not.toBe(413);
  await saveAndWait(world.gate, bodies(10_000));
  expect([await ping(world, '/mcp', 3_000), await ping(world, '/mcp', 20_000)]).toEqual([200, 413]);
  await saveAndWait(world.gate, { limits: { bodyBytes: { stream: 2_000, openapi: 2_000 } } });
  expect([await ping(world, '/mcp', 3_000), await ping(world, openapi, 3_000)]).toEqual([413, 413]);
});
