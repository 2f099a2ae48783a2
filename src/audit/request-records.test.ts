import { expect, test } from 'vitest';
import type { Answered } from '../platform/http/answered.ts';
import { requestRecord } from './request-records.ts';

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

test.each([
  [200, 'ok', null],
  [302, 'ok', null],
  [401, 'unauthenticated', 'http_401'],
  [403, 'denied', 'http_403'],
  [404, 'bad_request', 'http_404'],
  [429, 'rate_limited', 'http_429'],
  [500, 'error', 'http_500'],
])('HTTP %i is recorded as %s', (status, outcome, reason) => {
  const record = requestRecord(answered({ status }));
  expect(record).toMatchObject({ status, outcome, reason, endpoint: '/{unknown}', face: 'http' });
});

test('who left before the answer, and the reason of a refusal', () => {
  expect(requestRecord(answered({ isCutOff: true }))).toMatchObject({
    ...{ outcome: 'cancelled', reason: 'client_gone' },
  });
  expect(requestRecord(answered({ status: 403, reason: 'origin_not_allowed' }))).toMatchObject({
    ...{ outcome: 'denied', reason: 'origin_not_allowed' },
  });
});
