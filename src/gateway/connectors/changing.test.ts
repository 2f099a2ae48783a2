import { expect, test } from 'vitest';
import { AppError } from '../../platform/errors.ts';
import { withChanging } from './changing.ts';
import type { ChangingHeaders } from './contract.ts';

const { signal } = new AbortController();

function sending(statuses: readonly number[]) {
  const sent: string[] = [];
  const discarded: number[] = [];
  return {
    sent,
    discarded,
    signal,
    send: async (headers: Readonly<Record<string, string>>) => {
      sent.push(headers['authorization'] ?? '');
      return { statusCode: statuses[sent.length - 1] ?? 200 };
    },
    discard: ({ statusCode }: { statusCode: number }) => void discarded.push(statusCode),
  };
}

function changing(tokens: string[], refused: string[] = []): ChangingHeaders {
  return {
    current: () => ({ authorization: tokens[0] ?? '' }),
    refused: async ({ authorization = '' }) => {
      refused.push(authorization);
      return tokens.shift() !== undefined && tokens.length > 0;
    },
  };
}

test('headers are asked for with each request', async () => {
  const tokens = ['one'];
  const request = sending([200, 200]);
  await withChanging(changing(tokens), request);
  tokens[0] = 'two';
  await withChanging(changing(tokens), request);
  expect(request.sent).toEqual(['one', 'two']);
});

test('after a 401 it is sent once more with other headers, and no third time', async () => {
  const refused: string[] = [];
  const request = sending([401, 401]);
  const answer = await withChanging(changing(['one', 'two', 'three'], refused), request);
  expect([request.sent, refused, request.discarded]).toEqual([['one', 'two'], ['one', 'two'], [401]]);
  expect(answer.statusCode).toBe(401);
});

test('without other headers the 401 is the answer', async () => {
  const request = sending([401]);
  expect((await withChanging(changing(['one']), request)).statusCode).toBe(401);
  expect(request.sent).toEqual(['one']);
});

test('403 and 500 say nothing about the headers', async () => {
  for (const status of [403, 500]) {
    const refused: string[] = [];
    expect((await withChanging(changing(['one', 'two'], refused), sending([status]))).statusCode).toBe(
      status,
    );
    expect(refused).toEqual([]);
  }
});

test.each([
  [
    'at once',
    () => {
      throw new AppError('account_reconnect', 409, 'Connect it again.');
    },
  ],
  ['later', () => Promise.reject(new AppError('account_reconnect', 409, 'Connect it again.'))],
])('why there are none, said %s, is the reason for the caller', async (_when, current) => {
  const none: ChangingHeaders = { current, refused: async () => false };
  await expect(withChanging(none, sending([]))).rejects.toMatchObject({
    kind: 'unauthorized',
    message: 'Connect it again.',
    cause: { code: 'account_reconnect' },
  });
});

test('whoever gives up does not wait for headers', async () => {
  const gone = new AbortController();
  const never: ChangingHeaders = { current: () => new Promise(() => undefined), refused: async () => false };
  const waiting = withChanging(never, { ...sending([]), signal: gone.signal });
  gone.abort(new Error('gave up'));
  await expect(waiting).rejects.toThrow('gave up');
});
