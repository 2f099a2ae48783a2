import { expect, test } from 'vitest';
import { parseMessage, requestText } from '../rpc/message.ts';
import {
  digestOf,
  missingFor,
  questionDigest,
  questionForModern,
  responsesIn,
  takeGiven,
} from './questions.ts';

test.each<[string, object, object, string | undefined]>([
  ['roots/list', {}, { roots: {} }, undefined],
  ['roots/list', {}, {}, 'roots'],
  ['sampling/createMessage', {}, { sampling: {} }, undefined],
  ['sampling/createMessage', {}, { elicitation: {} }, 'sampling'],
  ['sampling/createMessage', { tools: [] }, { sampling: {} }, 'sampling with tools'],
  ['sampling/createMessage', { tools: [] }, { sampling: { tools: {} } }, undefined],
  ['elicitation/create', {}, { elicitation: {} }, undefined],
  ['elicitation/create', { mode: 'form' }, { elicitation: { form: {} } }, undefined],
  ['elicitation/create', {}, { elicitation: { url: {} } }, 'elicitation by form'],
  ['elicitation/create', { mode: 'url' }, { elicitation: {} }, 'elicitation by URL'],
  ['elicitation/create', { mode: 'url' }, { elicitation: { url: {} } }, undefined],
  ['elicitation/create', { mode: 'url' }, {}, 'elicitation by URL'],
  ['tools/call', {}, { roots: {}, sampling: {}, elicitation: {} }, 'tools/call'],
])('%s %j of a client with %j lacks %s', (method, params, capabilities, missing) => {
  expect(missingFor(method, params as Record<string, unknown>, JSON.stringify(capabilities))).toBe(missing);
});

test('the same question has the same digest, whatever its ids and the order of its keys', () => {
  const digest = questionDigest('elicitation/create', { message: 'a', requestedSchema: { b: 1, c: [2] } });
  const again = { requestedSchema: { c: [2], b: 1 }, message: 'a', elicitationId: 'x', _meta: { t: 1 } };
  expect(questionDigest('elicitation/create', again)).toBe(digest);
  expect(questionDigest('elicitation/create', { ...again, message: 'b' })).not.toBe(digest);
  expect(questionDigest('sampling/createMessage', again)).not.toBe(digest);
});

test('values that differ have different digests', () => {
  const values: unknown[] = [
    null,
    [],
    {},
    { members: [] },
    [['a', 1]],
    { a: 1 },
    '1',
    1,
    { members: [['a', 1]] },
  ];
  values.push(JSON.parse('{"__proto__":{"a":1}}'), { ['constructor']: 1 });
  expect(new Set(values.map(digestOf)).size).toBe(values.length);
});

test('a legacy question becomes a modern one byte for byte, without what that era dropped', () => {
  const raw = '{"mode":"url","elicitationId":"e","message":"n: 1.0","big":12345678901234567890}';
  const parsed = parseMessage(requestText('1', 'elicitation/create', raw));
  if (!parsed.ok || parsed.message.kind !== 'request') throw new Error('no request');
  expect(questionForModern(parsed.message)).toBe(
    '{"method":"elicitation/create","params":{"mode":"url","message":"n: 1.0","big":12345678901234567890}}',
  );
  expect(questionForModern({ ...parsed.message, method: 'roots/list', rawParams: undefined })).toBe(
    '{"method":"roots/list"}',
  );
});

test('only objects are responses, and each given answer is good once', () => {
  expect([...responsesIn('{"a":{"x":1.0},"b":null,"c":"no"}')]).toEqual([['a', '{"x":1.0}']]);
  expect(responsesIn(undefined).size + responsesIn('[]').size).toBe(0);
  const given = new Map([['d', ['{"n":1}', '{"n":2}']]]);
  expect(['d', 'd', 'd', 'e'].map((digest) => takeGiven(given, digest))).toEqual([
    { rawResult: '{"n":1}' },
    { rawResult: '{"n":2}' },
    undefined,
    undefined,
  ]);
});
