import { expect, test } from 'vitest';
import { answerBody, sizeOf, textOf } from './answer-body.ts';

test('a result in parts is the same answer as in one piece, byte for byte', () => {
  const rawResult = '{"tools":[{"name":"größe","n":1.0}]}';
  const parts = ['{', '"tools":[{"name":"größe","n":1.0}]', '}'].map((part) => Buffer.from(part));
  const whole = answerBody('"a b"', { kind: 'local', rawResult });
  const inParts = answerBody('"a b"', { kind: 'local', rawResult: 'is not read', parts });
  expect(textOf(inParts)).toBe(whole);
  expect(textOf(whole)).toBe(`{"jsonrpc":"2.0","id":"a b","result":${rawResult}}`);
  expect(sizeOf(inParts)).toBe(sizeOf(whole));
  expect(sizeOf(whole)).toBe(Buffer.byteLength(textOf(whole)));
});
