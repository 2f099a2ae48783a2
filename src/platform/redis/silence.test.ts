import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { NotHeard, Silence } from './silence.ts';

const never = () => new Promise<never>(() => undefined);

function stand(milliseconds: number): void {
  const end = performance.now() + milliseconds;
  while (performance.now() < end);
}

test('who hears nothing is told so, and everybody who waits', async () => {
  const silence = new Silence();
  const all = await Promise.allSettled([silence.bounded(never), silence.bounded(never)]);
  for (const one of all) expect(one).toMatchObject({ status: 'rejected', reason: expect.any(NotHeard) });
  expect(await silence.bounded(async () => 'heard')).toBe('heard');
});

test('an answer that came while the process was busy is heard', async () => {
  const other = new Worker(
    `const { parentPort } = require('node:worker_threads');
    parentPort.on('message', (message) => setTimeout(() => parentPort.postMessage(message), 20));`,
    { eval: true },
  );
  await once(other, 'online');
  const silence = new Silence();
  for (let n = 0; n < 5; n++) {
    const answer = silence.bounded(async () => {
      other.postMessage(n);
      return (await once(other, 'message'))[0];
    });
    stand(400);
    expect(await answer).toBe(n);
  }
  await other.terminate();
});

test('a slow answer is waited for as long as others come', async () => {
  const silence = new Silence();
  let isDone = false;
  const others = (async () => {
    while (!isDone) await silence.bounded(() => sleep(5));
  })();
  expect(await silence.bounded(() => sleep(300, 'late'))).toBe('late');
  isDone = true;
  await others;
});

test('a process that is never idle does not wait for ever', async () => {
  const silence = new Silence();
  let isDone = false;
  const spin = () => {
    stand(5);
    if (!isDone) setImmediate(spin);
  };
  spin();
  await expect(silence.bounded(never)).rejects.toBeInstanceOf(NotHeard);
  isDone = true;
});
