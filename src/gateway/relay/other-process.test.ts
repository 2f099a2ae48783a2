// What one process does with the messages of another, whatever that one says.
import { randomBytes } from 'node:crypto';
import { afterEach, expect, test } from 'vitest';
import { createBus } from '../../platform/bus/bus.ts';
import type { Bus } from '../../platform/bus/contract.ts';
import { memoryTransport } from '../../platform/bus/memory.ts';
import { createLog } from '../../platform/log.ts';
import { createSealer } from '../../platform/sealer.ts';
import { CallStream } from '../faces/call-stream.ts';
import type { Reply } from '../faces/reply.ts';
import { Sessions } from '../faces/sessions.ts';
import { SessionRelay } from './session-relay.ts';
import { StreamRelay } from './stream-relay.ts';
import { tellAll } from './topic.ts';
import {
  sessionAnswer,
  sessionCancelled,
  sessionEnded,
  sessionListens,
  sessionState,
  streamPart,
} from './topics.ts';

const open: { close(): Promise<void> | void }[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one.close();
});

const alice = { principal: 'alice', protocolVersion: '2025-11-25', capabilities: '{}' };

/** A process with a session of alice, and the bus of another process. */
async function world() {
  const transport = memoryTransport();
  const key = randomBytes(32);
  const log = createLog('silent');
  const bus = () => createBus({ open: transport, sealer: createSealer(key, 'bus'), log });
  const own = await bus();
  const other = await bus();
  const ended: string[] = [];
  const follows: string[] = [];
  const process = (on: Bus) => {
    const sessions = new Sessions(createSealer(key, 'mcp-session'), Date.now);
    const onEnded = (session: string) => void ended.push(session);
    const onFollows = (session: string) => void follows.push(session);
    const relay = new SessionRelay({ bus: on, sessions, onEnded, onFollows, clock: Date.now });
    const streams = new StreamRelay({ bus: on, sessions, clock: Date.now });
    open.push(on, relay, streams);
    return { sessions, relay, streams };
  };
  const { sessions } = process(own);
  const session = sessions.create(alice);
  /** Resolves when everything that was sent before has been heard. */
  own.answer('heard', () => true);
  const heard = () => other.ask(own.node, 'heard', null, 10_000);
  return { own, other, process, sessions, session, ended, follows, heard };
}

test('says nothing to a session in the name of somebody who does not own it', async () => {
  const { other, session, sessions, ended, follows, heard } = await world();
  const happened: string[] = [];
  const call = new AbortController();
  session.calls.set('1', call);
  session.asked.set('"q"', () => happened.push('answered'));
  session.endStream = () => happened.push('stream ended');
  const said = (principal: string) => {
    const ofSession = { session: session.name, principal };
    tellAll(other, sessionAnswer, { ...ofSession, rawId: '"q"', rawResult: '{}', rawError: null });
    tellAll(other, sessionCancelled, { ...ofSession, rawId: '1' });
    tellAll(other, sessionListens, ofSession);
    const state = { logLevel: 'error', follows: ['x://1'], unfollows: [], holds: ['s'] } as const;
    tellAll(other, sessionState, { id: session.id, principal, ...state });
    tellAll(other, sessionEnded, ofSession);
    return heard();
  };
  await said('mallory');
  expect({ happened, ended, follows, aborted: call.signal.aborted }).toEqual({
    ...{ happened: [], ended: [], follows: [], aborted: false },
  });
  expect([session.logLevel, session.uris.size, session.holders.size]).toEqual([undefined, 0, 0]);
  expect(sessions.find(session.id, 'alice')).toBe(session);
  await said('alice');
  expect({ happened, ended, follows, aborted: call.signal.aborted }).toEqual({
    ...{ happened: ['answered', 'stream ended', 'stream ended'], ended: [session.name] },
    ...{ follows: [session.name], aborted: true },
  });
  expect([session.logLevel, session.uris.size, session.holders.size]).toEqual(['error', 1, 1]);
  expect(sessions.find(session.id, 'alice')).toBeUndefined();
});

test('an end that comes before anything else of the session counts too', async () => {
  const { own, other, process, session, heard } = await world();
  const elsewhere = process(other);
  tellAll(own, sessionEnded, { session: session.name, principal: 'alice' });
  await heard();
  await expect.poll(() => elsewhere.sessions.find(session.id, 'alice')).toBeUndefined();
});

test('gives a stream to nobody but the session that it is of', async () => {
  const { own, other, session, sessions } = await world();
  const outlet = { stream: () => undefined, write: () => undefined, end: () => undefined };
  const stream = new CallStream(outlet, { node: own.node, rawId: '1', resumable: true });
  stream.finish('{"the":"end"}');
  session.streams.set(stream.id, stream);
  const second = sessions.create(alice);
  const part = (more: object) =>
    other.ask(
      own.node,
      streamPart.name,
      { session: session.name, principal: 'alice', stream: stream.id, after: 0, offset: 0, wait: 0, ...more },
      10_000,
    );
  expect(await part({})).toMatchObject({ events: [{ seq: 1, text: '{"the":"end"}' }], isDone: true });
  for (const wrong of [{ principal: 'mallory' }, { session: second.name }, { stream: 'x' }, { after: -1 }]) {
    expect(await part(wrong)).toBeNull();
  }
});

test('an event that is too long for one message arrives whole', async () => {
  const { own, other, process, session } = await world();
  const elsewhere = process(other);
  const outlet = { stream: () => undefined, write: () => undefined, end: () => undefined };
  const stream = new CallStream(outlet, { node: own.node, rawId: '1', resumable: true });
  session.streams.set(stream.id, stream);
  const long = JSON.stringify({ text: '😀é"'.repeat(400_000) });
  stream.send('{"short":1}');
  stream.finish(long);
  const said: string[] = [];
  // What following uses of a reply, and nothing more.
  const reply = {
    isOver: false,
    stream: () => undefined,
    write: (text: string) => void said.push(text),
    drained: () => Promise.resolve(),
    end() {
      this.isOver = true;
    },
  };
  const restored = elsewhere.sessions.find(session.id, 'alice');
  const last = { stream: stream.id, node: own.node, rawId: '1', seq: 0 };
  await elsewhere.streams.follow(reply as unknown as Reply, restored!, last);
  // The first one is no longer kept: the long one alone is more than may be.
  expect(said).toEqual([`id: ${stream.id}_2\nevent: message\ndata: ${long}\n\n`]);
  expect(reply.isOver).toBe(true);
});

test('two processes that begin to hold something for a session at once agree on one of them', async () => {
  const { own, other, process, session, heard } = await world();
  const elsewhere = process(other).sessions.find(session.id, 'alice')!;
  const state = {
    id: session.id,
    principal: 'alice',
    logLevel: null,
    follows: [],
    unfollows: [],
    holds: ['s'],
  };
  session.holders.set('s', own.node);
  elsewhere.holders.set('s', other.node);
  tellAll(own, sessionState, state);
  tellAll(other, sessionState, state);
  await heard();
  const first = [own.node, other.node].sort()[0];
  await expect.poll(() => [session.holders.get('s'), elsewhere.holders.get('s')]).toEqual([first, first]);
});
