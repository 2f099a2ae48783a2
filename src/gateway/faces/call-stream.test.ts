import { describe, expect, test } from 'vitest';
import { CallStream, parseEventId } from './call-stream.ts';
import type { Reply } from './reply.ts';

/** A connection as the stream sees it. */
function connection() {
  const said: string[] = [];
  let over = false;
  const reply = {
    stream: () => void said.push('head'),
    write: (text: string) => void (over || said.push(text)),
    end: () => {
      if (!over) said.push('end');
      over = true;
    },
  };
  // What a CallStream uses of a reply, and nothing more.
  return { reply: reply as unknown as Reply, said };
}

function stream(resumable: boolean) {
  const { reply, said } = connection();
  const made = new CallStream(reply, { node: 'a', rawId: '7', resumable });
  return { stream: made, reply, said };
}

const event = (id: string | undefined, data: string) =>
  `${id === undefined ? '' : `id: ${id}\n`}event: message\ndata: ${data}\n\n`;

test('a plain stream has no ids, and cannot be taken up again', () => {
  const { stream: call, reply, said } = stream(false);
  call.begin();
  call.send('{"a":1}');
  call.pause();
  call.finish('{"b":\n2}');
  expect(said).toEqual(['head', event(undefined, '{"a":1}'), event(undefined, '{"b": 2}'), 'end']);
  expect(call.leave(reply, 5)).toBe(false);
});

describe('a resumable stream', () => {
  test('begins with an event that names it, so that it can be found before anything was said', () => {
    const { stream: call, said } = stream(true);
    call.begin();
    call.begin();
    expect(said).toEqual(['head', `id: ${call.id}_0\nretry: 500\ndata: \n\n`]);
  });

  test('gives a client that comes back what it missed, then the rest', () => {
    const { stream: call, reply } = stream(true);
    call.send('1');
    call.send('2');
    expect(call.leave(reply, 5)).toBe(true);
    expect(call.goneSince).toBe(5);
    call.send('3');
    const back = connection();
    call.resume(back.reply, 1);
    expect(call.goneSince).toBeUndefined();
    call.finish('4');
    const ids = (n: number) => `${call.id}_${n}`;
    expect(back.said).toEqual(['head', event(ids(2), '2'), event(ids(3), '3'), event(ids(4), '4'), 'end']);
  });

  test('that is done says the rest and ends', () => {
    const { stream: call, reply } = stream(true);
    call.send('1');
    call.leave(reply, 5);
    call.finish('2');
    const back = connection();
    call.resume(back.reply, 1);
    expect(back.said).toEqual(['head', event(`${call.id}_2`, '2'), 'end']);
  });

  test('that pauses ends its connection and goes on in silence', () => {
    const { stream: call, said } = stream(true);
    call.pause();
    expect(said).toEqual([]);
    call.begin();
    call.pause();
    call.send('1');
    expect(said).toHaveLength(3);
    expect(said.at(-1)).toBe('end');
    const back = connection();
    call.resume(back.reply, 0);
    expect(back.said).toEqual(['head', event(`${call.id}_1`, '1')]);
  });

  test('is not lost by the late end of a connection that was replaced', () => {
    const { stream: call, reply } = stream(true);
    call.send('1');
    const back = connection();
    call.resume(back.reply, 1);
    expect(call.leave(reply, 5)).toBe(true);
    expect(call.goneSince).toBeUndefined();
    call.finish('2');
    expect(back.said).toEqual(['head', event(`${call.id}_2`, '2'), 'end']);
  });

  test('that nobody began cannot be found, so its client is gone for good', () => {
    const { stream: call, reply } = stream(true);
    expect(call.leave(reply, 5)).toBe(false);
  });

  test('keeps so much and no more for a client that stays away', () => {
    const { stream: call, reply } = stream(true);
    call.begin();
    call.leave(reply, 5);
    for (let n = 0; n < 1_500; n++) call.send(`${n}`);
    const back = connection();
    call.resume(back.reply, 0);
    expect(back.said).toHaveLength(1 + 1_000);
    const big = stream(true);
    big.stream.begin();
    big.stream.leave(big.reply, 5);
    for (let n = 0; n < 10; n++) big.stream.send('x'.repeat(1_000_000));
    const bigBack = connection();
    big.stream.resume(bigBack.reply, 0);
    expect(bigBack.said.length).toBeLessThan(6);
  });

  test('that was cancelled is done without a response', () => {
    const { stream: call, said } = stream(true);
    call.send('1');
    call.abandon();
    expect(call.isDone).toBe(true);
    expect(said.at(-1)).toBe('end');
  });
});

test('keep-alives are for streams that have begun', () => {
  const { stream: call, said } = stream(false);
  call.keepAlive();
  call.begin();
  call.keepAlive();
  expect(said).toEqual(['head', ': keep-alive\n\n']);
});

describe('a stream whose client is back at another process', () => {
  const texts = ({ events }: { events: readonly { text: string }[] }) => events.map(({ text }) => text);

  test('is read in parts, each from the event before it, until it is done', async () => {
    const { stream: call, reply, said } = stream(true);
    call.send('1');
    call.leave(reply, 5);
    call.send('2');
    expect(texts(await call.pull(1, 60_000, () => 6))).toEqual(['2']);
    const next = call.pull(2, 60_000, () => 6);
    expect(call.goneSince).toBeUndefined();
    call.send('3');
    expect(await next).toEqual({ events: [{ seq: 3, text: '3' }], isDone: false, isPaused: false });
    expect(call.goneSince).toBe(6);
    const last = call.pull(3, 60_000, () => 7);
    call.finish('4');
    expect(await last).toEqual({ events: [{ seq: 4, text: '4' }], isDone: true, isPaused: false });
    expect(said).not.toContain(event(`${call.id}_2`, '2'));
  });

  test('takes it away from the connection that it had', async () => {
    const { stream: call, reply, said } = stream(true);
    call.send('1');
    const part = call.pull(0, 60_000, () => 6);
    expect(said.at(-1)).toBe('end');
    expect(call.leave(reply, 6)).toBe(true);
    expect(texts(await part)).toEqual(['1']);
  });

  test('takes it away from there as well, when it is back where it began', async () => {
    const { stream: call, reply } = stream(true);
    call.send('1');
    call.leave(reply, 5);
    const elsewhere = call.pull(1, 60_000, () => 6);
    const back = connection();
    call.resume(back.reply, 1);
    expect(await elsewhere).toEqual({ events: [], isDone: false, isPaused: true });
    call.finish('2');
    expect(back.said).toEqual(['head', event(`${call.id}_2`, '2'), 'end']);
  });

  test('says when there is nothing, when it pauses, and when it was cancelled', async () => {
    const { stream: call } = stream(true);
    call.begin();
    expect(await call.pull(0, 0, () => 1)).toEqual({ events: [], isDone: false, isPaused: false });
    const paused = call.pull(0, 60_000, () => 1);
    call.pause();
    expect((await paused).isPaused).toBe(true);
    const cancelled = call.pull(0, 60_000, () => 1);
    call.abandon();
    expect(await cancelled).toEqual({ events: [], isDone: true, isPaused: false });
  });
});

test.each(['1', '-1.5e3', '"a"', '"a_b.c"', '"é\\u0000"'])(
  'an event id names the process, the stream and the request %s',
  (rawId) => {
    const { id } = new CallStream(connection().reply, { node: 'n0de', rawId, resumable: true });
    expect(parseEventId(`${id}_12`)).toEqual({ stream: id, node: 'n0de', rawId, seq: 12 });
  },
);

test('a request id that is long, or that somebody put there who is no client, is not repeated', () => {
  const long = new CallStream(connection().reply, {
    node: 'a',
    rawId: `"${'x'.repeat(64)}"`,
    resumable: true,
  });
  expect(parseEventId(`${long.id}_1`)?.rawId).toBeNull();
  const { id } = new CallStream(connection().reply, { node: 'a', rawId: '1', resumable: true });
  const made = (rawId: string) => id.replace(/[^.]*$/, Buffer.from(rawId).toString('base64url'));
  for (const rawId of ['{}', '1,"x":2', 'null', '"'])
    expect(parseEventId(`${made(rawId)}_1`)?.rawId).toBeNull();
});

test.each([
  '',
  '_1',
  'a',
  'a_1',
  'a.b.c_1',
  `a.${'0'.repeat(36)}._x`,
  `a.${'0'.repeat(36)}._-1`,
  `a b.${'0'.repeat(36)}._1`,
])('the event id %s is none of ours', (id) => {
  expect(parseEventId(id)).toBeUndefined();
});
