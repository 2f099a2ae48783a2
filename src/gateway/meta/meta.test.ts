import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { as, gatewayWorld } from '../../../test/gateway-world.ts';
import {
  call,
  desk,
  envelope,
  found,
  mail,
  meta,
  modern,
  odd,
  picture,
} from '../../../test/tool-flood/meta-world.ts';

describe('the list', () => {
  test('is three tools on every MCP URL that says so, and all of them on the others', async () => {
    const world = await gatewayWorld(picture());
    for (const path of [
      '/mcp?mode=meta',
      '/mcp/mail?mode=meta',
      '/mcp/desk/?x=1&mode=meta',
      '/t/acme/mcp?mode=meta',
    ])
      expect(await world.names(path)).toEqual(meta);
    for (const path of ['/mcp', '/mcp?mode=all', '/mcp?mode=other'])
      expect(await world.names(path)).toHaveLength(6);
    expect(await world.names('/mcp/mail')).toEqual(['send_mail', 'delete_mail']);
  });

  test('is three tools by default when the operator says so, unless the URL says otherwise', async () => {
    const world = await gatewayWorld(picture(), { metaTools: { always: true } });
    expect(await world.names('/mcp')).toEqual(meta);
    expect(await world.names('/mcp?mode=all')).toHaveLength(6);
    expect((await call(world, 'call_tool', { name: 'mail__send_mail' }, { path: '/mcp' })).text).toBe(
      'called',
    );
  });

  test('is three tools for those who would see more than so many, but for excepted clients', async () => {
    const world = await gatewayWorld(picture(), { metaTools: { above: 1, exceptClients: ['big-client'] } });
    expect(await world.names('/mcp')).toEqual(meta);
    expect(await world.names('/mcp', as('bob@acme.com'))).toEqual(['mail__send_mail']);
    expect(await world.names('/mcp', { 'user-agent': 'Big-Client/2.1' })).toHaveLength(6);
    expect(await world.names('/mcp', { 'user-agent': 'a big-client/2.1' })).toEqual(meta);
    const info = { ...envelope, 'io.modelcontextprotocol/clientInfo': { name: 'big-client', version: '1' } };
    const list = { ...modern, 'mcp-method': 'tools/list' };
    const stated = await world.ask('/mcp', 'tools/list', { _meta: info }, list);
    expect(stated.result?.['tools']).toHaveLength(6);
    expect(stated.result?.['resultType']).toBe('complete');
  });

  test('is all of them for a session of an excepted client, in whatever process', async () => {
    const sealingKey = randomBytes(32);
    const metaTools = { always: true, exceptClients: ['big-client'] };
    const first = await gatewayWorld(picture(), { metaTools, sealingKey });
    const second = await gatewayWorld(picture(), { metaTools, sealingKey });
    const shown = async (name: string) => {
      const params = { protocolVersion: '2025-11-25', capabilities: {}, clientInfo: { name, version: '1' } };
      const begun = await first.post('/mcp', { id: 1, method: 'initialize', params });
      const session = { 'mcp-session-id': begun.headers.get('mcp-session-id')! };
      return [(await first.names('/mcp', session)).length, (await second.names('/mcp', session)).length];
    };
    expect(await shown('Big-Client 2')).toEqual([6, 6]);
    expect(await shown('Not a big-client')).toEqual([3, 3]);
  });

  test('follows the settings from one request to the next', async () => {
    const metaTools: { always: boolean; above: number | null } = { always: false, above: null };
    const world = await gatewayWorld(picture(), { metaTools });
    expect(await world.names('/mcp')).toHaveLength(6);
    metaTools.above = 5;
    expect(await world.names('/mcp')).toEqual(meta);
    metaTools.above = 6;
    expect(await world.names('/mcp')).toHaveLength(6);
  });

  test('makes the instructions short, and tells to search', async () => {
    const told = async (path: string, settings = {}) => {
      const world = await gatewayWorld(picture(), { metaTools: settings });
      // Only servers that have been met have said anything; the second look knows which era each of them speaks.
      for (const _ of [1, 2]) await world.names('/mcp?mode=all');
      const list = { ...modern, 'mcp-method': 'tools/list' };
      await world.ask('/mcp?mode=all', 'tools/list', { _meta: envelope }, list);
      const params = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'c', version: '1' },
      };
      const old = (await world.ask(path, 'initialize', params)).result?.['instructions'];
      const headers = { ...modern, 'mcp-method': 'server/discover' };
      const young = await world.ask(path, 'server/discover', { _meta: envelope }, headers);
      expect(young.result?.['instructions']).toBe(old);
      return old;
    };
    const brief = [
      'Find tools with search_tools, read about them with describe_tools, and call them with call_tool.',
      'What some of the servers say of themselves:',
      '- desk: Tickets are for ever.',
    ].join('\n');
    expect(await told('/mcp?mode=meta')).toBe(brief);
    expect(await told('/mcp', { above: 5 })).toBe(brief);
    expect(await told('/mcp', { above: 6 })).toBe('# desk\nTickets are for ever.\nThink twice.');
    expect(await told('/mcp')).toContain('Think twice.');
  });

  test('names the servers of the caller and nobody else’s', async () => {
    const world = await gatewayWorld(picture());
    const text = async (who: string) =>
      JSON.stringify((await world.ask('/mcp?mode=meta', 'tools/list', {}, as(who))).result);
    expect(await text('alice@acme.com')).toContain('Servers: desk, mail (Post), odd.');
    expect(await text('bob@acme.com')).toContain('Servers: mail (Post).');
    expect(await text('nobody@acme.com')).not.toContain('Servers:');
  });

  test('says which of the three only read', async () => {
    const world = await gatewayWorld(picture());
    const { result } = await world.ask('/mcp?mode=meta', 'tools/list');
    const tools = result?.['tools'] as { annotations: { readOnlyHint: boolean } }[];
    expect(tools.map(({ annotations }) => annotations.readOnlyHint)).toEqual([true, true, false]);
  });
});

describe('call_tool', () => {
  test.each([
    ['legacy to legacy', 'mail__send_mail', false],
    ['modern to legacy', 'mail__send_mail', true],
    ['legacy to modern', 'desk__create_ticket', false],
    ['modern to modern', 'desk__create_ticket', true],
  ])('calls the real tool: %s', async (_cell, name, isModern) => {
    const world = await gatewayWorld(picture());
    const upstream = name.startsWith('mail') ? mail : desk;
    const before = upstream.calls.length;
    const { text } = await call(world, 'call_tool', { name, arguments: { id: '1' } }, { modern: isModern });
    expect(text).toBe('called');
    expect(upstream.calls.slice(before).map((body) => JSON.parse(body).params.name)).toEqual([
      name.split('__')[1],
    ]);
    expect(world.records.at(-1)).toMatchObject({
      rpcMethod: 'tools/call',
      endpoint: '/mcp?mode=meta',
      server: name.split('__')[0],
      tool: name.split('__')[1],
      outcome: 'ok',
    });
  });

  test('passes the arguments byte for byte, as an object or as its text, and makes none up', async () => {
    const world = await gatewayWorld(picture());
    const args = '{"id":12345678901234567890, "10":1.0,"2":"\\u00e9"}';
    const send = (inner: string) =>
      world.post(
        '/mcp?mode=meta',
        `{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"_meta":{"k":1.0},"name":"call_tool","arguments":${inner}}}`,
      );
    await send(`{"arguments":${args},"name":"mail__send_mail"}`);
    expect(mail.calls.at(-1)).toContain(
      `"params":{"_meta":{"k":1.0},"name":"send_mail","arguments":${args}}`,
    );
    await send(`{"name":"mail__send_mail","arguments":${JSON.stringify(args)}}`);
    expect(mail.calls.at(-1)).toContain(`"arguments":${args}}`);
    await send('{"name":"mail__send_mail"}');
    expect(mail.calls.at(-1)).toContain('"params":{"_meta":{"k":1.0},"name":"send_mail"}');
  });

  test.each([
    [
      { name: 'mail__send_mail', id: '1' },
      'Put "id" and the tool\'s other arguments into "arguments": {"name": …, "arguments": {…}}.',
    ],
    [
      { name: 'mail__send_mail', arguments: 'send it' },
      '"arguments" must be an object with the arguments of the tool.',
    ],
    [
      { name: 'mail__send_mail', arguments: [1] },
      '"arguments" must be an object with the arguments of the tool.',
    ],
    [{ arguments: {} }, '"name" must be the name of a tool, exactly as search_tools returned it.'],
    ['x', 'call_tool needs "name" and "arguments".'],
  ])('answers %j with a sentence that a model can act on', async (args, sentence) => {
    const world = await gatewayWorld(picture());
    expect(await call(world, 'call_tool', args)).toMatchObject({ isError: true, text: sentence });
  });

  test.each([
    ['a tool that was not granted', 'bob@acme.com', 'mail__delete_mail'],
    ['a server that was not granted', 'bob@acme.com', 'desk__create_ticket'],
    ['a tool that does not exist', 'bob@acme.com', 'mail__sent_mail'],
    ['a name without a server', 'bob@acme.com', 'send_mail'],
    ['itself', 'bob@acme.com', 'call_tool'],
  ])('refuses %s alike, naming the caller’s own that come near', async (_what, who, name) => {
    const world = await gatewayWorld(picture());
    const before = [mail.calls.length, desk.calls.length];
    const { isError, text } = await call(world, 'call_tool', { name, arguments: {} }, { as: who });
    expect(isError).toBe(true);
    expect(text).toMatch(new RegExp(`^There is no tool "${name}" that you may use\\.`));
    expect(text).not.toContain('Closest: mail__delete');
    expect([mail.calls.length, desk.calls.length]).toEqual(before);
    expect(world.records.at(-1)).toMatchObject({ outcome: 'denied', reason: 'tool_not_found' });
  });

  test('refuses a tool that is held back by its pin, which is not found or described either', async () => {
    // Nothing is accepted in this world.
    const world = await gatewayWorld(picture());
    const pia = { as: 'pia@acme.com' };
    expect(await found(world, 'send mail', pia)).toEqual([]);
    expect((await call(world, 'describe_tools', { names: ['pinned__send_mail'] }, pia)).isError).toBe(true);
    const before = mail.calls.length;
    expect(await call(world, 'call_tool', { name: 'pinned__send_mail' }, pia)).toMatchObject({
      isError: true,
      text: 'There is no tool "pinned__send_mail" that you may use.',
    });
    expect(mail.calls.length).toBe(before);
  });

  test('says which key is missing, as an ordinary call does, while searching needs none', async () => {
    const world = await gatewayWorld(picture());
    const lock = { as: 'lock@acme.com' };
    expect((await call(world, 'search_tools', { query: 'shed' }, lock)).isError).toBe(false);
    const { text } = await call(world, 'call_tool', { name: 'secret__call_tool', arguments: {} }, lock);
    expect(text).toContain('needs a key that has not been set');
  });

  test('counts as one call of the limit', async () => {
    const world = await gatewayWorld(picture(), { rateLimits: { perUser: 2 } });
    const name = 'mail__send_mail';
    for (const _ of [1, 2]) expect((await call(world, 'call_tool', { name })).text).toBe('called');
    expect((await call(world, 'call_tool', { name })).text).toContain('Too many requests');
  });
});

describe('a server’s own tools of these names', () => {
  const odds = '/mcp/odd?mode=meta';

  test('give way to the gate’s, and are called through call_tool', async () => {
    const world = await gatewayWorld(picture());
    expect(
      (await call(world, 'search_tools', { query: 'shed' }, { path: odds })).structuredContent!.tools,
    ).toHaveLength(2);
    expect(odd.calls).toHaveLength(0);
    const { text } = await call(
      world,
      'call_tool',
      { name: 'search_tools', arguments: { id: '1' } },
      { path: odds },
    );
    expect(text).toBe('called');
    expect(JSON.parse(odd.calls.at(-1)!).params).toEqual({ name: 'search_tools', arguments: { id: '1' } });
  });

  test('are themselves where every tool is shown, by choice or by their number', async () => {
    const world = await gatewayWorld(picture(), { metaTools: { above: 2 } });
    const before = odd.calls.length;
    expect((await call(world, 'search_tools', { id: '1' }, { path: '/mcp/odd?mode=all' })).text).toBe(
      'called',
    );
    expect((await call(world, 'search_tools', { id: '1' }, { path: '/mcp/odd' })).text).toBe('called');
    expect(odd.calls).toHaveLength(before + 2);
    const few = await gatewayWorld(picture(), { metaTools: { above: 1 } });
    expect(
      (await call(few, 'search_tools', { query: 'shed' }, { path: '/mcp/odd' })).structuredContent,
    ).toBeDefined();
  });

  test.each([{}, { above: 6 }, { always: true, exceptClients: ['node'] }])(
    'are nothing on the merged endpoint where every tool is shown (%j)',
    async (metaTools) => {
      const world = await gatewayWorld(picture(), { metaTools });
      expect(await world.names('/mcp')).toHaveLength(6);
      for (const name of meta) {
        const { isError, text } = await call(world, name, { query: 'shed' }, { path: '/mcp' });
        expect([isError, text]).toEqual([true, `There is no tool "${name}" that you may use.`]);
      }
    },
  );
});
