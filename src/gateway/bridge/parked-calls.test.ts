import { expect, test } from 'vitest';
import { askedIn, node, question, retry, serverAtWork } from '../../../test/parked-world.ts';
import { questionDigest } from './questions.ts';

test('a call without questions leaves nothing behind', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  server.say('notifications/progress');
  server.answer('done');
  expect((await server.response).result).toEqual({ text: 'done' });
  expect(server.heard).toEqual(['notifications/progress']);
  expect(parked.size).toBe(0);
});

test('a question comes back as input_required, its answer reaches the server, and the result the retry', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  const answered = server.ask('Who?');
  const { inputRequests, requestState } = askedIn(await server.response);
  expect(inputRequests).toEqual({ q1: { method: 'elicitation/create', params: { message: 'Who?' } } });
  server.say('notifications/message');
  const heard: string[] = [];
  const settled = retry(parked, requestState, { q1: { action: 'accept' } }, heard);
  expect(await answered).toEqual({ rawResult: '{"action":"accept"}' });
  server.say('notifications/progress');
  server.answer('done');
  expect(await settled).toMatchObject({ response: { result: { text: 'done' } } });
  // What was said while nobody was there is not kept.
  expect([server.heard, heard]).toEqual([[], ['notifications/progress']]);
  expect(parked.size).toBe(0);
});

test('questions asked at once travel together, and one that was left unanswered is asked again', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  const [first, second] = [server.ask('One?'), server.ask('Two?')];
  const asked = askedIn(await server.response);
  expect(Object.keys(asked.inputRequests)).toEqual(['q1', 'q2']);
  const settled = await retry(parked, asked.requestState, { q2: { n: 2 } });
  expect(await second).toEqual({ rawResult: '{"n":2}' });
  if (!('response' in settled)) throw settled.error;
  const again = askedIn(settled.response);
  expect(Object.keys(again.inputRequests)).toEqual(['q1']);
  const last = retry(parked, again.requestState, { q1: { n: 1 } });
  expect(await first).toEqual({ rawResult: '{"n":1}' });
  server.answer('done');
  expect(await last).toMatchObject({ response: { result: { text: 'done' } } });
});

test('a result that comes while nobody waits is kept for the retry, if it is not too large', async () => {
  const { parked } = await node({ keptBytes: 100 });
  for (const [text, outcome] of [
    ['done', { response: { result: { text: 'done' } } }],
    ['x'.repeat(200), { error: { kind: 'too_large' } }],
  ] as const) {
    const server = serverAtWork(parked);
    const answered = server.ask('Who?');
    const { requestState } = askedIn(await server.response);
    server.answer(text);
    expect(await answered).toHaveProperty('rawError');
    expect(await retry(parked, requestState, {})).toMatchObject(outcome);
  }
  expect(parked.size).toBe(0);
});

test('a call that nobody continues is cancelled at the server', async () => {
  const { parked } = await node({ parkedMs: 30 });
  const server = serverAtWork(parked);
  void server.ask('Who?');
  askedIn(await server.response);
  await expect.poll(() => server.controller.signal.aborted).toBe(true);
  expect(parked.size).toBe(0);
});

test('a client that goes while its retry waits ends the call at the server', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  void server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const settled = retry(parked, requestState, { q1: {} });
  const state = parked.readState(requestState)!;
  parked.find(state.id, 'alice', 'd')!.cancel(new Error('the client is gone'));
  expect(await settled).toMatchObject({ error: { message: 'the client is gone' } });
  expect([server.controller.signal.aborted, parked.size]).toEqual([true, 0]);
});

test('a later retry takes the place of an earlier one', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  void server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const earlier = retry(parked, requestState, { q1: {} });
  const later = retry(parked, requestState, { q1: {} });
  expect(await earlier).toMatchObject({ error: { kind: 'cancelled' } });
  server.answer('done');
  expect(await later).toMatchObject({ response: { result: { text: 'done' } } });
});

test('nobody finds a call under another name or for another request', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  void server.ask('Who?');
  const { id } = parked.readState(askedIn(await server.response).requestState)!;
  expect(parked.find(id, 'alice', 'd')).toBeDefined();
  expect(parked.find(id, 'bob', 'd')).toBeUndefined();
  expect(parked.find(id, 'alice', 'e')).toBeUndefined();
  expect(parked.readState('made up')).toBeUndefined();
});

test('what the client did not declare is refused at once, and nothing is parked for it', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  expect(await server.asks(question('Say', 'sampling/createMessage'))).toMatchObject({
    rawError: expect.stringContaining('-32601'),
  });
  expect(parked.size).toBe(0);
  void server.ask('Who?');
  expect(await server.asks(question('Say', 'sampling/createMessage'))).toHaveProperty('rawError');
  expect(Object.keys(askedIn(await server.response).inputRequests)).toEqual(['q1']);
});

test('without room the server gets an error, and those who are there keep their places', async () => {
  const { parked } = await node({ mostParked: 3, mostPerPrincipal: 2 });
  const [a, b, c, d, e] = ['alice', 'alice', 'alice', 'bob', 'carol'].map((principal) =>
    serverAtWork(parked, { principal }),
  );
  void a!.ask('1');
  void b!.ask('2');
  expect(await c!.ask('3')).toMatchObject({ rawError: expect.stringContaining('Too many') });
  void d!.ask('4');
  expect(await e!.ask('5')).toMatchObject({ rawError: expect.stringContaining('Too many') });
  c!.answer('without');
  expect((await c!.response).result).toEqual({ text: 'without' });
  const settled = retry(parked, askedIn(await a!.response).requestState, { q1: {} });
  a!.answer('done');
  await settled;
  const next = serverAtWork(parked);
  void next.ask('6');
  askedIn(await next.response);
});

test('a server cannot ask without end', async () => {
  const { parked } = await node({ mostQuestions: 2, mostRounds: 1 });
  const server = serverAtWork(parked);
  void server.ask('1');
  void server.ask('2');
  expect(await server.ask('3')).toHaveProperty('rawError');
  const settled = retry(parked, askedIn(await server.response).requestState, { q1: {}, q2: {} });
  expect(await server.ask('4')).toMatchObject({ rawError: expect.stringContaining('Too many questions') });
  server.answer('done');
  await settled;
});

test('a replay is answered from what was given, and asks only what is new', async () => {
  const { parked } = await node();
  const digest = questionDigest('elicitation/create', { message: 'Known?' });
  const server = serverAtWork(parked, { given: new Map([[digest, ['{"n":1}']]]) });
  expect(await server.ask('Known?')).toEqual({ rawResult: '{"n":1}' });
  expect(parked.size).toBe(0);
  void server.ask('Known?');
  expect(askedIn(await server.response).inputRequests).toMatchObject({
    q1: { params: { message: 'Known?' } },
  });
});

test('the state remembers the answers of earlier rounds, as far as they are short', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  const first = server.ask('One?');
  const settled = retry(parked, askedIn(await server.response).requestState, { q1: { n: 1 } });
  await first;
  const second = server.ask('Two?');
  const settledOnce = await settled;
  if (!('response' in settledOnce)) throw settledOnce.error;
  const state = askedIn(settledOnce.response).requestState;
  expect(parked.readState(state)!.answered).toEqual([
    [questionDigest('elicitation/create', { message: 'One?' }), '{"n":1}'],
  ]);
  const last = retry(parked, state, { q2: { long: 'x'.repeat(10_000) } });
  await second;
  void server.ask('Three?');
  const settledTwice = await last;
  if (!('response' in settledTwice)) throw settledTwice.error;
  expect(parked.readState(askedIn(settledTwice.response).requestState)!.answered).toHaveLength(1);
});

test('closing ends what is parked at its server', async () => {
  const { parked } = await node();
  const server = serverAtWork(parked);
  void server.ask('Who?');
  await server.response;
  parked.close();
  expect([server.controller.signal.aborted, parked.size]).toEqual([true, 0]);
});
