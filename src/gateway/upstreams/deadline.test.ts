import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Deadline } from './deadline.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function started(milliseconds: number) {
  const passed = vi.fn();
  return { passed, deadline: new Deadline(milliseconds, Date.now, passed) };
}

test('it passes once, unless it was cleared', () => {
  const { passed } = started(100);
  const other = started(100);
  other.deadline.clear();
  vi.advanceTimersByTime(1_000);
  expect(passed).toHaveBeenCalledTimes(1);
  expect(other.passed).not.toHaveBeenCalled();
});

test('progress begins it anew, but not for ever', () => {
  const { passed, deadline } = started(100);
  for (let i = 0; i < 12; i++) {
    vi.advanceTimersByTime(80);
    deadline.progressed();
  }
  expect(passed).not.toHaveBeenCalled();
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(80);
    deadline.progressed();
  }
  expect(passed).toHaveBeenCalledTimes(1);
});

test('it stands still while somebody is asked', async () => {
  const { passed, deadline } = started(100);
  let answer: (text: string) => void = () => undefined;
  const asked = deadline.pausedFor(new Promise<string>((resolve) => (answer = resolve)));
  vi.advanceTimersByTime(5_000);
  expect(passed).not.toHaveBeenCalled();
  answer('yes');
  expect(await asked).toBe('yes');
  vi.advanceTimersByTime(99);
  expect(passed).not.toHaveBeenCalled();
  vi.advanceTimersByTime(1);
  expect(passed).toHaveBeenCalledTimes(1);
});

test('the time that somebody was asked is not taken from the time that progress gives', async () => {
  const { passed, deadline } = started(100);
  const answers = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const asked = answers.map(({ promise }) => deadline.pausedFor(promise));
  vi.advanceTimersByTime(3_000);
  answers[0]!.resolve();
  await asked[0];
  vi.advanceTimersByTime(3_000);
  answers[1]!.resolve();
  await asked[1];
  for (let i = 0; i < 11; i++) {
    vi.advanceTimersByTime(80);
    deadline.progressed();
  }
  expect(passed).not.toHaveBeenCalled();
  for (let i = 0; i < 4; i++) {
    vi.advanceTimersByTime(80);
    deadline.progressed();
  }
  expect(passed).toHaveBeenCalledTimes(1);
});
