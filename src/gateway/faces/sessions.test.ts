import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { createSealer } from '../../platform/sealer.ts';
import { Sessions } from './sessions.ts';

const key = randomBytes(32);
const alice = {
  principal: 'alice@acme.com',
  protocolVersion: '2025-06-18',
  capabilities: '{"roots":{}}',
  clientName: 'Zed',
};
const day = 24 * 3_600_000;

function store(sessionKey = key, now = 0) {
  let time = now;
  const sessions = new Sessions(createSealer(sessionKey, 'mcp-session'), () => time);
  return Object.assign(sessions, {
    pass: (ms: number) => {
      time += ms;
    },
  });
}

test('a session is found again by a process that knows nothing but the key', () => {
  const { id, name } = store().create(alice);
  expect(store().find(id, 'alice@acme.com')).toMatchObject({ ...alice, id, name });
});

test('within a process a session is one object, so that its calls are found', () => {
  const sessions = store();
  const made = sessions.create(alice);
  expect(sessions.find(made.id, 'alice@acme.com')).toBe(made);
  const other = store();
  expect(other.find(made.id, 'alice@acme.com')).toBe(other.find(made.id, 'alice@acme.com'));
});

test('a session is nobody else’s, under no other key, and cannot be altered', () => {
  const sessions = store();
  const { id } = sessions.create(alice);
  expect(sessions.find(id, 'bob@acme.com')).toBeUndefined();
  expect(store().find(id, 'bob@acme.com')).toBeUndefined();
  expect(store(randomBytes(32)).find(id, 'alice@acme.com')).toBeUndefined();
  const bytes = Buffer.from(id, 'base64url');
  for (const at of [0, 12, 28, bytes.length - 1]) {
    const altered = Buffer.from(bytes);
    altered[at]! ^= 1;
    expect(store().find(altered.toString('base64url'), 'alice@acme.com')).toBeUndefined();
  }
  for (const junk of ['', 'x', id.slice(0, 30), `${id}AAAA`, 'A'.repeat(5_000)]) {
    expect(store().find(junk, 'alice@acme.com')).toBeUndefined();
  }
});

test('no two sessions have the same id', () => {
  const sessions = store();
  expect(sessions.create(alice).id).not.toBe(sessions.create(alice).id);
});

test('an ended session is over: its calls are aborted, its stream ended, its id refused', () => {
  const sessions = store();
  const session = sessions.create(alice);
  const call = new AbortController();
  let ended = false;
  session.calls.set('1', call);
  session.endStream = () => {
    ended = true;
  };
  sessions.end(session.name);
  expect(call.signal.aborted).toBe(true);
  expect(ended).toBe(true);
  expect(sessions.find(session.id, 'alice@acme.com')).toBeUndefined();
  expect(sessions.size).toBe(0);
});

test('an ended session stays ended under another spelling of its id', () => {
  const sessions = store();
  const session = sessions.create(alice);
  sessions.end(session.name);
  const other = `${session.id}=`;
  expect(sessions.find(other, 'alice@acme.com')).toBeUndefined();
  expect(
    sessions.find(session.id.replaceAll('-', '+').replaceAll('_', '/'), 'alice@acme.com'),
  ).toBeUndefined();
});

test('a sealed id is good for a week', () => {
  const { id } = store().create(alice);
  expect(store(key, 6 * day).find(id, 'alice@acme.com')).toBeDefined();
  expect(store(key, 8 * day).find(id, 'alice@acme.com')).toBeUndefined();
});
