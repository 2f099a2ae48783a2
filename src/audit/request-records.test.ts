import { expect, test } from 'vitest';
import type { Answered } from '../platform/http/answered.ts';
import type { CallRecord } from './contract.ts';
import { createRequestRecords } from './request-records.ts';

const answered = (over: Partial<Answered> = {}): Answered => ({
  ...{
    at: 1_000,
    milliseconds: 2,
    requestId: 'r',
    clientIp: '192.0.2.1',
    method: 'GET',
    template: '/{unknown}',
  },
  ...{ userAgent: undefined, status: 404, isCutOff: false, bytesIn: 0, bytesOut: 9 },
  ...over,
});

function recording() {
  const records: CallRecord[] = [];
  const state = { now: 1_000, accepting: true };
  const recorder = {
    record: (call: CallRecord) => void records.push(call),
    accepting: () => state.accepting,
  };
  return { records, state, tell: createRequestRecords({ recorder, clock: () => state.now }) };
}

test.each([
  [200, 'ok', null],
  [302, 'ok', null],
  [401, 'unauthenticated', 'http_401'],
  [403, 'denied', 'http_403'],
  [404, 'bad_request', 'http_404'],
  [429, 'rate_limited', 'http_429'],
  [500, 'error', 'http_500'],
])('HTTP %i is recorded as %s', (status, outcome, reason) => {
  const { records, tell } = recording();
  tell(answered({ status }));
  expect(records).toMatchObject([{ status, outcome, reason, endpoint: '/{unknown}', face: 'http' }]);
});

test('who left before the answer, and the reason of a refusal', () => {
  const { records, tell } = recording();
  tell(answered({ isCutOff: true }));
  tell(answered({ status: 403, reason: 'origin_not_allowed' }));
  expect(records).toMatchObject([
    { outcome: 'cancelled', reason: 'client_gone' },
    { outcome: 'denied', reason: 'origin_not_allowed' },
  ]);
});

test('a flood of requests that prove nobody is counted, and pushes nobody else’s record out', () => {
  const { records, state, tell } = recording();
  for (let at = 0; at < 10_000; at += 1) tell(answered());
  tell(answered({ principal: 'alice@acme.com', status: 200 }));
  expect(records).toHaveLength(51);
  state.now = 2_000;
  tell(answered());
  expect(records[51]).toMatchObject({
    reason: 'records_bounded',
    endpoint: '*',
    arguments: '{"requests":9950}',
  });
  expect(records).toHaveLength(53);
});

test('what cannot be kept is not handed over, so that calls are not refused for it', () => {
  const { records, state, tell } = recording();
  state.accepting = false;
  tell(answered());
  expect(records).toEqual([]);
});
