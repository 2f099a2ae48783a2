import { expect, test } from 'vitest';
import { createLog } from '../log.ts';
import { Outbox } from './outbox.ts';

function outbox() {
  let now = 0;
  const lines: string[] = [];
  const log = createLog('warn', { write: (line: string) => void lines.push(line) });
  const made = new Outbox(log, () => now);
  const texts = (count = 100_000) => made.next(count, Number.POSITIVE_INFINITY).map(({ text }) => text);
  return { made, lines, texts, pass: (ms: number) => void (now += ms) };
}

test('what was taken stays until it was sent, in the order it came', () => {
  const { made, texts } = outbox();
  for (const text of ['a', 'b', 'c']) made.add({ channel: 'x', text });
  expect(texts(2)).toEqual(['a', 'b']);
  made.sent(made.next(2, 100));
  expect(texts()).toEqual(['c']);
  expect(made.next(2, 0)).toEqual([]);
});

test('full of messages it drops the oldest, and says so once', () => {
  const { made, lines, texts } = outbox();
  for (let at = 0; at < 10_010; at++) made.add({ channel: 'x', text: String(at) });
  expect(texts()[0]).toBe('10');
  expect(made.size).toBe(10_000);
  expect(lines).toHaveLength(1);
});

test('full of bytes it drops the oldest, but never the newest', () => {
  const { made, texts } = outbox();
  const long = 'x'.repeat(40 * 1024 * 1024);
  made.add({ channel: 'x', text: `1${long}` });
  made.add({ channel: 'x', text: `2${long}` });
  expect(texts().map((text) => text[0])).toEqual(['2']);
});

test('what has waited too long is dropped, and dropping is said again after everything went out', () => {
  const { made, lines, texts, pass } = outbox();
  made.add({ channel: 'x', text: 'old' });
  pass(31_000);
  made.add({ channel: 'x', text: 'new' });
  expect(texts()).toEqual(['new']);
  made.sent(made.next(10, 100));
  made.add({ channel: 'x', text: 'old again' });
  pass(31_000);
  expect(texts()).toEqual([]);
  expect(lines).toHaveLength(2);
});
