import { afterEach, describe, expect, test } from 'vitest';
import { pictureOf } from '../../../test/gateway-world.ts';
import { createLog } from '../../platform/log.ts';
import { UpstreamError } from '../connectors/contract.ts';
import type { RpcNotification, RpcResponse } from '../rpc/message.ts';
import type { Topic } from '../upstreams/interests.ts';
import type { Connection } from '../upstreams/pool.ts';
import { makeTarget, type Target } from '../upstreams/target.ts';
import { mostTopics, Subscriptions } from './subscriptions.ts';

const open: Subscriptions[] = [];
afterEach(() => {
  for (const one of open.splice(0)) one.close();
});

const refusal = { kind: 'response', rawId: '1', error: { code: -32002, message: 'no' } } as RpcResponse;
const picture = pictureOf({ servers: { files: { type: 'http', url: 'http://127.0.0.1/mcp' } } });

function targetFor(principal: string): Target {
  const server = picture.servers.get('files')!;
  const isolated = { ...server, definition: { ...server.definition, isolation: 'user' as const } };
  return makeTarget(isolated, { principal, tenant: null, session: null }, undefined, new Map());
}

const resource = (id: string): Topic => ({ kind: 'resources', id });
const news = (uri: string): RpcNotification => ({
  kind: 'notification',
  method: 'notifications/resources/updated',
  params: { uri },
  rawParams: JSON.stringify({ uri, title: 'kept' }),
});

/** Servers that note what they are asked for; one connection for each target. */
function world() {
  const asked: string[] = [];
  const upstreams = new Map<string, { isClosed: boolean }>();
  const follow = async ({ id }: Topic) => {
    asked.push(`+${id}`);
    if (id === 'broken') throw new UpstreamError('timeout', 'late');
    return id === 'refused' ? refusal : undefined;
  };
  const unfollow = async ({ id }: Topic) => void asked.push(`-${id}`);
  const connect = async ({ key }: Target): Promise<Connection> => {
    const made = { isClosed: false, interests: { follow, unfollow } };
    if (upstreams.get(key)?.isClosed !== false) upstreams.set(key, made);
    return { key, upstream: upstreams.get(key), hello: {} } as unknown as Connection;
  };
  const subscriptions = new Subscriptions({ connect }, createLog('silent'));
  open.push(subscriptions);
  const someone = (target: Target | undefined = targetFor('')) => {
    const heard: (string | undefined)[] = [];
    const state: { target: Target | undefined } = { target };
    const following = subscriptions.open({
      ...{ prefer: 'legacy', capabilities: '{}', reach: () => state.target },
      notify: ({ rawParams }) => void heard.push(rawParams),
    });
    const follows = (id: string) => following.follow('files', state.target!, resource(id));
    return {
      heard,
      state,
      following,
      follows,
      leaves: (id: string) => following.drop('files', resource(id)),
    };
  };
  return { subscriptions, asked, upstreams, someone };
}

describe('a resource', () => {
  test('is asked for once for all who follow it, and let go when the last one leaves', async () => {
    const { subscriptions, asked, someone } = world();
    const [one, two] = [someone(), someone()];
    await Promise.all([one.follows('a'), two.follows('a'), one.follows('a')]);
    one.leaves('a');
    one.leaves('a');
    expect([asked, subscriptions.size]).toEqual([['+a'], 1]);
    two.following.close();
    expect([asked, subscriptions.size]).toEqual([['+a', '-a'], 0]);
    await one.follows('a');
    expect(asked).toEqual(['+a', '-a', '+a']);
  });

  test('that a server refuses, or cannot be asked for, is followed by nobody', async () => {
    const { subscriptions, someone } = world();
    const one = someone();
    expect(await one.follows('refused')).toBe(refusal);
    await expect(one.follows('broken')).rejects.toThrow('late');
    expect([subscriptions.size, one.following.size]).toEqual([0, 0]);
  });

  test('is told of, as its server said it, to those who follow it where it was said', async () => {
    const { subscriptions, someone } = world();
    const [here, other, elsewhere] = [someone(), someone(), someone(targetFor('bob@acme.com'))];
    await Promise.all([
      here.follows('file:///a'),
      other.follows('file:///b'),
      elsewhere.follows('file:///a'),
    ]);
    const target = targetFor('');
    subscriptions.announce(target, target.key, 'resources', news('file:///a'));
    expect([here.heard, other.heard, elsewhere.heard]).toEqual([[news('file:///a').rawParams], [], []]);
  });

  test('has changed when a part of it has', async () => {
    const { subscriptions, someone } = world();
    const target = targetFor('');
    const [all, folder, sibling] = [someone(), someone(), someone()];
    await all.follows('file:///');
    await folder.follows('file:///src');
    await folder.follows('file:///src/');
    await sibling.follows('file:///sr');
    subscriptions.announce(target, target.key, 'resources', news('file:///src/a.ts'));
    expect([all.heard.length, folder.heard.length, sibling.heard.length]).toEqual([1, 1, 0]);
  });

  test('may have changed while nobody heard the server', async () => {
    const { subscriptions, someone } = world();
    const [here, elsewhere] = [someone(), someone(targetFor('bob@acme.com'))];
    await Promise.all([here.follows('a'), elsewhere.follows('a')]);
    subscriptions.missed(targetFor('').key);
    expect([here.heard, elsewhere.heard]).toEqual([['{"uri":"a"}'], []]);
  });
});

describe('whoever follows', () => {
  test('and loses the right to hears no more, not even what is on its way', async () => {
    const { subscriptions, asked, someone } = world();
    const one = someone();
    await one.follows('a');
    one.state.target = undefined;
    const target = targetFor('');
    subscriptions.announce(target, target.key, 'resources', news('a'));
    subscriptions.recheck();
    expect([one.heard, asked, subscriptions.size]).toEqual([[], ['+a', '-a'], 0]);
  });

  test.each(['reaches the server in another way', 'has lost the connection'])(
    'and %s, follows there anew',
    async (how) => {
      const { subscriptions, asked, upstreams, someone } = world();
      const one = someone();
      await one.follows('a');
      if (how.startsWith('reaches')) one.state.target = targetFor('alice@acme.com');
      else upstreams.get(targetFor('').key)!.isClosed = true;
      subscriptions.recheck();
      await expect.poll(() => one.heard).toEqual(['{"uri":"a"}']);
      expect(asked.filter((line) => line === '+a')).toHaveLength(2);
      const now = one.state.target!;
      subscriptions.announce(now, now.key, 'resources', news('a'));
      expect(one.heard).toHaveLength(2);
    },
  );

  test('and is gone before the server has answered leaves nothing behind', async () => {
    const { subscriptions, asked, someone } = world();
    const one = someone();
    const following = one.follows('a');
    one.following.close();
    await following;
    expect([asked, subscriptions.size]).toEqual([['+a', '-a'], 0]);
  });

  test('cannot follow without end', async () => {
    const { someone } = world();
    const one = someone();
    for (let i = 0; i < mostTopics; i++) await one.follows(`x:${i}`);
    await expect(one.follows('one more')).rejects.toThrow(`No more than ${mostTopics}`);
    one.leaves('x:0');
    expect(await one.follows('one more')).toBeUndefined();
  });
});
