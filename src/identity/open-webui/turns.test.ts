import { expect, test } from 'vitest';
import { Turns } from './turns.ts';

const none = () => new Error('no room');

function world(o: { each: number; all: number; waiting?: number; allWaiting?: number; waitMs?: number }) {
  const turns = new Turns({ waiting: 10, allWaiting: 15, waitMs: 60_000, ...o });
  const begun: string[] = [];
  const ends: (() => void)[] = [];
  const take = (whose: string) =>
    turns.take(
      whose,
      () => {
        begun.push(whose);
        return new Promise<void>((end) => void ends.push(end));
      },
      none,
    );
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  const endOne = async () => {
    ends.shift()?.();
    await settle();
  };
  return { turns, begun, take, endOne, settle };
}

test('everybody has so many turns, and the others wait in their line', async () => {
  const { begun, take, endOne, settle } = world({ each: 2, all: 10 });
  for (let i = 0; i < 4; i++) void take('a');
  void take('b');
  await settle();
  expect(begun).toEqual(['a', 'a', 'b']);
  await endOne();
  expect(begun).toEqual(['a', 'a', 'b', 'a']);
});

test('whoever has a long line does not delay those with a short one', async () => {
  const { begun, take, endOne, settle } = world({ each: 5, all: 2 });
  for (let i = 0; i < 10; i++) void take('a');
  for (const whose of ['b', 'b', 'c']) void take(whose);
  await settle();
  for (let i = 0; i < 5; i++) await endOne();
  expect(begun).toEqual(['a', 'a', 'a', 'b', 'c', 'a', 'b']);
});

test('a line that is full takes nobody, and other lines go on until all are', async () => {
  const { take } = world({ each: 1, all: 1 });
  for (let i = 0; i < 11; i++) void take('a');
  await expect(take('a')).rejects.toThrow('no room');
  for (let i = 0; i < 5; i++) void take('b');
  await expect(take('c')).rejects.toThrow('no room');
});

test('whoever has waited too long is sent away, and takes nobody else along', async () => {
  const { begun, take, endOne, settle } = world({ each: 1, all: 1, waitMs: 20 });
  void take('a');
  await expect(take('a')).rejects.toThrow('no room');
  await endOne();
  void take('a');
  await settle();
  expect(begun).toEqual(['a', 'a']);
});

test('a turn that fails is given back', async () => {
  const { turns } = world({ each: 1, all: 1 });
  const fails = () => Promise.reject(new Error('broken'));
  for (let i = 0; i < 3; i++) await expect(turns.take('a', fails, none)).rejects.toThrow('broken');
});
