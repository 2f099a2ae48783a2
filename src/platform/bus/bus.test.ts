import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { createSealer } from '../sealer.ts';
import { createBus } from './bus.ts';
import { type Bus, everyone, NoAnswer } from './contract.ts';
import { memoryTransport } from './memory.ts';

const open: Bus[] = [];
afterEach(async () => {
  for (const bus of open.splice(0)) await bus.close();
});

const key = randomBytes(32);
async function nodes(count: number, keys: readonly Buffer[] = []): Promise<Bus[]> {
  const transport = memoryTransport();
  const made = Array.from({ length: count }, (_, index) =>
    createBus({
      open: transport,
      sealer: createSealer(keys[index] ?? key, 'bus'),
      log: createLog('silent'),
    }),
  );
  const all = await Promise.all(made);
  open.push(...all);
  return all;
}

test('a message for everyone reaches all others and not its sender', async () => {
  const [a, b, c] = await nodes(3);
  const heard: string[] = [];
  for (const [name, bus] of [
    ['a', a],
    ['b', b],
    ['c', c],
  ] as const)
    bus?.on('news', (message, from) => heard.push(`${name}:${String(message)}:${from === a?.node}`));
  a?.send(everyone, 'news', 'hello');
  await expect.poll(() => heard.length).toBe(2);
  expect(heard.sort()).toEqual(['b:hello:true', 'c:hello:true']);
});

test('a question is answered by the one who was asked', async () => {
  const [a, b] = await nodes(2);
  b?.answer('double', (message) => Number(message) * 2);
  expect(await a?.ask(b?.node ?? '', 'double', 21, 1_000)).toBe(42);
});

test('a process can ask itself', async () => {
  const [a] = await nodes(1);
  a?.answer('name', () => 'a');
  expect(await a?.ask(a.node, 'name', null, 1_000)).toBe('a');
});

test('nobody there, no handler and a handler that throws all end in NoAnswer', async () => {
  const [a, b] = await nodes(2);
  b?.answer('throws', () => {
    throw new Error('inside');
  });
  await expect(a?.ask('gone', 'x', null, 20)).rejects.toThrow(NoAnswer);
  await expect(a?.ask(b?.node ?? '', 'unknown', null, 1_000)).rejects.toThrow(NoAnswer);
  await expect(a?.ask(b?.node ?? '', 'throws', null, 1_000)).rejects.toThrow(NoAnswer);
});

test('a message sealed by another key is not heard', async () => {
  const [a, b] = await nodes(2, [key, randomBytes(32)]);
  b?.answer('x', () => 1);
  await expect(a?.ask(b?.node ?? '', 'x', null, 50)).rejects.toThrow(NoAnswer);
});
