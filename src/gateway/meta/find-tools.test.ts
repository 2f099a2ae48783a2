import { describe, expect, test } from 'vitest';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import { call, found, numbers, picture } from '../../../test/tool-flood/meta-world.ts';

describe('search_tools', () => {
  test('finds for two people who use the same words only what each may call', async () => {
    const world = await gatewayWorld(picture());
    expect((await found(world, 'delete mail')).slice(0, 2)).toEqual(['mail__delete_mail', 'mail__send_mail']);
    expect(await found(world, 'delete mail', { as: 'bob@acme.com' })).toEqual(['mail__send_mail']);
    expect(await found(world, 'delete mail', { as: 'nobody@acme.com' })).toEqual([]);
  });

  test('finds nothing that was taken away since', async () => {
    const world = await gatewayWorld(picture());
    expect(await found(world, 'send mail', { as: 'bob@acme.com' })).toEqual(['mail__send_mail']);
    const now = picture();
    world.change({ ...now, groups: { ...now.groups, senders: { servers: { mail: ['x'] } } } });
    expect(await found(world, 'send mail', { as: 'bob@acme.com' })).toEqual([]);
  });

  test('takes plurals, misspellings, camel case and words of the server', async () => {
    const world = await gatewayWorld(picture());
    for (const query of ['createTicket', 'tickets', 'tickt', 'open a ticket'])
      expect(await found(world, query)).toContain('desk__create_ticket');
    expect((await found(world, 'post office')).sort()).toEqual(['mail__delete_mail', 'mail__send_mail']);
  });

  test('keeps to the server that was named, by id or by name, and says when there is no such one', async () => {
    const world = await gatewayWorld(picture());
    const from = async (server: string) => {
      const { structuredContent, text, isError } = await call(world, 'search_tools', { query: '', server });
      return isError ? text : structuredContent!.tools.map(({ name }) => name);
    };
    expect(await from('POST')).toEqual(['mail__delete_mail', 'mail__send_mail']);
    expect(await from('desk')).toEqual(['desk__add_numbers', 'desk__create_ticket']);
    expect(await from('secret')).toBe(
      'There is no server "secret" that you may use. Yours are: desk, mail, odd.',
    );
  });

  test('says what to try when nothing fits, and which servers cannot be listed', async () => {
    const world = await gatewayWorld(picture());
    const nothing = await call(world, 'search_tools', { query: 'zzzzqqqq' });
    expect(nothing.structuredContent).toEqual({
      tools: [],
      note: 'Nothing fits. Try other words, or an empty query with one of the servers: desk, mail, odd.',
    });
    const away = await call(world, 'search_tools', { query: 'send mail' }, { as: 'lost@acme.com' });
    expect(away.structuredContent!.note).toBe('The tools of dead cannot be listed at the moment.');
    expect(away.structuredContent!.tools).toHaveLength(2);
  });

  test('says the same as text and as structured content, with the arguments of each tool', async () => {
    const world = await gatewayWorld(picture());
    const { text, structuredContent } = await call(world, 'search_tools', { query: 'add numbers', limit: 1 });
    expect(JSON.parse(text)).toEqual(structuredContent);
    expect(structuredContent!.tools).toEqual([
      {
        name: 'desk__add_numbers',
        server: 'desk',
        description: 'Adds two numbers.',
        required: ['a'],
        optional: ['2', '10'],
      },
    ]);
  });

  test.each([
    [{ query: 5 }, '"query" must be a string: a few words for what the tool should do.'],
    [{ query: {} }, '"query" must be a string: a few words for what the tool should do.'],
  ])('answers %j with a sentence', async (args, sentence) => {
    const world = await gatewayWorld(picture());
    expect(await call(world, 'search_tools', args)).toMatchObject({ isError: true, text: sentence });
  });

  test('bears odd limits and very long questions', async () => {
    const world = await gatewayWorld(picture());
    for (const limit of [0, -1, 1.5, 1e9, 'x', '2', null, []])
      expect((await call(world, 'search_tools', { query: 'mail', limit })).isError).toBe(false);
    expect((await call(world, 'search_tools', { query: 'mail '.repeat(9_000) })).isError).toBe(false);
  });
});

describe('describe_tools', () => {
  test('returns the very bytes of tools/list', async () => {
    const world = await gatewayWorld(picture());
    const { text } = await call(
      world,
      'describe_tools',
      { names: ['add_numbers'] },
      { path: '/mcp/desk?mode=meta' },
    );
    expect(text).toBe(`{"tools":[${numbers}]}`);
    const list = await (await world.post('/mcp', { id: 1, method: 'tools/list' })).text();
    for (const name of ['desk__add_numbers', 'mail__send_mail']) {
      const one = await call(world, 'describe_tools', { names: [name] });
      expect(list).toContain(one.text.slice('{"tools":['.length, -2));
    }
  });

  test('names what comes near for names that are not the caller’s', async () => {
    const world = await gatewayWorld(picture());
    const some = await call(
      world,
      'describe_tools',
      { names: ['mail__send_mail', 'mail__delete_mail'] },
      { as: 'bob@acme.com' },
    );
    expect(JSON.parse(some.text).tools).toHaveLength(1);
    expect(JSON.parse(some.text).notFound).toEqual([
      { name: 'mail__delete_mail', closest: ['mail__send_mail'] },
    ]);
    const none = await call(
      world,
      'describe_tools',
      { names: ['mail__delete_mail'] },
      { as: 'bob@acme.com' },
    );
    expect(none).toMatchObject({
      isError: true,
      text: 'There is no tool "mail__delete_mail" that you may use. Closest: mail__send_mail. Use search_tools to find others.',
    });
  });

  test.each([
    ['one name', 'mail__send_mail', 1],
    ['a list as text', '["mail__send_mail","mail__delete_mail"]', 2],
    ['a name twice', ['mail__send_mail', 'mail__send_mail'], 1],
  ])('takes %s', async (_what, names, count) => {
    const world = await gatewayWorld(picture());
    expect(JSON.parse((await call(world, 'describe_tools', { names })).text).tools).toHaveLength(count);
  });

  test.each([[{}], [{ names: [] }], [{ names: [1] }], [{ names: '[' }], [{ names: Array(21).fill('x') }]])(
    'answers %j with a sentence',
    async (args) => {
      const world = await gatewayWorld(picture());
      const { isError, text } = await call(world, 'describe_tools', args);
      expect(isError).toBe(true);
      expect(text).toMatch(/^"names" (must be a list of tool names|may hold at most 20)/);
    },
  );
});
