import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { createLog } from '../../platform/log.ts';
import type { RpcNotification } from '../rpc/message.ts';
import type { Topic } from '../upstreams/interests.ts';
import type { Connection } from '../upstreams/pool.ts';
import { makeTarget } from '../upstreams/target.ts';
import { type Asker, SessionFollowings } from './session-followings.ts';
import { Subscriptions } from './subscriptions.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const patience = 60_000;
const server = pictureOf({ servers: { files: { type: 'http', url: 'http://127.0.0.1/mcp' } } }).servers.get(
  'files',
)!;
const target = makeTarget(server, { principal: '', tenant: null, session: null }, undefined, new Map());

function world() {
  const asked: string[] = [];
  const interests = {
    follow: async ({ id }: Topic) => void asked.push(`+${id}`),
    unfollow: async ({ id }: Topic) => void asked.push(`-${id}`),
  };
  const connection = {
    key: 'it',
    upstream: { isClosed: false, interests },
    hello: {},
  } as unknown as Connection;
  const subscriptions = new Subscriptions({ connect: async () => connection }, createLog('silent'));
  const followings = new SessionFollowings(subscriptions, createLog('silent'));
  const asker: Asker = {
    capabilities: '{}',
    reach: () => target,
    follow: async (following, uri) => {
      if (uri === 'unknown') return { kind: 'nobody' };
      await following.follow('files', target, { kind: 'resources', id: uri });
      return { kind: 'followed', server: 'files' };
    },
  };
  const heard: string[] = [];
  const attach = (uris: ReadonlySet<string>) =>
    followings.attach(asker, 'one', {
      uris,
      notify: (_method, rawParams) => void heard.push(String(rawParams)),
    });
  const announce = (uri: string) => {
    const message: RpcNotification = {
      ...{ kind: 'notification', method: 'notifications/resources/updated' },
      ...{ params: { uri }, rawParams: `{"uri":"${uri}"}` },
    };
    subscriptions.announce(target, 'it', 'resources', message);
  };
  return { followings, subscriptions, asker, asked, heard, attach, announce };
}

describe('a session', () => {
  test('hears on its stream of what it subscribed to, before or after it was opened', async () => {
    const { followings, asker, attach, announce, heard } = world();
    await followings.follow(asker, 'one', 'a');
    announce('a');
    attach(new Set(['a']));
    await followings.follow(asker, 'one', 'b');
    announce('a');
    announce('b');
    followings.unfollow('one', 'a');
    announce('a');
    expect(heard).toEqual(['{"uri":"a"}', '{"uri":"b"}']);
  });

  test('that listens nowhere is waited for, but not for ever', async () => {
    const { followings, subscriptions, asker, attach } = world();
    await followings.follow(asker, 'one', 'a');
    vi.advanceTimersByTime(patience - 1);
    const leave = attach(new Set(['a']));
    vi.advanceTimersByTime(10 * patience);
    expect(subscriptions.size).toBe(1);
    leave();
    vi.advanceTimersByTime(patience - 1);
    expect(subscriptions.size).toBe(1);
    vi.advanceTimersByTime(1);
    expect([subscriptions.size, followings.size]).toEqual([0, 0]);
  });

  test('that comes back after that follows again what it had subscribed to', async () => {
    const { followings, asker, asked, attach } = world();
    const uris = new Set<string>();
    const leave = attach(uris);
    await followings.follow(asker, 'one', 'a');
    uris.add('a');
    leave();
    vi.advanceTimersByTime(patience);
    attach(uris);
    await vi.waitFor(() => expect(asked).toEqual(['+a', '-a', '+a']));
  });

  test('may subscribe in another process: its stream’s own follows what `uris` says', async () => {
    const { followings, asked, attach } = world();
    const uris = new Set<string>();
    attach(uris);
    uris.add('a').add('unknown').add('b');
    await followings.ensure('one');
    uris.delete('a');
    await followings.ensure('one');
    await followings.ensure('another that has no stream here');
    expect(asked).toEqual(['+a', '+b', '-a']);
  });

  test('that opens a second stream is not left when the first one closes', async () => {
    const { followings, subscriptions, asker, attach } = world();
    const first = attach(new Set(['a']));
    await followings.follow(asker, 'one', 'a');
    attach(new Set(['a']));
    first();
    vi.advanceTimersByTime(10 * patience);
    expect(subscriptions.size).toBe(1);
  });

  test('that is over lets go at once', async () => {
    const { followings, subscriptions, asker, attach, announce, heard } = world();
    attach(new Set(['a']));
    await followings.follow(asker, 'one', 'a');
    followings.end('one');
    announce('a');
    expect([subscriptions.size, followings.size, heard]).toEqual([0, 0, []]);
    subscriptions.close();
    followings.close();
    expect(vi.getTimerCount()).toBe(0);
  });
});
