import { afterEach, describe, expect, test } from 'vitest';
import type { KindName } from '../../../test/fakes/hostile/kinds.ts';
import {
  answering,
  busierThan,
  busy,
  closeWorlds,
  failureOf,
  worldOf,
} from '../../../test/upstream-world.ts';
import type { RpcNotification, RpcRequest } from '../rpc/message.ts';
import { type Connector, type Sink, UpstreamError } from './contract.ts';

export type Options = Readonly<Record<string, string | number>>;

/** One way to reach a server. */
export interface Way {
  /** Opens a connector to a fake server of that kind. */
  open(kind: KindName, options: Options, sink: Sink): Connector;
  /** Opens one to a server that cannot be started or reached. */
  openBroken(sink: Sink): Connector;
  /** All messages of all callers share one stream, so that not everything says whose it is. */
  readonly sharesOneStream: boolean;
}

/** The behaviour that every connector has, whatever it speaks. */
export function connectorContract(name: string, way: Way): void {
  const world = (kind: KindName, options: Options = {}) => worldOf((sink) => way.open(kind, options, sink));

  afterEach(closeWorlds);

  describe(`${name}: an honest server`, () => {
    test('is asked for its list, called, and started once for all', async () => {
      const { list, call, opened } = world('ok');
      expect(await list()).toEqual(['echo', 'add', 'slow', 'big', 'whoami', 'crash']);
      const answers = await Promise.all([call('echo', { text: 'héllo 😀' }), call('add', { a: 1, b: 2 })]);
      expect(answers).toEqual(['héllo 😀', '3']);
      expect(opened()).toBe(1);
    });

    test('reports progress to the caller who asked, under the caller’s own token', async () => {
      const { call } = world('progress');
      const heard: string[][] = [[], []];
      const listen = (who: number) => ({
        token: 'same',
        onNotification: (message: RpcNotification) => {
          if (message.method === 'notifications/progress') heard[who]!.push(message.rawParams!);
        },
      });
      await Promise.all([
        call('work', { steps: 3 }, listen(0)),
        call('work', { steps: 2 }, listen(1)),
        call('work', { steps: 2 }),
      ]);
      const seen = heard.map((all) => all.map((text) => JSON.parse(text) as Record<string, unknown>));
      expect(seen[0]).toEqual([1, 2, 3].map((progress) => ({ progressToken: 'same', progress, total: 3 })));
      expect(seen[1]).toEqual([1, 2].map((progress) => ({ progressToken: 'same', progress, total: 2 })));
    });

    test('may log during a call; with several calls only where it is plain whose line it is', async () => {
      const { call } = world('progress');
      const heard: string[][] = [[], []];
      const listen = (who: number) => ({
        onNotification: ({ rawParams }: RpcNotification) => void heard[who]!.push(rawParams!),
      });
      await call('work', { steps: 2 }, listen(0));
      expect(heard[0]).toHaveLength(2);
      const slow = call('slow', { ms: 200 }, listen(1));
      // When this one is back, the slow one has arrived.
      await call('echo', { text: 'x' });
      await call('work', { steps: 2 }, listen(0));
      await slow;
      expect(heard[0]).toHaveLength(way.sharesOneStream ? 2 : 4);
      expect(heard[1]).toEqual([]);
    });

    test('asks the caller, and waits for the answer', async () => {
      const { call } = world('asks');
      const asked: RpcRequest[] = [];
      const answer = await call('ask_elicit', {}, { onServerRequest: answering(asked) });
      expect(JSON.parse(answer)).toMatchObject({ result: { content: { name: 'Ann' } } });
      expect(asked.map(({ method }) => method)).toEqual(['elicitation/create']);
    });

    test('asks nobody where two could be meant', async () => {
      const { call } = world('asks');
      const asked: RpcRequest[] = [];
      const other: RpcRequest[] = [];
      const slow = call('slow', { ms: 300 }, { onServerRequest: answering(other) });
      const answer = JSON.parse(await call('ask_elicit', {}, { onServerRequest: answering(asked) }));
      expect(asked).toHaveLength(way.sharesOneStream ? 0 : 1);
      if (way.sharesOneStream) expect(answer).toMatchObject({ error: { code: -32601 } });
      expect(other).toEqual([]);
      await slow;
    });

    test('asks nobody for a caller who has given up', async () => {
      const { call, list } = world('asks');
      await list();
      const asked: RpcRequest[] = [];
      const controller = new AbortController();
      const slow = call('slow', { ms: 60_000 }, { controller });
      setTimeout(() => controller.abort(new Error('enough')), 20);
      await expect(slow).rejects.toThrow('enough');
      await call('ask_elicit', {}, { onServerRequest: answering(asked) });
      expect(asked).toHaveLength(way.sharesOneStream ? 0 : 1);
    });

    test('hears of it when nobody can answer', async () => {
      const { call } = world('asks');
      expect(JSON.parse(await call('ask_roots'))).toMatchObject({ error: { code: -32601 } });
    });

    test('announces changes to nobody in particular', async () => {
      const { call, unsolicited } = world('list-changes', { ms: 10 });
      const heard: RpcNotification[] = [];
      await call('slow', { ms: 50 }, { onNotification: (message) => void heard.push(message) });
      await expect.poll(() => unsolicited.length).toBeGreaterThan(1);
      expect(new Set(unsolicited.map(({ method }) => method))).toEqual(
        new Set(['notifications/tools/list_changed']),
      );
      expect(heard).toEqual([]);
    });
  });

  describe(`${name}: giving up`, () => {
    test('a cancelled call ends at once with the caller’s reason, and the server is told', async () => {
      const { call, list, received } = world('ok');
      await list();
      const before = await received('notifications/cancelled');
      const controller = new AbortController();
      const slow = call('slow', { ms: 60_000 }, { controller });
      setTimeout(() => controller.abort(new Error('enough')), 20);
      await expect(slow).rejects.toThrow('enough');
      await expect.poll(() => received('notifications/cancelled')).toBe(before + 1);
    });

    test('a call that was cancelled before it began is never sent', async () => {
      const { call, list, received } = world('ok');
      await list();
      const before = await received('tools/call');
      const controller = new AbortController();
      controller.abort(new Error('too late'));
      await expect(call('echo', { text: 'x' }, { controller })).rejects.toThrow('too late');
      expect(await received('tools/call')).toBe(before + 1);
    });

    test('a call past its deadline fails as such, and the next one is served', async () => {
      const { call, list } = world('never-call');
      expect(await failureOf(call('echo', {}, { timeoutMs: 50 }))).toBe('timeout');
      expect(await list()).toContain('echo');
    });

    test('a late answer to a call that was given up is nobody’s', async () => {
      const { call, list } = world('late', { ms: 80, on: 'tools/call' });
      expect(await failureOf(call('echo', { text: 'late' }, { timeoutMs: 20 }))).toBe('timeout');
      expect(await call('echo', { text: 'mine' })).toBe('mine');
      expect(await list()).toContain('echo');
    });

    test('no caller’s listener outlives its call', async () => {
      const { call } = world('ok');
      const controller = new AbortController();
      let listeners = 0;
      const { signal } = controller;
      const add = signal.addEventListener.bind(signal);
      const remove = signal.removeEventListener.bind(signal);
      Object.assign(signal, {
        addEventListener: (...args: Parameters<typeof add>) => {
          listeners++;
          add(...args);
        },
        removeEventListener: (...args: Parameters<typeof remove>) => {
          listeners--;
          remove(...args);
        },
      });
      await call('echo', { text: 'x' }, { controller });
      await expect.poll(() => listeners).toBe(0);
    });
  });

  describe(`${name}: a lying server`, () => {
    test('that dies fails the calls that depend on it, and is there again after a pause', async () => {
      const { call, list, pass, opened } = world('ok');
      await list();
      const slow = way.sharesOneStream ? [call('slow', { ms: 60_000 }), call('slow', { ms: 60_000 })] : [];
      const failures = await Promise.all([...slow, call('crash')].map(failureOf));
      expect(new Set(failures)).toEqual(new Set(['closed']));
      if (way.sharesOneStream) {
        expect(await failureOf(list())).toBe('paused');
        expect(opened()).toBe(1);
        pass(500);
      }
      expect(await list()).toContain('echo');
      expect(opened()).toBe(way.sharesOneStream ? 2 : 1);
    });

    test('that cannot be reached is tried again after ever longer pauses', async () => {
      const { upstream, opened, pass } = worldOf((sink) => way.openBroken(sink));
      const attempts: number[] = [];
      for (const ms of [0, 499, 1, 999, 1, 1_999, 1]) {
        pass(ms);
        await expect(upstream.ready()).rejects.toThrow(UpstreamError);
        attempts.push(opened());
      }
      expect(attempts).toEqual([1, 1, 2, 2, 3, 3, 4]);
    });

    test('that answers with too much is cut off', async () => {
      for (const kind of ['huge', 'endless'] as const) {
        const { call } = world(kind, { bytes: 3_000_000 });
        expect(await failureOf(call('echo'))).toBe('too_large');
      }
    });

    test('that answers with no JSON fails that call alone', async () => {
      const { call, list } = world('invalid-json');
      expect(await failureOf(call('echo', {}, { timeoutMs: 200 }))).toBe(
        way.sharesOneStream ? 'timeout' : 'protocol',
      );
      expect(await list()).toContain('echo');
    });

    test('that answers under other ids answers nobody', async () => {
      const { call, list } = world('wrong-id');
      const failure = await failureOf(call('echo', { text: 'x' }, { timeoutMs: 200 }));
      expect(['timeout', 'closed']).toContain(failure);
      expect(await list()).toContain('echo');
    });

    test('that answers twice is heard once', async () => {
      const { call } = world('duplicate-response');
      const texts = ['a', 'b', 'c', 'd'];
      expect(await Promise.all(texts.map((text) => call('echo', { text })))).toEqual(texts);
      expect(await call('echo', { text: 'e' })).toBe('e');
    });

    test('that breaks off half-way fails the call', async () => {
      const { call } = world('closes');
      expect(await failureOf(call('echo', { text: 'x' }))).toBe('closed');
    });

    test('that never answers its first request is given up', async () => {
      const { call } = world('never');
      expect(await failureOf(call('echo', {}, { timeoutMs: 100 }))).toBe('timeout');
    });
  });

  test(`${name}: close() fails what is under way and leaves nothing behind`, async () => {
    const before = busy();
    for (const kind of ['list-changes', 'ok'] as const) {
      const { upstream, call, list } = world(kind);
      await list();
      const pending = failureOf(call('slow', { ms: 60_000 }));
      await upstream.close();
      expect(await pending).toBe('closed');
      expect(await failureOf(list())).toBe('closed');
    }
    await expect.poll(() => busierThan(before)).toEqual([]);
  });
}
