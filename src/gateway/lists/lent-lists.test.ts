// What becomes of lists that were lent.
import { describe, expect, test } from 'vitest';
import { credential } from '../../../test/gateway-world.ts';
import { lendingWorld, ofUser, own, type Who } from '../../../test/lending-world.ts';
import { UpstreamError } from '../connectors/contract.ts';

const inAnHour = 3_600_000;

describe('where each person has a server alone', () => {
  const bob: Who = { principal: 'bob@acme.com' };
  const carol: Who = { principal: 'carol@acme.com' };

  /** Alice's and Bob's were looked at, and showed the same tools. */
  async function seen(definition = ofUser) {
    const one = lendingWorld(definition);
    for (const who of [{}, bob]) expect(await one.at(who).names()).toEqual(['a']);
    expect(one.pool.started.splice(0)).toHaveLength(2);
    return one;
  }

  test('only its tools and what it can do are lent: what else it shows may be about its owner', async () => {
    const { pool, at } = await seen();
    expect(await at(carol).names()).toEqual(['a']);
    const { hello, lists } = at(carol).peek();
    expect([...lists.keys()]).toEqual(['tools', 'prompts']);
    expect(hello).toEqual({
      ...{ era: 'legacy', protocolVersion: '2025-11-25', capabilities: { tools: {}, resources: {} } },
      ...{ serverInfo: undefined, instructions: undefined },
    });
    expect(pool.started).toEqual([]);
  });

  test('asking for its resources starts it, and shows one’s own', async () => {
    const { pool, at } = await seen();
    await at(carol).names();
    pool.resources = ['file:///of-carol'];
    expect(await at(carol).names('resources')).toEqual(['file:///of-carol']);
    expect(await at(carol).names('templates')).toEqual([]);
    expect(pool.started).toHaveLength(1);
  });

  test('one that does not start when it is asked for them is asked again after a pause', async () => {
    const { pool, at, pass } = await seen();
    pool.failure = new UpstreamError('unreachable', 'It does not start.');
    for (let n = 0; n < 5; n++) expect(await at(carol).names('resources')).toBeUndefined();
    expect(await at(carol).names()).toEqual(['a']);
    expect(pool.started).toHaveLength(1);
    pool.failure = undefined;
    await pass(5_000);
    at(carol).peek('resources');
    await pass(0);
    expect(await at(carol).names('resources')).toEqual(['file:///of-alice']);
  });

  test('tools that only one person’s shows are shown to nobody else, whoever looks first or last', async () => {
    const { pool, at } = lendingWorld(ofUser);
    pool.tools = ['a', 'made-by-alice'];
    await at({}).names();
    pool.tools = ['a'];
    expect(await at(bob).names()).toEqual(['a']);
    pool.tools = ['a', 'made-by-alice'];
    await at({}).reload();
    pool.tools = ['a'];
    for (const who of ['carol', 'dave', 'erin'])
      expect(await at({ principal: `${who}@acme.com` }).names()).toEqual(['a']);
    await at({}).reload();
    pool.tools = ['a', 'made-by-alice'];
    await at({}).reload();
    await at({}).reload();
    expect(await at({ principal: 'frank@acme.com' }).names()).toEqual(['a']);
  });

  test('tools of a newer version are shown once two people’s have them', async () => {
    const { pool, at } = await seen();
    pool.tools = ['b'];
    await at({}).reload();
    expect(await at(carol).names()).toEqual(['a']);
    await at(bob).reload();
    expect(await at(carol).names()).toEqual(['b']);
  });

  test('the same holds for sessions whose processes have a directory, but for those of one person', async () => {
    const definition = { ...own, args: ['--notes', '${dataDir}'] };
    const { pool, at, inSession } = lendingWorld(definition);
    pool.tools = ['made-by-alice'];
    await inSession('one').names();
    expect(await inSession('two').names()).toEqual(['made-by-alice']);
    expect(pool.started).toHaveLength(1);
    pool.tools = ['a'];
    expect(await at({ ...bob, session: 'three' }).names()).toEqual(['a']);
    pool.resources = ['file:///of-two'];
    expect(await inSession('two').names('resources')).toEqual(['file:///of-two']);
    expect(pool.started).toHaveLength(3);
  });
});

describe('whoever is shown what was lent', () => {
  test('sees the lists of the own server once it was called, and is told of what differs', async () => {
    const { pool, told, inSession } = lendingWorld();
    await inSession('one').names();
    const two = inSession('two');
    await two.names();
    told.length = 0;
    pool.tools = ['a', 'b'];
    await two.call();
    expect(told).toEqual([['session:two', ['tools']]]);
    expect(await two.names()).toEqual(['a', 'b']);
    expect(await inSession('three').names()).toEqual(['a']);
    expect(pool.started).toHaveLength(2);
  });

  test('is told nothing where the own server shows the same', async () => {
    const { told, inSession } = lendingWorld();
    await inSession('one').names();
    const two = inSession('two');
    await two.names();
    told.length = 0;
    await two.call();
    expect(two.peek().lent).toBeUndefined();
    expect(told).toEqual([]);
  });

  test('asks again when the first try to see its own lists failed', async () => {
    const { pool, inSession, pass } = lendingWorld();
    await inSession('one').names();
    const two = inSession('two');
    await two.names();
    pool.broken = 'tools/list';
    await two.call();
    pool.broken = undefined;
    pool.tools = ['b'];
    await pass(5_000);
    two.peek();
    await pass(0);
    expect(await two.names()).toEqual(['b']);
  });

  test('hears at once what the own server announces to another process', async () => {
    const { store, inSession } = lendingWorld();
    await inSession('one').names();
    const two = inSession('two');
    await two.names();
    expect(store.changed(two.key, ['tools'])).toBe(false);
    await two.call();
    expect(store.changed(two.key, ['tools'])).toBe(true);
  });

  test('has the server asked by whoever wants to know for certain', async () => {
    const { pool, store, inSession } = lendingWorld();
    await inSession('one').names();
    pool.tools = ['b'];
    await inSession('two').reload();
    expect(await inSession('two').names()).toEqual(['b']);
    const three = inSession('three').peek();
    expect(three.lists.get('tools')?.map(({ key }) => key)).toEqual(['b']);
    await store.own(three);
    expect(pool.started).toHaveLength(3);
    await store.own(three);
    expect(pool.started).toHaveLength(3);
  });
});

describe('what is lent', () => {
  test('is looked at anew after an hour by one, while the others go on', async () => {
    const { pool, told, inSession, pass } = lendingWorld();
    const all = Array.from({ length: 20 }, (_, n) => inSession(`s${n}`));
    for (const one of all) await one.names();
    for (const one of all) one.rest();
    for (let minute = 1; minute < 60; minute++) {
      await pass(60_000);
      for (const one of all) one.peek();
    }
    expect(pool.started).toHaveLength(1);
    pool.tools = ['b'];
    await pass(120_000);
    told.length = 0;
    expect(all.map((one) => one.peek().lists.get('tools')![0]!.key)).toEqual(Array(20).fill('a'));
    await pass(0);
    expect(pool.started).toHaveLength(2);
    for (const one of all) expect(await one.names()).toEqual(['b']);
    expect(told).toHaveLength(20);
    expect(pool.started).toHaveLength(2);
  });

  test('is looked at once a minute where that fails, and shown on', async () => {
    const { pool, inSession, pass } = lendingWorld();
    await inSession('first').names();
    inSession('first').rest();
    const all = Array.from({ length: 20 }, (_, n) => inSession(`s${n}`));
    for (const one of all) await one.names();
    await pass(inAnHour);
    pool.failure = new UpstreamError('unreachable', 'It does not start.');
    for (let second = 0; second < 120; second++) {
      for (const one of all) expect(await one.names()).toEqual(['a']);
      await pass(1_000);
    }
    expect(pool.started.length).toBeLessThanOrEqual(4);
  });

  test('is replaced by what the next fresh look finds', async () => {
    const { pool, inSession } = lendingWorld();
    await inSession('one').names();
    pool.tools = ['b'];
    await inSession('two').reload();
    expect(await inSession('three').names()).toEqual(['b']);
  });

  test('replaces what a session saw whose process is long gone', async () => {
    const { pool, inSession, pass, at } = lendingWorld();
    const one = inSession('one');
    await one.call();
    pool.tools = ['a', 'of-the-process'];
    await one.reload();
    one.rest();
    await pass(inAnHour);
    pool.tools = ['b'];
    await at({ session: 'two' }).names();
    expect(pool.started).toHaveLength(2);
    one.peek();
    await pass(0);
    expect(await one.names()).toEqual(['b']);
    expect(pool.started).toHaveLength(2);
  });
});

test('equal lists of a thousand people are one list', async () => {
  const { at } = lendingWorld({
    type: 'http',
    url: 'https://a.example/',
    headers: { authorization: '${credential}' },
  });
  const lists = new Set<unknown>();
  const greetings = new Set<unknown>();
  for (let n = 0; n < 1_000; n++) {
    const one = at({ principal: `p${n}@acme.com`, key: credential(`k${n}`, 'user') });
    await one.names();
    lists.add(one.peek().lists.get('tools'));
    greetings.add(one.peek().hello);
  }
  expect([lists.size, greetings.size]).toEqual([1, 1]);
});
