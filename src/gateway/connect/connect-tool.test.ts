import { beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../../../test/asking-world.ts';
import {
  alice,
  bob,
  both,
  callText,
  events,
  legacySession,
  link,
  picture,
  servers,
  world,
} from '../../../test/connect-world.ts';
import type { GuardedServer } from '../../../test/fakes/guarded-server.ts';
import { as, gatewayWorld } from '../../../test/gateway-world.ts';
import { stubAccounts } from '../../../test/stub-accounts.ts';

describe.each(both)('a %s server whose users have accounts', (south) => {
  let server: GuardedServer;
  beforeEach(() => {
    server = servers[south];
  });
  const path = `/mcp/${south}`;
  const at = (user: string, tenant: string | null = null) => ({ user, tenant, server: south });

  test('shows one tool until the account is there, and then its own', async () => {
    const gate = await world();
    expect(await gate.names(path, as(alice))).toEqual(['connect_account']);
    expect(await gate.names('/mcp', as(alice))).toEqual([
      'legacy__connect_account',
      'modern__connect_account',
    ]);
    gate.accounts.connect(at(alice));
    expect(await gate.names(path, as(alice))).toEqual(['whoami']);
    expect(await gate.names('/mcp', as(alice))).toContain(`${south}__whoami`);
    gate.accounts.expire(at(alice));
    expect(await gate.names(path, as(alice))).toEqual(['connect_account']);
  });

  test('the tool answers with the link, and afterwards that the account is connected', async () => {
    const gate = await world();
    const before = (await gate.ask(path, 'tools/call', { name: 'connect_account' }, as(alice))) as Json;
    expect(before.result.isError).toBe(false);
    expect(before.result.content[0].text).toMatch(link);
    gate.accounts.connect(at(alice));
    expect(await callText(gate, path, 'connect_account', as(alice))).toContain('is connected');
    expect(server.calls).toEqual([]);
  });

  test('a server’s own tool of that name is the server’s', async () => {
    server.tools = ['connect_account'];
    const gate = await world();
    gate.accounts.connect(at(alice));
    expect(await callText(gate, path, 'connect_account', as(alice))).toBe('connect_account as Alice');
  });

  test('who may call some tools alone can connect, and still calls no others', async () => {
    const gate = await gatewayWorld(
      {
        ...picture(),
        groups: { some: { servers: { [south]: ['get_*'] } } },
        users: { [alice]: { groups: ['some'] } },
      },
      { accounts: stubAccounts() },
    );
    expect(await gate.names(path, as(alice))).toEqual(['connect_account']);
    expect(await callText({ ...gate, accounts: stubAccounts() }, path, 'connect_account', as(alice))).toMatch(
      link,
    );
    expect(await callText({ ...gate, accounts: stubAccounts() }, path, 'whoami', as(alice))).toContain(
      'There is no tool',
    );
  });

  test('whoever may not use the server is offered nothing', async () => {
    const gate = await world();
    const text = await callText(gate, path, 'connect_account', as('mallory@acme.com'));
    expect(text).toContain('There is no server');
    expect(text).not.toMatch(link);
  });

  test('whoever listens hears that the lists are other ones once the account is there', async () => {
    const gate = await world();
    const { session } = await legacySession(gate, path);
    const stop = new AbortController();
    const heard = events(
      await fetch(`${gate.url}${path}`, {
        headers: { ...session, accept: 'text/event-stream' },
        signal: stop.signal,
      }),
    );
    const next = heard.next();
    gate.accounts.connect(at(alice));
    expect((await next).value.method).toMatch(/^notifications\/\w+\/list_changed$/);
    stop.abort();
  });

  test('somebody else’s account changes nothing for those who listen', async () => {
    const gate = await world();
    const hub = gate.gateway.gate.hub;
    const told: string[] = [];
    hub.add({
      principal: (await import('../../../test/access-world.ts')).caller(alice),
      session: null,
      kinds: new Set(['tools']),
      keyOf: () => undefined,
      notify: (method) => void told.push(method),
      hears: () => false,
      check: () => Promise.resolve(),
      end: () => undefined,
    });
    gate.accounts.connect(at(bob));
    expect(told).toEqual([]);
    gate.accounts.connect(at(alice));
    expect(told).toEqual(['notifications/tools/list_changed']);
  });

  test('is shown with its state and the link by GET /servers', async () => {
    const gate = await world();
    const items = async (): Promise<Json> => {
      const response = await fetch(`${gate.url}/servers`, { headers: as(alice) });
      const { items: all } = (await response.json()) as Json;
      return all.find(({ id }: { id: string }) => id === south);
    };
    expect((await items()).account).toMatchObject({ state: 'none', connectUrl: expect.stringMatching(link) });
    gate.accounts.connect(at(alice));
    expect((await items()).account.state).toBe('connected');
    gate.accounts.expire(at(alice));
    expect((await items()).account.state).toBe('reconnect');
  });

  test('is one HTTP route until the account is there; calls are answered with the link', async () => {
    const gate = await world();
    const read = async (where: string) =>
      (await (await fetch(`${gate.url}${where}`, { headers: as(alice) })).json()) as Json;
    const pathsOf = async () => Object.keys((await read(`/tools/${south}/openapi.json`)).paths);
    expect(await pathsOf()).toEqual(['/connect_account']);
    expect(Object.keys((await read('/tools/openapi.json')).paths)).toContain(`/${south}/connect_account`);
    const post = (tool: string) => gate.post(`/tools/${south}/${tool}`, '{}', as(alice));
    const connect = await post('connect_account');
    expect([connect.status, await connect.text()]).toEqual([200, expect.stringMatching(link)]);
    const refused = await post('whoami');
    expect(refused.status).toBe(500);
    expect(((await refused.json()) as Json).detail.message).toMatch(link);
    gate.accounts.connect(at(alice));
    expect(await pathsOf()).toEqual(['/whoami']);
    expect(await (await post('whoami')).json()).toBe('whoami as Alice');
    expect(await (await post('connect_account')).text()).toContain('is connected');
  });

  test('is found by search_tools, described and called through call_tool', async () => {
    const gate = await world();
    const meta = `${path}?mode=meta`;
    const use = async (name: string, args: object) =>
      (await gate.ask(meta, 'tools/call', { name, arguments: args }, as(alice))) as Json;
    const found = await use('search_tools', { query: 'old one modern account' });
    expect(found.result.structuredContent.tools[0].name).toBe('connect_account');
    const described = await use('describe_tools', { names: ['connect_account'] });
    expect(described.result.content[0].text).toContain('inputSchema');
    const called = await use('call_tool', { name: 'connect_account', arguments: {} });
    expect(called.result.content[0].text).toMatch(link);
  });
});
