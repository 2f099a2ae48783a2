import { expect, test } from 'vitest';
import { alice, callText, world } from '../../../test/connect-world.ts';
import { as, gatewayWorld, pictureOf } from '../../../test/gateway-world.ts';
import { stubAccounts } from '../../../test/stub-accounts.ts';
import { filledFor } from '../../access/index.ts';
import { accountAddress } from './account-address.ts';
import { accountServerFor } from './account-of.ts';

const account = { kind: 'oauth' };

function addressOf(url: string): string | null {
  const snapshot = pictureOf({ servers: { s: { type: 'http', url, account } } });
  const filled = filledFor(snapshot, snapshot.servers.get('s')!, null);
  if (!filled.ok) throw new Error('nothing is missing');
  return accountAddress(filled);
}

test.each([
  ['https://mcp.example.com/mcp?team=a', 'https://mcp.example.com/mcp?team=a'],
  ['https://mcp.example.com/${env:CANARY}/mcp', null],
  ['https://mcp.example.com/mcp?key=${env:CANARY}', null],
  ['https://mcp.example.com/mcp?key=${credential}', null],
  ['https://mcp.example.com/${credential.url:team}/mcp', null],
  ['https://mcp.example.com/$${env:CANARY}', 'https://mcp.example.com/${env:CANARY}'],
])('accounts are bound to %s as %s', (url, expected) => {
  expect(addressOf(url)).toBe(expected);
});

const servers = {
  secret: { type: 'http', url: 'http://127.0.0.1:9/${env:PATH}', displayName: 'Secret', account },
};

test('a server with a secret in its address connects nobody, and says why', async () => {
  const accounts = stubAccounts();
  const groups = { all: { servers: ['secret'] } };
  const gate = await gatewayWorld({ servers, groups, users: { [alice]: { groups: ['all'] } } }, { accounts });
  const text = await callText({ ...gate, accounts }, '/mcp/secret', 'whoami', as(alice));
  expect(text).toMatch(/address holds a key or a value of the gate’s environment/);
  expect(text).not.toMatch(/connect\?link=/);
  expect(gate.records.at(-1)).toMatchObject({ reason: 'account_address_secret' });
  expect(await gate.names('/mcp/secret', as(alice))).toEqual([]);
  expect(accountServerFor(gate.gateway.gate, null, 'secret')).toBeUndefined();
  const listed = await fetch(`${gate.url}/servers`, { headers: as(alice) });
  expect(await listed.text()).not.toContain('connectUrl');
});

test('a secret in a header keeps nobody from connecting', async () => {
  const gate = await world({ more: { headers: { 'X-Key': '${env:PATH}' } } });
  expect(await callText(gate, '/mcp/modern', 'whoami', as(alice))).toMatch(/connect\?link=/);
});
