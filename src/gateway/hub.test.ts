import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { caller } from '../../test/access-world.ts';
import { type Picture, pictureOf } from '../../test/gateway-world.ts';
import { createLog } from '../platform/log.ts';
import { Hub, type Subscriber } from './hub.ts';
import { type ListKind, listKinds } from './lists/kinds.ts';
import type { RpcNotification } from './rpc/message.ts';
import { makeTarget, type Target } from './upstreams/target.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const picture: Picture = {
  servers: { files: {}, github: {} },
  groups: { all: { servers: ['files', 'github'] }, files: { servers: ['files'] } },
  users: { 'alice@acme.com': { groups: ['all'] }, 'bob@acme.com': { groups: ['files'] } },
};

function world() {
  let snapshot = pictureOf(picture);
  const hub = new Hub(() => snapshot, Date.now, createLog('silent'));
  const target = (id: string): Target =>
    makeTarget(
      snapshot.servers.get(id)!,
      { principal: '', tenant: null, session: null },
      undefined,
      new Map(),
    );
  const subscribe = (id: string, more: Partial<Subscriber> = {}) => {
    const heard: string[] = [];
    let ended = 0;
    const leave = hub.add({
      principal: caller(id),
      session: null,
      kinds: new Set<ListKind>(listKinds),
      hears: () => true,
      keyOf: (server) => target(server).key,
      notify: (method, rawParams) =>
        void heard.push(rawParams === undefined ? method : `${method} ${rawParams}`),
      check: async () => undefined,
      end: () => {
        ended++;
      },
      ...more,
    });
    return { heard, leave, ended: () => ended };
  };
  return {
    hub,
    target,
    subscribe,
    change: (next: Picture) => {
      snapshot = pictureOf(next);
      hub.recheck();
    },
  };
}

const listChanged = (kind: string) => `notifications/${kind}/list_changed`;

describe('a change of lists', () => {
  test('is told to those who reach the server in that very way, and nobody else', () => {
    const { hub, target, subscribe } = world();
    const here = subscribe('alice@acme.com');
    const other = subscribe('alice@acme.com', { keyOf: () => 'the same server with another credential' });
    const none = subscribe('bob@acme.com', { keyOf: () => undefined });
    hub.listsChanged(target('github'), ['tools']);
    expect([here, other, none].map(({ heard }) => heard)).toEqual([[listChanged('tools')], [], []]);
  });

  test('is told once, whatever it is of, to those who want to hear of it', () => {
    const { hub, target, subscribe } = world();
    const all = subscribe('alice@acme.com');
    const prompts = subscribe('alice@acme.com', { kinds: new Set<ListKind>(['prompts']) });
    hub.listsChanged(target('files'), ['resources', 'templates']);
    hub.listsChanged(target('files'), ['prompts']);
    expect(all.heard).toEqual([listChanged('resources'), listChanged('prompts')]);
    expect(prompts.heard).toEqual([listChanged('prompts')]);
  });
});

describe('a log message that belongs to no request', () => {
  const line = (level: string): RpcNotification => ({
    kind: 'notification',
    method: 'notifications/message',
    params: { level },
    rawParams: `{"level":"${level}"}`,
  });

  test('reaches those whose own server it is, at the level that they want', () => {
    const { hub, target, subscribe } = world();
    const own = { ...target('files'), scope: 'user:alice@acme.com' };
    const here = subscribe('alice@acme.com', { hears: (level) => level === 'error' });
    const elsewhere = subscribe('bob@acme.com', { keyOf: () => 'other' });
    hub.logged(own, line('info'));
    hub.logged(own, line('error'));
    expect([here.heard, elsewhere.heard]).toEqual([['notifications/message {"level":"error"}'], []]);
  });

  test('reaches nobody where several people share the connection', () => {
    const { hub, target, subscribe } = world();
    const here = subscribe('alice@acme.com');
    hub.logged(target('files'), line('error'));
    hub.logged({ ...target('files'), scope: 'tenant:acme' }, line('error'));
    expect(here.heard).toEqual([]);
  });
});

describe('rights', () => {
  test('that change are told as changed lists to whom they changed for', () => {
    const { subscribe, change } = world();
    const alice = subscribe('alice@acme.com');
    const bob = subscribe('bob@acme.com');
    change({ ...picture, groups: { ...picture.groups, files: { servers: ['files', 'github'] } } });
    expect(alice.heard).toEqual([]);
    expect(bob.heard.sort()).toEqual(['prompts', 'resources', 'tools'].map(listChanged));
    change({ ...picture, groups: { ...picture.groups, files: { servers: ['files', 'github'] } } });
    expect(bob.heard).toHaveLength(3);
  });

  test('whoever’s credential no longer counts is sent away within seconds, the others stay', async () => {
    const { hub, subscribe } = world();
    let good = true;
    const out = subscribe('alice@acme.com', {
      check: async () => {
        if (!good) throw new Error('revoked');
      },
    });
    const stays = subscribe('bob@acme.com');
    await vi.advanceTimersByTimeAsync(10_000);
    expect([out.ended(), hub.size]).toEqual([0, 2]);
    good = false;
    await vi.advanceTimersByTimeAsync(2_000);
    expect([out.ended(), stays.ended(), hub.size]).toEqual([1, 0, 1]);
  });

  test('an answer under way ends with its caller’s credential, and not because the gate shuts down', async () => {
    const { hub } = world();
    const ended: string[] = [];
    const answer = (name: string, check: () => Promise<void>) =>
      hub.watch({ principal: caller('alice@acme.com'), check, end: () => void ended.push(name) });
    answer('out', async () => {
      throw new Error('revoked');
    });
    answer('stays', async () => undefined);
    const leave = answer('has ended', async () => {
      throw new Error('nobody asks');
    });
    leave();
    await vi.advanceTimersByTimeAsync(4_000);
    hub.close();
    expect(ended).toEqual(['out']);
  });

  test('a check that takes long is not begun again meanwhile', async () => {
    const { subscribe } = world();
    let checks = 0;
    subscribe('alice@acme.com', {
      check: () => {
        checks++;
        return new Promise(() => undefined);
      },
    });
    await vi.advanceTimersByTimeAsync(10_000);
    expect(checks).toBe(1);
  });
});

test('close() ends every stream and its own timer', () => {
  const { hub, subscribe } = world();
  const streams = ['alice@acme.com', 'bob@acme.com'].map((id) => subscribe(id));
  hub.close();
  expect(streams.map(({ ended }) => ended())).toEqual([1, 1]);
  expect([hub.size, vi.getTimerCount()]).toEqual([0, 0]);
});
