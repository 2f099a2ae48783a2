import { expect, test, vi } from 'vitest';
import { askedIn, nodes, serverAtWork } from '../../../test/parked-world.ts';
import type { Bus } from '../../platform/bus/contract.ts';
import { resumeElsewhere } from './other-nodes.ts';
import type { ParkedCalls } from './parked-calls.ts';

interface There {
  readonly bus: Bus;
  readonly parked: ParkedCalls;
}

function retryElsewhere(from: There, owner: There, state: string, responses: object) {
  const abort = new AbortController();
  const heard: string[] = [];
  const { id, principal, digest, node: at } = from.parked.readState(state)!;
  expect(at).toBe(owner.bus.node);
  const outcome = resumeElsewhere(
    from.bus,
    {
      ...{ node: at, id, principal, digest, retry: 'r', signal: abort.signal },
      rawResponses: JSON.stringify(responses),
      notify: ({ method, rawParams }) => void heard.push(`${method} ${rawParams}`),
    },
    from.parked.limits,
  );
  return { abort, heard, outcome };
}

test('a retry on another node gets what the server says and answers, however long it takes', async () => {
  const [a, b] = await nodes(2, { pingMs: 5 });
  const server = serverAtWork(a!.parked);
  const answered = server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const asked = vi.spyOn(b!.bus, 'ask');
  const { heard, outcome } = retryElsewhere(b!, a!, requestState, { q1: { n: 1.5 } });
  expect(await answered).toEqual({ rawResult: '{"n":1.5}' });
  server.say('notifications/progress');
  await expect.poll(() => heard).toEqual(['notifications/progress undefined']);
  // It is asked whether it is still there, again and again.
  await expect.poll(() => asked.mock.calls.length).toBeGreaterThan(4);
  server.answer('done');
  expect(await outcome).toMatchObject({ response: { result: { text: 'done' } } });
});

test('a failure of the server reaches a retry on another node in words that may be shown', async () => {
  const [a, b] = await nodes(2);
  const server = serverAtWork(a!.parked);
  const answered = server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const { outcome } = retryElsewhere(b!, a!, requestState, { q1: {} });
  await answered;
  server.fail(new Error('a secret of the inside'));
  expect(await outcome).toMatchObject({ error: { message: 'The server "s" could not be used.' } });
});

test('a client that leaves another node ends the call at the server', async () => {
  const [a, b] = await nodes(2);
  const server = serverAtWork(a!.parked);
  const answered = server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const { abort, outcome } = retryElsewhere(b!, a!, requestState, { q1: {} });
  await answered;
  abort.abort(new Error('the client is gone'));
  expect(await outcome).toMatchObject({ error: { message: 'the client is gone' } });
  await expect.poll(() => server.controller.signal.aborted).toBe(true);
});

test('a node that dies, before the retry or under it, is found out', async () => {
  const [a, b] = await nodes(2, { takeOverMs: 20, pingMs: 5, silenceMs: 20 });
  const server = serverAtWork(a!.parked);
  const answered = server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const { outcome } = retryElsewhere(b!, a!, requestState, { q1: {} });
  await answered;
  await a!.bus.close();
  expect(await outcome).toBe('gone');
  expect(await retryElsewhere(b!, a!, requestState, {}).outcome).toBe('gone');
});

test('an asker that falls silent is taken for gone', async () => {
  const [a, b] = await nodes(2, { pingMs: 5, forgetMs: 20 });
  const server = serverAtWork(a!.parked);
  const answered = server.ask('Who?');
  const { requestState } = askedIn(await server.response);
  const { outcome } = retryElsewhere(b!, a!, requestState, { q1: {} });
  await answered;
  await b!.bus.close();
  await expect.poll(() => server.controller.signal.aborted).toBe(true);
  expect(await outcome).toBe('gone');
});

test('a call that is not there, or is somebody else’s, is gone for another node', async () => {
  const [a, b] = await nodes(2);
  const server = serverAtWork(a!.parked);
  void server.ask('Who?');
  const { id } = b!.parked.readState(askedIn(await server.response).requestState)!;
  const signal = new AbortController().signal;
  const ask = (more: object) =>
    resumeElsewhere(
      b!.bus,
      {
        ...{ node: a!.bus.node, retry: 'r', id, principal: 'alice', digest: 'd', signal },
        ...{ rawResponses: undefined, notify: () => undefined, ...more },
      },
      b!.parked.limits,
    );
  for (const more of [{ id: 'x' }, { principal: 'bob' }, { digest: 'e' }])
    expect(await ask(more)).toBe('gone');
  expect(a!.parked.size).toBe(1);
});
