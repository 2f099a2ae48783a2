// What one session may be shown of what another one’s look has found.
import { describe, expect, test } from 'vitest';
import { credential } from '../../../test/gateway-world.ts';
import {
  acme,
  type Definition,
  lendingWorld,
  ofUser,
  own,
  tenants,
  type Who,
} from '../../../test/lending-world.ts';
import { UpstreamError } from '../connectors/contract.ts';

describe('the first look at a server that each session has to itself', () => {
  test('is shown to every other session at once, and nothing is started', async () => {
    const { pool, at } = lendingWorld();
    expect(await at({ session: 'first' }).names()).toEqual(['a']);
    for (let n = 0; n < 50; n++) {
      const one = at({ session: `s${n}`, principal: `user${n}@acme.com` });
      expect(one.peek().lists.get('tools')).toHaveLength(1);
      expect(await one.names('resources')).toEqual(['file:///of-alice']);
      expect(one.peek().hello?.instructions).toBe('You have two notes.');
    }
    expect(pool.started).toHaveLength(1);
  });

  test('is shown to programs without a session, and theirs to sessions', async () => {
    const { pool, at } = lendingWorld();
    await at({}).names();
    expect(await at({ session: 'one' }).names('resources')).toEqual(['file:///of-alice']);
    expect(await at({ principal: 'bob@acme.com' }).names('resources')).toEqual(['file:///of-alice']);
    expect(pool.started).toHaveLength(1);
  });

  test('is waited for by sessions that come meanwhile', async () => {
    const { pool, inSession, pass } = lendingWorld();
    let go = (): void => undefined;
    pool.gate = new Promise((resolve) => (go = resolve));
    const all = Array.from({ length: 20 }, (_, n) => inSession(`s${n}`).names());
    await pass(100);
    go();
    expect(new Set((await Promise.all(all)).map(String))).toEqual(new Set(['a']));
    expect(pool.started).toHaveLength(1);
  });

  test('that fails lends nothing, and those who waited for it try by themselves later', async () => {
    const { pool, inSession, pass } = lendingWorld();
    pool.failure = new UpstreamError('unreachable', 'It does not start.');
    expect(await Promise.all(['a', 'b', 'c'].map((id) => inSession(id).names()))).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
    expect(pool.started).toHaveLength(1);
    pool.failure = undefined;
    await pass(5_000);
    inSession('b').peek();
    inSession('c').peek();
    await pass(0);
    expect(await inSession('b').names()).toEqual(['a']);
    expect(await inSession('c').names()).toEqual(['a']);
    expect(pool.started).toHaveLength(2);
  });

  test('lends nothing where one of the lists could not be had', async () => {
    const { pool, inSession } = lendingWorld();
    pool.broken = 'resources/list';
    expect(await inSession('one').names()).toEqual(['a']);
    pool.broken = undefined;
    pool.tools = ['b'];
    expect(await inSession('two').names()).toEqual(['b']);
  });

  test('is done once for each way in which clients may differ', async () => {
    const { pool, at } = lendingWorld({ type: 'http', url: 'https://a.example/', isolation: 'session' });
    for (const session of ['one', 'two'])
      for (const as of [{}, { era: 'modern' as const }, { capabilities: '{"roots":{}}' }])
        await at({ session }, as).names();
    expect(pool.started).toHaveLength(3);
  });
});

describe('nobody is lent what was seen', () => {
  const key = credential('k', 'shared');
  const session = (name: string, more: Who = {}): Who => ({ session: name, ...more });
  const http: Definition = { type: 'http', url: 'https://a.example/', isolation: 'session' };
  const cases: readonly [string, Who, Who, (readonly [Definition, Definition])?][] = [
    ['in another tenant', session('a', { tenant: acme }), session('b', { tenant: tenants.get('globex')! })],
    ['without a tenant', session('a'), session('b', { tenant: acme })],
    ['with another key', session('a', { key }), session('b', { key: credential('other', 'shared') })],
    ['with an older key', session('a', { key }), session('b', { key: credential('k', 'shared', '2') })],
    ['without a key', session('a'), session('b', { key })],
    [
      'with somebody else’s own key, even if it is called the same',
      session('a', { key: credential('exchanged', 'user') }),
      session('b', { principal: 'bob@acme.com', key: credential('exchanged', 'user') }),
    ],
    ['at another address', session('a'), session('b'), [http, { ...http, url: 'https://b.example/' }]],
    ['with other headers', session('a'), session('b'), [http, { ...http, headers: { 'x-org': 'b' } }]],
    ['of another command', session('a'), session('b'), [own, { ...own, command: 'other' }]],
    ['with other arguments', session('a'), session('b'), [own, { ...own, args: ['--b'] }]],
    ['with another environment', session('a'), session('b'), [own, { ...own, env: { B: 'b' } }]],
    ['of one person, where sessions are apart', {}, session('b'), [ofUser, own]],
    ['of a server that all share', {}, {}, [{ command: 'tool' }, { command: 'tool', timeoutMs: 5_000 }]],
  ];
  test.each(cases)('%s', async (_how, first, second, [definition, other] = [own, own]) => {
    const { pool, at } = lendingWorld();
    await at(first, { definition }).names();
    pool.tools = ['b'];
    expect(await at(second, { definition: other }).names()).toEqual(['b']);
    expect(pool.started).toHaveLength(2);
  });

  test('after the server has served somebody', async () => {
    const { pool, inSession } = lendingWorld();
    const alice = inSession('alice');
    await alice.call();
    pool.tools = ['a', 'tool-made-of-her-data'];
    await alice.reload();
    expect(await alice.names()).toContain('tool-made-of-her-data');
    pool.tools = ['a'];
    expect(await inSession('bob').names()).toEqual(['a']);
    expect(pool.started).toHaveLength(2);
  });

  test('while somebody follows a resource there', async () => {
    const { pool, inSession } = lendingWorld();
    const alice = inSession('alice');
    await alice.names();
    pool.tools = ['changed'];
    pool.open.get(alice.key)!.interests.isEmpty = false;
    await alice.reload();
    expect(await inSession('bob').names()).toEqual(['a']);
  });

  test('by a process that was replaced while it was looked at', async () => {
    const { pool, inSession } = lendingWorld();
    const alice = inSession('alice');
    pool.onList = () => {
      const link = pool.open.get(alice.key)!;
      link.hello = { ...link.hello };
    };
    expect(await alice.names()).toEqual(['a']);
    pool.onList = () => undefined;
    pool.tools = ['b'];
    expect(await inSession('bob').names()).toEqual(['b']);
  });

  test('by one whose next look failed; those who were shown it keep it', async () => {
    const { pool, inSession } = lendingWorld();
    const [first, second] = [inSession('first'), inSession('second')];
    await first.names();
    await second.names();
    pool.failure = new UpstreamError('closed', 'It ended.');
    await expect(first.reload()).rejects.toThrow('It ended.');
    pool.failure = undefined;
    pool.tools = ['b'];
    expect(await inSession('third').names()).toEqual(['b']);
    expect(await inSession('fourth').names()).toEqual(['b']);
    expect(pool.started).toHaveLength(2);
  });

  test('by one whose next look found no room, which is no fault of the server', async () => {
    const { pool, inSession } = lendingWorld();
    await inSession('first').names();
    pool.failure = new UpstreamError('busy', 'No room.');
    await expect(inSession('first').reload()).rejects.toThrow('No room.');
    expect(await inSession('second').names()).toEqual(['a']);
    expect(pool.started).toHaveLength(1);
  });
});
