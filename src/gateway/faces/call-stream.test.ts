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
  const made = new CallStream(reply, { resumable, headers: {} });
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

test.each([
  ['a-b-c_0', { stream: 'a-b-c', seq: 0 }],
  ['a_b_12', { stream: 'a_b', seq: 12 }],
  ['', undefined],
  ['_1', undefined],
  ['a', undefined],
  ['a_-1', undefined],
  ['a_1.5', undefined],
  ['a_x', undefined],
])('the event id %s names %o', (id, named) => {
  expect(parseEventId(id)).toEqual(named);
});
