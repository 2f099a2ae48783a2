import { expect, test } from 'vitest';
import { credential, pictureOf } from '../../../test/gateway-world.ts';
import { createSealer } from '../../platform/sealer.ts';
import { makeTarget } from '../upstreams/target.ts';
import { TaskIds } from './task-ids.ts';

const key = Buffer.alloc(32, 1);
const alice = { principal: 'alice@acme.com', tenant: 'acme' };
const entry = { type: 'http', url: 'http://127.0.0.1/mcp', headers: { 'x-key': '${credential}' } };

function targetWith(id: string, definition: object = {}) {
  const server = pictureOf({ servers: { it: { ...entry, ...definition } } }).servers.get('it')!;
  const credentials = new Map([['default', credential(id, 'tenant')]]);
  return makeTarget(server, { principal: 'x', tenant: null, session: null }, undefined, credentials);
}

function ids(now = 0, own = key) {
  return new TaskIds(createSealer(own, 'task'), () => now);
}

const sealed = ids().seal({ tool: 'work', own: 'task-1' }, alice, targetWith('a'));

test('an id opens on any process with the key, for its owner alone', () => {
  expect(ids().open(sealed, alice)).toEqual({ server: 'it', tool: 'work', own: 'task-1' });
  expect(ids().open(sealed, { ...alice, principal: 'bob@acme.com' })).toBeUndefined();
  expect(ids().open(sealed, { ...alice, tenant: 'other' })).toBeUndefined();
  expect(ids(0, Buffer.alloc(32, 2)).open(sealed, alice)).toBeUndefined();
});

test('what is no such id, or too old, opens for nobody', () => {
  for (const made of ['task-1', `${sealed}A`, '', 1, undefined, 'A'.repeat(10_000)])
    expect(ids().open(made, alice)).toBeUndefined();
  expect(ids(90 * 24 * 3_600_000 + 1).open(sealed, alice)).toBeUndefined();
});

test('a task is found through the credential that began it, and no other', () => {
  expect(ids().belongsTo(sealed, targetWith('a'))).toBe(true);
  expect(ids().belongsTo(sealed, targetWith('a', { timeoutMs: 5_000 }))).toBe(true);
  expect(ids().belongsTo(sealed, targetWith('b'))).toBe(false);
  expect(ids().belongsTo(sealed, targetWith('a', { url: 'http://127.0.0.1/other' }))).toBe(false);
  expect(ids().belongsTo('made up', targetWith('a'))).toBe(false);
});
