import { expect, onTestFinished, test, vi } from 'vitest';
import { clientFrame } from '../../../../test/web-socket.ts';
import { ClientFrames, type Listener } from './client-frames.ts';
import type { Goodbye } from './frames.ts';

const more = (said: string) => clientFrame(said, { opcode: 0, isFinal: false });
const last = (said: string) => clientFrame(said, { opcode: 0 });
const first = (said: string) => clientFrame(said, { isFinal: false });

function stopClock() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  onTestFinished(() => void vi.useRealTimers());
}

function frames(o: { heard?: Listener['heard'] } = {}) {
  const heard: string[] = [];
  const goodbyes: Goodbye[] = [];
  const passed: Buffer[] = [];
  const listener: Listener = {
    longestRead: 1_000,
    heard: (text) => {
      heard.push(text);
      return o.heard?.(text);
    },
    heardLong: (start) => void heard.push(`${start.slice(0, 5)}…`),
  };
  const up = new ClientFrames(listener, (goodbye) => void goodbyes.push(goodbye));
  onTestFinished(() => void up.destroy());
  up.on('data', (bytes: Buffer) => void passed.push(bytes));
  const say = (...bytes: readonly Uint8Array[]) =>
    new Promise<void>((resolve) => void up.write(Buffer.concat(bytes), () => resolve()));
  return { up, heard, goodbyes, passed, say, all: () => Buffer.concat(passed) };
}

test('a message that comes byte by byte is kept and goes on in one piece', async () => {
  const { heard, passed, say } = frames();
  const mask = [1, 200, 3, 77];
  const whole = [
    clientFrame('x'.repeat(500), { isFinal: false, mask }),
    clientFrame('y'.repeat(400), { opcode: 0, mask }),
  ];
  for (const byte of Buffer.concat(whole)) await say(Buffer.from([byte]));
  expect(heard).toEqual(['x'.repeat(500) + 'y'.repeat(400)]);
  expect(passed).toEqual([Buffer.concat(whole)]);
});

test.each(['x', ''])('a message has at most 64 frames, also of %j', async (said) => {
  const { goodbyes, heard, passed, say } = frames();
  const most = [first('4'), ...Array.from({ length: 62 }, () => more(said)), last(said)];
  await say(...most);
  expect(heard).toHaveLength(1);
  expect(goodbyes).toEqual([]);
  const before = passed.length;
  await say(...most.slice(0, -1), more(said));
  expect(goodbyes).toEqual([]);
  await say(more(said));
  expect(goodbyes).toMatchObject([{ code: 1008 }]);
  await say(last(said), clientFrame('2'));
  expect(heard).toHaveLength(1);
  expect(passed).toHaveLength(before);
});

test('frames of a message that is not read are not counted', async () => {
  const { goodbyes, heard, say, all } = frames();
  const binary = [clientFrame('b', { opcode: 2, isFinal: false })];
  const long = [first('z'.repeat(1_001))];
  for (const one of [binary, long]) one.push(...Array.from({ length: 100 }, () => more('x')), last('.'));
  await say(...binary, ...long);
  expect(goodbyes).toEqual([]);
  expect(heard).toEqual(['zzzzz…']);
  expect(all()).toEqual(Buffer.concat([...binary, ...long]));
});

test('pings and goodbyes in the middle of a message are not held', async () => {
  const { heard, say, all } = frames();
  const controls = [9, 10, 8].map((opcode) => clientFrame(`of ${opcode}`, { opcode }));
  await say(first('a'), ...controls);
  expect(all()).toEqual(Buffer.concat(controls));
  await say(more('b'), ...controls, last('c'));
  expect(heard).toEqual(['abc']);
  expect(all()).toEqual(Buffer.concat([...controls, ...controls, first('a'), more('b'), last('c')]));
});

test('many small frames that come together go on together', async () => {
  const { passed, say } = frames();
  const small = Array.from({ length: 500 }, () => [clientFrame('2'), clientFrame('', { opcode: 9 })]).flat();
  await say(...small);
  expect(passed).toEqual([Buffer.concat(small)]);
});

test('what came before a message that is asked about does not wait with it', async () => {
  const answer = Promise.withResolvers<void>();
  const { say, all } = frames({ heard: (text) => (text === 'who' ? answer.promise : undefined) });
  const said = say(clientFrame('a'), clientFrame('who'), clientFrame('b'));
  await expect.poll(all).toEqual(clientFrame('a'));
  answer.resolve();
  await said;
  expect(all()).toEqual(Buffer.concat(['a', 'who', 'b'].map((one) => clientFrame(one))));
});

test('a message that is not finished ends the socket in time, however busy it is kept', async () => {
  stopClock();
  const { goodbyes, heard, say } = frames();
  await say(clientFrame('2'), first('4'));
  for (let second = 1; second < 10; second++) {
    vi.advanceTimersByTime(1_000);
    await say(clientFrame('', { opcode: 9 }), more('2'));
  }
  expect(goodbyes).toEqual([]);
  vi.advanceTimersByTime(1_000);
  expect(goodbyes).toMatchObject([{ code: 1008 }]);
  await say(last('2'));
  expect(heard).toEqual(['2']);
});

test('time does not count while a whole message is asked about, nor for one that goes on unread', async () => {
  stopClock();
  const answer = Promise.withResolvers<void>();
  const { goodbyes, heard, say } = frames({
    heard: (text) => (text === 'who' ? answer.promise : undefined),
  });
  await say(first('w'));
  const said = say(last('ho'));
  vi.advanceTimersByTime(60_000);
  answer.resolve();
  await said;
  await say(first('z'.repeat(900)));
  await say(more('z'.repeat(900)));
  vi.advanceTimersByTime(60_000);
  expect(goodbyes).toEqual([]);
  expect(heard).toEqual(['who', 'zzzzz…']);
});

test('time does not count while nobody takes what came before', async () => {
  stopClock();
  const { up, goodbyes, say } = frames();
  up.pause();
  const said = say(clientFrame('z'.repeat(2 * up.readableHighWaterMark)), first('4'));
  await expect.poll(() => up.readableLength).toBeGreaterThan(up.readableHighWaterMark);
  vi.advanceTimersByTime(60_000);
  expect(goodbyes).toEqual([]);
  up.resume();
  await said;
  vi.advanceTimersByTime(10_000);
  expect(goodbyes).toMatchObject([{ code: 1008 }]);
});

test('a socket that is gone waits for nothing', async () => {
  stopClock();
  const { up, goodbyes, say } = frames();
  await say(first('4'));
  expect(vi.getTimerCount()).toBe(1);
  up.destroy();
  expect(vi.getTimerCount()).toBe(0);
  expect(goodbyes).toEqual([]);
});
