import { expect, test } from 'vitest';
import { count, listOf, nullOr, oneOf, text, topicOf, yesNo } from './topic.ts';

const topic = topicOf('any', {
  name: text,
  at: count,
  isDone: yesNo,
  note: nullOr(text),
  kind: oneOf('a', 'b'),
  uris: listOf(text),
});
const message = { name: 'x', at: 1, isDone: false, note: null, kind: 'a', uris: ['y'] };

test('a message is read as it is, without what the topic does not name', () => {
  expect(topic.read({ ...message, more: 1 })).toEqual(message);
  expect(topic.read({ ...message, note: 'n', uris: [] })).toEqual({ ...message, note: 'n', uris: [] });
});

test.each([
  ['nothing', undefined],
  ['null', null],
  ['a text', 'x'],
  ['a list', [message]],
  ['a member less', { ...message, name: undefined }],
  ['a number for a text', { ...message, name: 1 }],
  ['a negative count', { ...message, at: -1 }],
  ['a count that is none', { ...message, at: 1.5 }],
  ['a text for yes', { ...message, isDone: 'yes' }],
  ['undefined for null', { ...message, note: undefined }],
  ['an unknown word', { ...message, kind: 'c' }],
  ['a list with something else in it', { ...message, uris: ['y', 1] }],
  ['an object for a list', { ...message, uris: { 0: 'y' } }],
])('%s is no message of the topic', (_what, value) => {
  expect(topic.read(value)).toBeUndefined();
});
