import { beforeEach, describe, expect, test } from 'vitest';
import type { Json } from '../../../test/asking-world.ts';
import { alice, bob, both, callText, link, picture, servers, world } from '../../../test/connect-world.ts';
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

  test('gets each caller’s own token, as a bearer token unless a placeholder says otherwise', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    gate.accounts.connect(at(bob));
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Alice');
    expect(await callText(gate, path, 'whoami', as(bob))).toBe('whoami as Bob');
    expect(await callText(gate, '/mcp', `${south}__whoami`, as(alice))).toBe('whoami as Alice');
  });

  test('gets nothing at all from somebody without an account, who is told the link', async () => {
    const gate = await world();
    gate.accounts.connect(at(bob));
    const answer = (await gate.ask(path, 'tools/call', { name: 'whoami' }, as(alice))) as Json;
    expect(answer.result.isError).toBe(true);
    expect(answer.result.content[0].text).toMatch(link);
    expect(answer.result.content[0].text).toContain('is not connected yet');
    expect(server.seen).toEqual([]);
    expect(gate.records.at(-1)).toMatchObject({ outcome: 'no_credential', reason: 'account_needed' });
  });

  test('the answer with the link holds no token and nothing of another person', async () => {
    const gate = await world();
    gate.accounts.connect(at(bob));
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).not.toMatch(/token of|bob/);
    const [found = ''] = link.exec(text) ?? [];
    expect(found).not.toContain(alice);
  });

  test('an account that is over is to be connected again, and no less specific key takes its place', async () => {
    const gate = await world({ secrets: { [`/${south}/default`]: 'token of bob@acme.com' } });
    gate.accounts.connect(at(alice));
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Alice');
    gate.accounts.expire(at(alice), 'Its access was taken back.');
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toMatch(/has to be connected again: Its access was taken back\..*connect\?link=/);
  });

  test('without an account the tenant’s or the shared key stands in, where there is one', async () => {
    const gate = await world({ secrets: { [`/${south}/default`]: 'token of bob@acme.com' } });
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Bob');
    gate.accounts.connect(at(alice));
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Alice');
  });

  test('a renewed token goes out on the connection that is open', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    await callText(gate, path, 'whoami', as(alice));
    const greetings = () =>
      server.seen.filter(({ method }) => /^(initialize|server\/discover)$/.test(method)).length;
    const before = greetings();
    server.tokens.set('second', 'Alice anew');
    gate.accounts.renew(at(alice), 'second');
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Alice anew');
    expect(greetings()).toBe(before);
  });

  test('a token that the server refuses is tried once more when there is another one', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    await callText(gate, path, 'whoami', as(alice));
    server.tokens.delete('token of alice@acme.com');
    server.tokens.set('second', 'Alice anew');
    gate.accounts.onRefused = () => {
      gate.accounts.renew(at(alice), 'second');
      return true;
    };
    expect(await callText(gate, path, 'whoami', as(alice))).toBe('whoami as Alice anew');
    expect(gate.accounts.refused).toEqual(['token of alice@acme.com']);
    expect(server.calls).toHaveLength(2);
  });

  test('a token that turns out to be over in the middle of a call leads to the link', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    await callText(gate, path, 'whoami', as(alice));
    server.tokens.clear();
    gate.accounts.onRefused = () => {
      gate.accounts.expire(at(alice));
      return true;
    };
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toMatch(/has to be connected again.*connect\?link=/);
  });

  test('a token that cannot be replaced leads to the link, too', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    await callText(gate, path, 'whoami', as(alice));
    server.tokens.clear();
    gate.accounts.onRefused = () => {
      gate.accounts.expire(at(alice), 'Its access was taken back.');
      return false;
    };
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toMatch(/Its access was taken back\..*connect\?link=/);
  });

  test('the second token that is refused is told, too, and not tried a third time', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    await callText(gate, path, 'whoami', as(alice));
    server.tokens.clear();
    gate.accounts.onRefused = (_place, token) => {
      if (token === 'second') gate.accounts.expire(at(alice), 'Its access was taken back.');
      else gate.accounts.renew(at(alice), 'second');
      return true;
    };
    expect(await callText(gate, path, 'whoami', as(alice))).toContain('Its access was taken back.');
    expect(gate.accounts.refused).toEqual(['token of alice@acme.com', 'second']);
  });

  test('a key of the organisation that is refused is nothing that the person could mend', async () => {
    const gate = await world({ secrets: { [`/${south}/default`]: 'refused' } });
    const text = await callText(gate, path, 'whoami', as(alice));
    expect(text).toContain('refused the gate’s credential');
  });

  test('a server that goes on refusing is asked twice and no more', async () => {
    const gate = await world();
    gate.accounts.connect(at(alice));
    await callText(gate, path, 'whoami', as(alice));
    server.tokens.clear();
    server.seen.length = 0;
    gate.accounts.onRefused = () => true;
    expect(await callText(gate, path, 'whoami', as(alice))).toContain('refused the gate’s credential');
    expect(server.seen.filter(({ method }) => method === 'tools/call')).toHaveLength(2);
  });

  test('a program is told that a person is needed', async () => {
    const gate = await gatewayWorld({
      ...picture(),
      users: { 'service:ci': { groups: ['all'] } },
    });
    const { result } = (await gate.ask(path, 'tools/call', { name: 'whoami' }, as('service:ci'))) as Json;
    expect(result.content[0].text).toContain('works with the accounts of people');
    expect(result.content[0].text).not.toMatch(link);
    expect(await gate.names(path, as('service:ci'))).toEqual([]);
  });
});

test('a placeholder says where the token stands, and other headers stay', async () => {
  const headers = { 'X-Token': 'it is ${credential}', Authorization: 'Bearer fixed' };
  const gate = await world({ more: { headers } });
  servers.legacy.tokens.set('fixed', 'nobody in particular');
  gate.accounts.connect({ user: alice, tenant: null, server: 'legacy' });
  expect(await callText(gate, '/mcp/legacy', 'whoami', as(alice))).toBe('whoami as nobody in particular');
});

test('an account is the active tenant’s: in another tenant it is not there', async () => {
  const accounts = stubAccounts();
  const gate = {
    ...(await gatewayWorld(
      {
        ...picture(),
        tenants: { acme: {}, bolt: {} },
        groups: { all: { servers: ['legacy'] }, a: { tenant: 'acme' }, b: { tenant: 'bolt' } },
        users: { [alice]: { groups: ['all', 'a', 'b'] } },
      },
      { accounts },
    )),
    accounts,
  };
  accounts.connect({ user: alice, tenant: 'acme', server: 'legacy' });
  expect(await callText(gate, '/t/acme/mcp/legacy', 'whoami', as(alice))).toBe('whoami as Alice');
  expect(await callText(gate, '/t/bolt/mcp/legacy', 'whoami', as(alice))).toMatch(link);
});
