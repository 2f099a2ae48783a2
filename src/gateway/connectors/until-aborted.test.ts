import { expect, test } from 'vitest';
import { untilAborted } from './until-aborted.ts';

const gone = () => AbortSignal.abort(new Error('gone'));

test('whoever is gone does not wait, and what fails afterwards ends nothing but itself', async () => {
  const failing = Promise.reject(new Error('unreachable')); // Unhandled, it would end the process, and this test.
  await expect(untilAborted(failing, gone())).rejects.toThrow('gone');
  const controller = new AbortController();
  const late = Promise.withResolvers<void>();
  const waiting = untilAborted(late.promise, controller.signal);
  controller.abort(new Error('gone'));
  await expect(waiting).rejects.toThrow('gone');
  late.reject(new Error('unreachable'));
});

test('whoever stays gets the result, or the failure', async () => {
  const { signal } = new AbortController();
  expect(await untilAborted(Promise.resolve(1), signal)).toBe(1);
  await expect(untilAborted(Promise.reject(new Error('unreachable')), signal)).rejects.toThrow('unreachable');
});
