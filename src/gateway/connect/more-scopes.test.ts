import { beforeEach, describe, expect, test } from 'vitest';
import { type Json, messagesOf, postModern } from '../../../test/asking-world.ts';
import {
  alice,
  both,
  callText,
  events,
  legacySession,
  link,
  servers,
  url,
  world,
} from '../../../test/connect-world.ts';
import { linkNamed, signedIn, world as pages } from '../../../test/connect-pages.ts';
import type { GuardedServer } from '../../../test/fakes/guarded-server.ts';
import { as } from '../../../test/gateway-world.ts';

const narrow = 'token of alice@acme.com';
const wide = 'wide';

describe.each(both)('a %s server that wants further permissions for a call', (south) => {
  let server: GuardedServer;
  beforeEach(() => {
    server = servers[south];
    server.tokens.set(wide, 'Alice with more');
    server.lacking.set(narrow, 'notes:read notes:write');
  });
  const path = `/mcp/${south}`;
  const at = { user: alice, tenant: null, server: south };

  async function connected(o: Parameters<typeof world>[0] = {}) {
    const gate = await world(o);
    gate.accounts.connect(at, narrow, ['notes:read']);
    const scopesIn = (text: string) => {
      const sealed = new URL(link.exec(text)![0]).searchParams.get('link')!;
      return gate.gateway.gate.connect.links.open(sealed)?.place.scopes;
    };
    return { ...gate, scopesIn };
  }

  test('answers the call with a link for what is missing, and serves other calls on', async () => {
    const gate = await connected();
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toMatch(/asks for further permissions: notes:write\..*connect\?link=/);
    expect(gate.scopesIn(text)).toEqual(['notes:write']);
    expect(gate.records.at(-1)).toMatchObject({ outcome: 'no_credential', reason: 'account_needed' });
    expect(server.calls).toEqual([]);
    server.lacking.clear();
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Alice');
  });

  test('is heard whatever the body of its refusal is', async () => {
    const gate = await connected();
    server.refusalBody = '{"jsonrpc":"2.0","id":null,"error":{"code":-32000,"message":"no"}}';
    expect(await callText(gate, path, 'whoami', as(alice))).toMatch(link);
  });

  test('a legacy client waits for the wider account, and has its call', async () => {
    const gate = await connected();
    const { call, answer } = await legacySession(gate, path);
    const stream = events(await call('whoami'));
    const asked = (await stream.next()).value;
    expect(asked.params.message).toContain('notes:write');
    await answer(asked.id, { action: 'accept' });
    gate.accounts.connect(at, wide, ['notes:read', 'notes:write']);
    expect((await stream.next()).value).toMatchObject({ method: 'notifications/elicitation/complete' });
    expect((await stream.next()).value.result.content[0].text).toBe('whoami as Alice with more');
    expect(server.calls).toHaveLength(1);
  });

  test('a modern client’s retry waits for the wider account, and is then the call', async () => {
    const gate = await connected();
    const params = { name: 'whoami' };
    const [first] = await messagesOf(await postModern(gate, params, { path, capabilities: url }));
    expect(first.result.inputRequests.connect.params.message).toContain('notes:write');
    const { requestState } = first.result;
    const retry = { ...params, requestState, inputResponses: { connect: { action: 'accept' } } };
    const waiting = postModern(gate, retry, { path, capabilities: url });
    setImmediate(() => gate.accounts.connect(at, wide, ['notes:read', 'notes:write']));
    const [second] = await messagesOf(await waiting);
    expect(second.result.content[0].text).toBe('whoami as Alice with more');
    expect(server.calls).toHaveLength(1);
    expect(server.calls[0]?.params).not.toHaveProperty('requestState');
  });

  test('a modern retry that declines is told so, and nothing is sent', async () => {
    const gate = await connected();
    const params = { name: 'whoami' };
    const [first] = await messagesOf(await postModern(gate, params, { path, capabilities: url }));
    const calls = () => server.seen.filter(({ method }) => method === 'tools/call').length;
    const before = calls();
    const { requestState } = first.result;
    const retry = { ...params, requestState, inputResponses: { connect: { action: 'decline' } } };
    const [second] = await messagesOf(await postModern(gate, retry, { path, capabilities: url }));
    expect(second.result.content[0].text).toMatch(/was declined/);
    expect(calls()).toBe(before);
  });

  test('who was asked and still lacks something is not asked again in the same call', async () => {
    const gate = await connected();
    server.lacking.set(wide, 'notes:everything');
    const { call, answer } = await legacySession(gate, path);
    const stream = events(await call('whoami'));
    const asked = (await stream.next()).value;
    await answer(asked.id, { action: 'accept' });
    gate.accounts.connect(at, wide, ['notes:read', 'notes:write']);
    await stream.next();
    const { result } = (await stream.next()).value;
    expect(result.content[0].text).toContain('wants further permissions for this (HTTP 403)');
    expect((await stream.next()).done).toBe(true);
  });

  test('nobody is asked for what was granted already', async () => {
    const gate = await connected();
    gate.accounts.connect(at, narrow, ['notes:read', 'notes:write']);
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toContain('wants further permissions for this (HTTP 403)');
    expect(text).not.toMatch(link);
  });

  test('the same is asked for three times an hour and no more', async () => {
    const gate = await connected();
    for (let times = 0; times < 3; times += 1)
      expect(await callText(gate, path, 'whoami', as(alice))).toMatch(link);
    expect(await callText(gate, path, 'whoami', as(alice))).not.toMatch(link);
    server.lacking.set(narrow, 'notes:other');
    expect(await callText(gate, path, 'whoami', as(alice))).toMatch(link);
  });

  test.each([
    ['too many', Array.from({ length: 60 }, (_, i) => `scope:${i}`).join(' '), 20],
    ['too long', Array.from({ length: 20 }, (_, i) => `${i}`.padEnd(150, 'x')).join(' '), 0],
  ])('scopes that are %s are not all asked for', async (_what, scopes, many) => {
    const gate = await connected();
    server.lacking.set(narrow, scopes);
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(link.test(text) ? gate.scopesIn(text)?.length : 0).toBe(many);
  });

  test('nothing beyond the operator’s list is asked for', async () => {
    const gate = await connected({ account: { kind: 'oauth', scopes: ['notes:read', 'notes:write'] } });
    server.lacking.set(narrow, 'notes:write notes:delete');
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(gate.scopesIn(text)).toEqual(['notes:write']);
    server.lacking.set(narrow, 'notes:delete');
    expect(await callText(gate, path, 'whoami', as(alice))).not.toMatch(link);
  });

  test('a key of the organisation that lacks permissions is nothing that the person could mend', async () => {
    const gate = await world({ secrets: { [`/${south}/default`]: narrow } });
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toContain('wants further permissions');
    expect(text).not.toMatch(link);
  });
});

test('the page says which further permissions are asked for, before anybody is sent to allow them', async () => {
  const { accounts, gate } = await pages();
  const client = await signedIn(alice);
  const scopes = ['notes:write', '<b>all</b>'];
  const made = gate.connect.links.urlFor({ user: alice, tenant: null, server: 'github', scopes });
  const shown = await client.get(new URL(made).pathname + new URL(made).search);
  expect(shown.status).toBe(200);
  expect(shown.text).toContain('GitHub asks for further permissions');
  expect(shown.text).toContain('notes:write');
  expect(shown.text).not.toContain('<b>all');
  expect(accounts.begun).toEqual([]);
  expect((await client.get(linkNamed(shown, 'Go on'))).status).toBe(303);
  expect(accounts.begun).toMatchObject([{ user: alice, further: scopes }] satisfies Json[]);
});
