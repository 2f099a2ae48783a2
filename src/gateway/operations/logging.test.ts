import { afterAll, expect, test } from 'vitest';
import { startHostileHttp } from '../../../test/fakes/hostile-http.ts';
import { as, gatewayWorld } from '../../../test/gateway-world.ts';
import type { RpcNotification } from '../rpc/message.ts';
import { hears } from './logging.ts';

const http = await startHostileHttp();
afterAll(() => http.close());

const picture = {
  servers: { loud: { type: 'http', url: http.url('ok') }, far: { type: 'http', url: http.url('never') } },
  groups: { all: { servers: ['loud', 'far'] } },
  users: { 'alice@acme.com': { groups: ['all'] }, 'bob@acme.com': { groups: ['all'] } },
};
const told = () => http.stats('ok').counts['logging/setLevel'] ?? 0;

test.each(['/mcp/loud', '/mcp'])(
  'a level that a session sets at %s is its own, and told only where it changes something',
  async (path) => {
    const { post, ask } = await gatewayWorld(picture);
    await ask('/mcp/loud', 'tools/call', { name: 'echo', arguments: { text: 'x' } });
    const sessionOf = async (email: string) => {
      const params = {
        protocolVersion: '2025-11-25',
        capabilities: {},
        clientInfo: { name: 'a', version: '1' },
      };
      const answer = await post(path, { id: 0, method: 'initialize', params }, as(email));
      return { ...as(email), 'mcp-session-id': answer.headers.get('mcp-session-id')! };
    };
    const [alice, bob] = [await sessionOf('alice@acme.com'), await sessionOf('bob@acme.com')];
    const set = (level: string, headers: Record<string, string>) =>
      ask(path, 'logging/setLevel', { level }, headers);
    const before = told();
    expect((await set('warning', alice)).result).toEqual({});
    expect(told()).toBe(before + 1);
    expect((await set('error', bob)).result).toEqual({});
    expect(told()).toBe(before + 1);
    expect((await set('debug', bob)).result).toEqual({});
    expect(told()).toBe(before + 2);
    expect((await set('loud', bob)).error?.code).toBe(-32602);
  },
);

function line(level: string): RpcNotification {
  return { kind: 'notification', method: 'notifications/message', params: { level }, rawParams: undefined };
}

test.each([
  ['modern', undefined, 'emergency', false],
  ['modern', 'warning', 'info', false],
  ['modern', 'warning', 'warning', true],
  ['legacy', undefined, 'debug', true],
  ['legacy', 'error', 'warning', false],
  ['legacy', 'error', 'alert', true],
  ['legacy', 'error', 'made up', false],
] as const)('in the %s era, whoever asked for %s hears of %s: %s', (era, logLevel, level, heard) => {
  expect(hears({ era, logLevel }, line(level))).toBe(heard);
  expect(hears({ era, logLevel }, { ...line(level), method: 'notifications/progress' })).toBe(true);
});
