// Parked calls of clients that mean harm, or lose their connections at the worst moment.
import { expect, test } from 'vitest';
import { askedIn, node, retry, serverAtWork } from '../../../test/parked-world.ts';

test('a retry that comes once more is told the same, and the server is asked nothing anew', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  const answered = server.ask('Delete?');
  const { requestState } = askedIn(await server.response);
  const first = retry(parked, requestState, { q1: { action: 'decline' } });
  await answered;
  server.answer('kept');
  expect(await first).toMatchObject({ response: { result: { text: 'kept' } } });
  // Another answer comes too late: the first one has been given.
  const second = await retry(parked, requestState, { q1: { action: 'accept' } });
  expect(second).toMatchObject({ response: { result: { text: 'kept' } } });
  const { id } = parked.readState(requestState)!;
  expect(parked.find(id, 'bob', 'd')).toBeUndefined();
  expect(parked.size).toBe(0);
});

test('of answers that are too large only that they were given is kept', async () => {
  const { parked } = await node({ keptBytes: 100 });
  const server = serverAtWork(parked);
  const answered = server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const first = retry(parked, requestState, { q1: {} });
  await answered;
  server.answer('x'.repeat(200));
  expect(await first).toHaveProperty('response');
  expect(await retry(parked, requestState, { q1: {} })).toMatchObject({ error: { kind: 'too_large' } });
});

test('a client that comes back again and again without answers does not keep a call for ever', async () => {
  const { parked } = await node({ mostRounds: 3 });
  const server = serverAtWork(parked);
  void server.ask('Who?');
  let { requestState } = askedIn(await server.response);
  for (let round = 2; round <= 3; round++) {
    const settled = await retry(parked, requestState, {});
    if (!('response' in settled)) throw settled.error;
    ({ requestState } = askedIn(settled.response));
  }
  expect(await retry(parked, requestState, {})).toMatchObject({ error: { kind: 'cancelled' } });
  expect([server.controller.signal.aborted, parked.size]).toEqual([true, 0]);
});

test('a client that was gone before it could read the question leaves nothing behind', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  void server.ask('Who?');
  await server.response;
  server.controller.abort(new Error('the client is gone'));
  await expect.poll(() => parked.size).toBe(0);
});

test('a call whose caller has lost the right to it ends at its server', async () => {
  const { parked } = await node({ recheckMs: 5 });
  let isAllowed = true;
  const server = serverAtWork(parked, { isAllowed: () => isAllowed });
  void server.ask('Who?');
  await server.response;
  expect(parked.size).toBe(1);
  isAllowed = false;
  await expect.poll(() => parked.size).toBe(0);
  expect(server.controller.signal.aborted).toBe(true);
});

test('what is kept of all calls together is bounded', async () => {
  const { parked } = await node({ mostKept: 1_000, mostPerPrincipal: 100 });
  const small = serverAtWork(parked, { rawParams: '{"a":1}' });
  void small.ask('1');
  askedIn(await small.response);
  const large = serverAtWork(parked, { rawParams: `{"a":"${'x'.repeat(1_000)}"}` });
  expect(await large.ask('2')).toMatchObject({ rawError: expect.stringContaining('Too many') });
  const talkative = serverAtWork(parked);
  expect(await talkative.ask('x'.repeat(1_000))).toMatchObject({
    rawError: expect.stringContaining('Too many'),
  });
  // It is parked all the same, and may ask something shorter.
  void talkative.ask('3');
  expect(Object.keys(askedIn(await talkative.response).inputRequests)).toEqual(['q1']);
});

test('answers under keys that were not asked, or that every object has, reach nobody', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  void server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const wrong = JSON.parse('{"__proto__":{"n":1},"constructor":{"n":2},"q2":{"n":3},"toString":{}}');
  const settled = await retry(parked, requestState, wrong);
  if (!('response' in settled)) throw settled.error;
  expect(Object.keys(askedIn(settled.response).inputRequests)).toEqual(['q1']);
});
