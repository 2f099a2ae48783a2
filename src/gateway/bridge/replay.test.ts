// Two data planes of one installation: retries on the other one.
import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import {
  ann,
  askModern,
  begun,
  legacy,
  messagesOf,
  picture,
  postModern,
  prefix,
  textIn,
} from '../../../test/asking-world.ts';
import { gatewayWorld } from '../../../test/gateway-world.ts';
import { memoryTransport } from '../../platform/bus/memory.ts';

async function pair() {
  const shared = { sealingKey: randomBytes(32), transport: memoryTransport() };
  const limits = { bridgeLimits: { takeOverMs: 200, pingMs: 50, silenceMs: 200 } };
  return [
    await gatewayWorld(picture(), { ...shared, ...limits }),
    await gatewayWorld(picture(), { ...shared, ...limits }),
  ] as const;
}

test('a retry on the other one continues the call that the first has open', async () => {
  const [a, b] = await pair();
  const before = legacy.calls.length;
  const { retryParams } = await begun(a, { name: 'ask_form' }, { meta: { progressToken: 'a' } });
  const messages = await messagesOf(
    await postModern(b, retryParams(), { meta: { progressToken: 'b', [`${prefix}logLevel`]: 'info' } }),
  );
  expect(messages.map(({ method, params }) => [method, params?.progressToken])).toEqual([
    ['notifications/progress', 'b'],
    ['notifications/message', undefined],
    [undefined, undefined],
  ]);
  expect(textIn(messages.at(-1))).toContain('Ann');
  expect(legacy.calls.slice(before)).toEqual(['ask_form']);
  expect(a.gateway.gate.parked.size).toBe(0);
});

test('when the first is dead the call is made again, and answered from what the client brought', async () => {
  const [a, b] = await pair();
  const before = legacy.calls.length;
  const one = await begun(a, { name: 'ask_steps' });
  const second = await askModern(a, one.retryParams());
  const [key] = Object.keys(second.result.inputRequests);
  await a.gateway.gate.bus.close();
  const done = await askModern(b, {
    name: 'ask_steps',
    requestState: second.result.requestState,
    inputResponses: { [key!]: { action: 'cancel' } },
  });
  // The answer of the first round came along in the state.
  expect(JSON.parse(textIn(done))).toEqual([ann, { action: 'cancel' }]);
  expect(legacy.calls.slice(before)).toEqual(['ask_steps', 'ask_steps']);
});
