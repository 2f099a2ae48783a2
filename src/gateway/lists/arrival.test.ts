import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { makeTarget } from '../upstreams/target.ts';
import { arrival, type Awaited } from './arrival.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const deadline = 3_000;

function look(definition: object = { url: 'https://a.example/' }): Awaited & { end(): void } {
  const server = pictureOf({ servers: { it: { ...definition } } }).servers.get('it')!;
  const target = makeTarget(server, { principal: '', tenant: null, session: null }, undefined, new Map());
  let end: () => void = () => undefined;
  const loading = new Promise<void>((resolve) => {
    end = resolve;
  });
  return { target, loading, end };
}

/** After how long the wait was over, in milliseconds. */
function waited(all: readonly Awaited[], haveOthers = false): () => number | undefined {
  const began = Date.now();
  let ended: number | undefined;
  arrival(all, () => began + deadline - Date.now(), haveOthers).then(
    () => {
      ended = Date.now() - began;
    },
    () => undefined,
  );
  return () => ended;
}

test('all that are waited for have been looked at', async () => {
  const all = [look(), look()];
  const ended = waited(all);
  for (const one of all) {
    await vi.advanceTimersByTimeAsync(100);
    expect(ended()).toBeUndefined();
    one.end();
  }
  await vi.advanceTimersByTimeAsync(0);
  expect(ended()).toBe(200);
});

test('one server alone has all the time there is', async () => {
  const ended = waited([look()]);
  await vi.advanceTimersByTimeAsync(deadline - 1);
  expect(ended()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended()).toBe(deadline);
});

test('remote ones that are silent a second after the last answer are waited for no longer', async () => {
  const [quick, ...silent] = [look(), look(), look()];
  const ended = waited([quick, ...silent]);
  await vi.advanceTimersByTimeAsync(500);
  quick.end();
  await vi.advanceTimersByTimeAsync(999);
  expect(ended()).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1);
  expect(ended()).toBe(1_500);
});

test('beside servers that are known already a silent one has a second', async () => {
  const ended = waited([look()], true);
  await vi.advanceTimersByTimeAsync(1_000);
  expect(ended()).toBe(1_000);
});

test('a process may take its time to start', async () => {
  const ended = waited([look({ command: 'tool' }), look()], true);
  await vi.advanceTimersByTimeAsync(deadline - 1);
  expect(ended()).toBeUndefined();
});

test('nobody waits for what nobody looks at', async () => {
  const ended = waited([{ ...look(), loading: undefined }]);
  await vi.advanceTimersByTimeAsync(0);
  expect(ended()).toBe(0);
});
