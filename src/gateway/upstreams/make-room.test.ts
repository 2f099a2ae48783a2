import { expect, test } from 'vitest';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import { UpstreamError } from '../connectors/contract.ts';
import { type Entry, inTheWay, type Newcomer, type Room } from './make-room.ts';
import { makeTarget } from './target.ts';
import type { Upstream } from './upstream.ts';

const roomy: Room = { connections: 1_000, processes: 200 };

interface Of {
  readonly id?: string;
  readonly definition?: object;
  /** Tells two targets of one server apart. */
  readonly key?: string;
  readonly holder?: string;
  readonly busy?: boolean;
  readonly usedAt?: number;
}

let sequence = 0;

function newcomer({ id = 'crm', definition = {}, key = 'k', holder }: Of = {}): Newcomer {
  const entry = { url: 'https://crm.example.com/', headers: { k: '${credential}' }, ...definition };
  const server = pictureOf({ servers: { [id]: 'command' in definition ? definition : entry } }).servers.get(
    id,
  )!;
  const asking = { principal: 'x', tenant: null, session: null };
  const target = makeTarget(server, asking, undefined, new Map([['default', credential(key, 'shared')]]));
  return { target, holder };
}

function entry(of: Of = {}): Entry {
  const upstream = {
    inFlight: of.busy === false ? 0 : 1,
    lastUsedAt: of.usedAt ?? sequence++,
    interests: { isEmpty: true },
  } as unknown as Upstream;
  return { ...newcomer(of), key: String(sequence++), upstream };
}

function entries(count: number, of: (at: number) => Of): Entry[] {
  return Array.from({ length: count }, (_, at) => entry(of(at)));
}

function refusal(all: readonly Entry[], one: Newcomer, room: Room = roomy): string {
  try {
    inTheWay(all, one, room);
  } catch (error) {
    if (error instanceof UpstreamError && error.kind === 'busy') return error.message;
    throw error;
  }
  throw new Error('there was room');
}

test('one person with many kinds of clients holds three of the eight connections of a target', () => {
  const eve = entries(3, () => ({ holder: 'eve' }));
  expect(refusal(eve, newcomer({ holder: 'eve' }))).toBe(
    'Your calls under way use 3 of the 8 kinds of clients at the server "crm", which is as many as one person may use; try again when some of them have ended.',
  );
  expect(inTheWay(eve, newcomer({ holder: 'alice' }), roomy)).toBeUndefined();
  const full = [...eve, ...entries(5, (at) => ({ holder: `other${at}` }))];
  expect(refusal(full, newcomer({ holder: 'alice' }))).toBe(
    'The server "crm" is used by as many kinds of clients at a time as it may be (8); try again in a moment.',
  );
});

test('one person holds a quarter of the connections to a server', () => {
  const definition = { maxConnections: 20 };
  const eve = entries(5, (at) => ({ definition, key: `eve${at}`, holder: 'eve' }));
  const more = newcomer({ definition, key: 'eve5', holder: 'eve' });
  expect(refusal(eve, more)).toContain('use 5 of the 20 connections to the server "crm"');
  expect(inTheWay(eve, newcomer({ definition, key: 'alice', holder: 'alice' }), roomy)).toBeUndefined();
  const one = { maxConnections: 1 };
  expect(inTheWay([], newcomer({ definition: one, holder: 'eve' }), roomy)).toBeUndefined();
});

test('one person holds a tenth of all connections, and of all processes', () => {
  const room = { connections: 40, processes: 10 };
  const eve = entries(4, (at) => ({ id: `s${at}`, holder: 'eve' }));
  expect(refusal(eve, newcomer({ id: 'other', holder: 'eve' }), room)).toContain(
    'use 4 of the 40 connections of the gate',
  );
  const tool = { command: 'tool', args: ['${credential}'] };
  expect(inTheWay(eve, newcomer({ id: 'tool', definition: tool, holder: 'eve' }), room)).toBeUndefined();
  const process = entry({ id: 'p', definition: tool, holder: 'eve' });
  expect(refusal([process], newcomer({ id: 'tool', definition: tool, holder: 'eve' }), room)).toContain(
    'use 1 of the 10 processes of the gate',
  );
});

test('whoever is at the bound gives way to themselves, the longest idle first, and to nobody else', () => {
  const mine = entries(3, (at) => ({ holder: 'eve', busy: false, usedAt: 10 - at }));
  const others = entries(2, () => ({ holder: 'alice', busy: false, usedAt: 0 }));
  expect(inTheWay([...others, ...mine], newcomer({ holder: 'eve' }), roomy)).toBe(mine[2]);
});

test('what the gate does for itself has no share, but the same bounds', () => {
  const own = entries(8, () => ({}));
  expect(refusal(own, newcomer())).toContain('(8)');
});

test('processes and connections are counted apart, and the refusal names the limit', () => {
  const room = { connections: 2, processes: 1 };
  const tool = { command: 'tool', args: ['${credential}'] };
  const remote = entries(2, (at) => ({ id: `r${at}` }));
  expect(refusal(remote, newcomer({ id: 'new' }), room)).toBe(
    'The gate has as many connections as it may have (2); try again in a moment.',
  );
  expect(inTheWay(remote, newcomer({ id: 'tool', definition: tool }), room)).toBeUndefined();
  const all = [...remote, entry({ id: 'p', definition: tool })];
  expect(refusal(all, newcomer({ id: 'tool', definition: tool }), room)).toBe(
    'The gate has as many processes as it may have (1); try again in a moment.',
  );
});

test('a server has as many connections as its definition says, else a hundred', () => {
  const few = { maxConnections: 2 };
  const two = entries(2, (at) => ({ definition: few, key: String(at) }));
  expect(refusal(two, newcomer({ definition: few, key: 'new' }))).toBe(
    'The server "crm" has as many connections as it may have (2); try again in a moment.',
  );
  const many = entries(100, (at) => ({ key: String(at) }));
  expect(refusal(many, newcomer({ key: 'new' }))).toContain('(100)');
});
