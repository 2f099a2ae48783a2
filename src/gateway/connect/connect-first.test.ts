import { beforeEach, describe, expect, test } from 'vitest';
import { type Json, messagesOf, postModern } from '../../../test/asking-world.ts';
import {
  alice,
  bob,
  both,
  events,
  legacySession,
  link,
  picture,
  servers,
  url,
  world,
} from '../../../test/connect-world.ts';
import type { GuardedServer } from '../../../test/fakes/guarded-server.ts';
import { as, gatewayWorld } from '../../../test/gateway-world.ts';
import { mergedName } from '../lists/names.ts';
import { stubAccounts } from '../../../test/stub-accounts.ts';

describe.each(both)('a %s server whose users have accounts', (south) => {
  let server: GuardedServer;
  beforeEach(() => {
    server = servers[south];
  });
  const path = `/mcp/${south}`;
  const at = (user: string, tenant: string | null = null) => ({ user, tenant, server: south });

  test('a legacy client that opens pages is asked to, waits, hears that it is done, and has its call', async () => {
    const gate = await world();
    const { call, answer } = await legacySession(gate, path);
    const stream = events(await call('whoami'));
    const asked = (await stream.next()).value;
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { mode: 'url' } });
    expect(asked.params.url).toMatch(link);
    expect(asked.params.elicitationId).toBeTruthy();
    await answer(asked.id, { action: 'accept' });
    gate.accounts.connect(at(alice));
    const complete = (await stream.next()).value;
    expect(complete).toMatchObject({
      method: 'notifications/elicitation/complete',
      params: { elicitationId: asked.params.elicitationId },
    });
    expect((await stream.next()).value.result.content[0].text).toBe('whoami as Alice');
  });

  test.each(['decline', 'cancel'])(
    'a legacy client that answers %s is told so, with the link',
    async (action) => {
      const gate = await world();
      const { call, answer } = await legacySession(gate, path);
      const stream = events(await call('whoami'));
      const asked = (await stream.next()).value;
      await answer(asked.id, { action });
      const { result } = (await stream.next()).value;
      expect(result.isError).toBe(true);
      expect(result.content[0].text).toMatch(/was declined.*connect\?link=/);
      expect(server.seen).toEqual([]);
    },
  );

  test('a legacy client that opens no pages gets the sentence', async () => {
    const gate = await world();
    const { call } = await legacySession(gate, path, { elicitation: { form: {} } });
    const [message] = await messagesOf(await call('whoami'));
    expect(message.result.content[0].text).toMatch(link);
  });

  test('a legacy client waits no longer than its time, and then gets the link', async () => {
    const accounts = stubAccounts();
    const gate = {
      ...(await gatewayWorld(picture(), { accounts, connectWaits: { streaming: 50 } })),
      accounts,
    };
    const { call, answer } = await legacySession(gate, path);
    const stream = events(await call('whoami'));
    const asked = (await stream.next()).value;
    await answer(asked.id, { action: 'accept' });
    expect((await stream.next()).value.result.content[0].text).toMatch(link);
  });

  test('a modern client that opens pages is asked to, and its retry has the call', async () => {
    const gate = await world();
    const params = { name: 'whoami', arguments: { a: 1 } };
    const [first] = await messagesOf(await postModern(gate, params, { path, capabilities: url }));
    expect(first.result.resultType).toBe('input_required');
    const [key = ''] = Object.keys(first.result.inputRequests);
    const asked = first.result.inputRequests[key];
    expect(asked).toMatchObject({ method: 'elicitation/create', params: { mode: 'url' } });
    expect(asked.params.url).toMatch(link);
    expect(asked.params).not.toHaveProperty('elicitationId');
    gate.accounts.connect(at(alice));
    const { requestState } = first.result;
    const retry = { ...params, requestState, inputResponses: { [key]: { action: 'accept' } } };
    const [second] = await messagesOf(await postModern(gate, retry, { path, capabilities: url }));
    expect(second.result.content[0].text).toBe('whoami as Alice');
    expect(server.calls).toHaveLength(1);
    expect(server.calls[0]?.params).not.toHaveProperty('requestState');
    expect(server.calls[0]?.params).not.toHaveProperty('inputResponses');
  });

  test('a modern retry waits for the account that is being connected', async () => {
    const gate = await world();
    const params = { name: 'whoami' };
    const [first] = await messagesOf(await postModern(gate, params, { path, capabilities: url }));
    const { requestState } = first.result;
    const retry = { ...params, requestState, inputResponses: { connect: { action: 'accept' } } };
    const waiting = postModern(gate, retry, { path, capabilities: url });
    setImmediate(() => gate.accounts.connect(at(alice)));
    const [second] = await messagesOf(await waiting);
    expect(second.result.content[0].text).toBe('whoami as Alice');
  });

  test('a modern retry that declines gets the sentence; one with another’s state is asked anew', async () => {
    const gate = await world();
    const params = { name: 'whoami' };
    const [first] = await messagesOf(await postModern(gate, params, { path, capabilities: url }));
    const { requestState } = first.result;
    const declining = { ...params, requestState, inputResponses: { connect: { action: 'decline' } } };
    const [declined] = await messagesOf(await postModern(gate, declining, { path, capabilities: url }));
    expect(declined.result).toMatchObject({ isError: true, resultType: 'complete' });
    expect(declined.result.content[0].text).toContain('was declined');
    const accepting = { ...params, requestState, inputResponses: { connect: { action: 'accept' } } };
    const [other] = await messagesOf(
      await postModern(gate, accepting, { path, capabilities: url, headers: as(bob) }),
    );
    expect(other.result.resultType).toBe('input_required');
    const [changed] = await messagesOf(
      await postModern(gate, { ...accepting, name: 'other' }, { path, capabilities: url }),
    );
    expect(changed.result.resultType).toBe('input_required');
  });

  test('a modern client that opens no pages gets the sentence', async () => {
    const gate = await world();
    const [message] = await messagesOf(
      await postModern(gate, { name: 'whoami' }, { path, capabilities: { elicitation: { form: {} } } }),
    );
    expect(message.result.isError).toBe(true);
    expect(message.result.content[0].text).toMatch(link);
  });

  test('a long name, which only the list of the server explains, works the same', async () => {
    const own = `find_${'very_'.repeat(10)}long_things`;
    server.tools = [own];
    const gate = await world();
    const merged = mergedName(south, own);
    const asking = { path: '/mcp', capabilities: url };
    const [first] = await messagesOf(await postModern(gate, { name: merged }, asking));
    expect(first.result.resultType).toBe('input_required');
    gate.accounts.connect(at(alice));
    const { requestState } = first.result;
    const retry = { name: merged, requestState, inputResponses: { connect: { action: 'accept' } } };
    const [second] = await messagesOf(await postModern(gate, retry, asking));
    expect(second.result.content[0].text).toBe(`${own} as Alice`);
  });

  test('a prompt works the same', async () => {
    const gate = await world();
    const asking = { path, capabilities: url, method: 'prompts/get' };
    const [first] = await messagesOf(await postModern(gate, { name: 'hello' }, asking));
    expect(first.result.resultType).toBe('input_required');
    gate.accounts.connect(at(alice));
    const { requestState } = first.result;
    const retry = { name: 'hello', requestState, inputResponses: { connect: { action: 'accept' } } };
    const [second] = await messagesOf(await postModern(gate, retry, asking));
    expect(second.result.messages[0].content.text).toBe('hello as Alice');
  });
});

test('tools that are held back stay so after connecting in the middle of a call', async () => {
  const gate = await world({ more: { pin: 'enforce' } });
  const params = { name: 'whoami' };
  const asking = { path: '/mcp/modern', capabilities: url };
  const [first] = await messagesOf(await postModern(gate, params, asking));
  gate.accounts.connect({ user: alice, tenant: null, server: 'modern' });
  const { requestState } = first.result;
  const retry = { ...params, requestState, inputResponses: { connect: { action: 'accept' } } };
  const waiting = postModern(gate, retry, asking);
  const [second] = await messagesOf(await waiting);
  expect(JSON.stringify(second)).toContain('There is no tool');
  expect(servers.modern.calls).toEqual([]);
});

test('rights that were lost while the page was open count', async () => {
  const gate = await world();
  const { call, answer } = await legacySession(gate, '/mcp/legacy');
  const stream = events(await call('whoami'));
  const asked = (await stream.next()).value;
  await answer(asked.id, { action: 'accept' });
  gate.change({ ...picture(), groups: { all: { servers: [] } } });
  gate.accounts.connect({ user: alice, tenant: null, server: 'legacy' });
  const messages: Json[] = [];
  for await (const message of stream) messages.push(message);
  expect(JSON.stringify(messages.at(-1))).not.toContain('as Alice');
  expect(servers.legacy.calls).toEqual([]);
});
