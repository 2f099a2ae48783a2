import { expect, test } from 'vitest';
import { Link } from './link.ts';

function pair() {
  let isCut = false;
  const ends: Link[] = [];
  const to = (at: number) => (wire: unknown) => {
    if (!isCut) queueMicrotask(() => ends[at]?.hear(JSON.parse(JSON.stringify(wire))));
  };
  const [left, right] = [new Link(to(1)), new Link(to(0))];
  ends.push(left, right);
  return { left, right, cut: () => void (isCut = true) };
}

test('either side asks the other, several things at once', async () => {
  const { left, right } = pair();
  right.answer('double', (n) => Number(n) * 2);
  left.answer('who', async () => 'left');
  expect(
    await Promise.all([
      left.ask('double', 2, 5_000),
      left.ask('double', 3, 5_000),
      right.ask('who', null, 5_000),
    ]),
  ).toEqual([4, 6, 'left']);
});

test('an answer that fails, a question that nobody answers, and a silent side are no answer', async () => {
  const { left, right, cut } = pair();
  right.answer('fails', () => {
    throw new Error('secret');
  });
  for (const topic of ['fails', 'unknown'])
    await expect(left.ask(topic, null, 5_000)).rejects.toThrow(/^The process beside this one did not answer/);
  cut();
  await expect(left.ask('fails', null, 10)).rejects.toThrow(/did not answer/);
});

test('whoever waits when the pipe closes waits no longer', async () => {
  const { left, cut } = pair();
  cut();
  const waiting = left.ask('x', null, 60_000);
  left.close();
  await expect(waiting).rejects.toThrow(/did not answer/);
  await expect(left.ask('x', null, 60_000)).rejects.toThrow(/did not answer/);
});

test('other messages on the pipe are let by', async () => {
  const { left, right } = pair();
  right.answer('x', () => 1);
  for (const message of [
    null,
    'text',
    {},
    { kind: 'answer', id: 'x' },
    { act: 'listening' },
    { kind: 'answer', id: 99, ok: true },
  ])
    left.hear(message);
  expect(await left.ask('x', null, 5_000)).toBe(1);
});
