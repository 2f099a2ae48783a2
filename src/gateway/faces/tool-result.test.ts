import { describe, expect, test } from 'vitest';
import { readableResult } from './tool-result.ts';

const text = (value: string) => ({ type: 'text', text: value });
const read = (result: object) => JSON.parse(readableResult(JSON.stringify(result)));

describe('a result that Open WebUI reads well stays byte for byte', () => {
  test.each([
    ['text', '{"content":[{"type":"text","text":"hello \\u00e9"}],"x": 1.0}'],
    ['an image', '{"content":[{"type":"image","data":"AA==","mimeType":"image/png"}]}'],
    ['a text about links', '{"content":[{"type":"text","text":"resource_link, structuredContent"}]}'],
    [
      'structured content that says more',
      '{"content":[{"type":"text","text":"3 rows"}],"structuredContent":{"n":1.0}}',
    ],
    ['nothing structured', '{"content":[],"structuredContent":null}'],
    ['a question', '{"resultType":"input_required","inputRequests":{"structuredContent":{}}}'],
  ])('%s', (_, raw) => {
    expect(readableResult(raw)).toBe(raw);
  });
});

describe('structured content', () => {
  test.each([
    ['its JSON in another spelling', { b: 1, a: [true] }, ['{ "a":[true], "b":1 }']],
    ['its JSON among other texts', { a: 1 }, ['see:', '{"a":1}']],
    ['FastMCP’s text', { result: 'hello' }, ['hello']],
    ['FastMCP’s number', { result: 42 }, ['42']],
    ['FastMCP’s list as texts', { result: ['a', 2] }, ['a', '2']],
    ['FastMCP’s list as one text', { result: ['a', 2] }, ['["a",2]']],
  ])('is left out where the text says the same: %s', (_, structuredContent, texts) => {
    expect(read({ content: texts.map(text), structuredContent })).toEqual({ content: texts.map(text) });
  });

  test.each([
    ['another value', { a: 1 }, ['{"a":2}']],
    ['a boolean for a number', { a: 1 }, ['{"a":true}']],
    ['more under another name', { result: 'hello', more: 1 }, ['hello']],
    ['a shorter list', { result: ['a', 'b'] }, ['a']],
  ])('stays where it says something else: %s', (_, structuredContent, texts) => {
    const result = { content: texts.map(text), structuredContent };
    expect(read(result)).toEqual(result);
  });

  test('becomes a text where there is none, digit for digit', () => {
    const raw =
      '{"content":[{"type":"image","data":""}],"structuredContent":{"n":12345678901234567890, "f":1.0}}';
    expect(JSON.parse(readableResult(raw))).toEqual({
      content: [{ type: 'image', data: '' }, text('{"n":12345678901234567890, "f":1.0}')],
    });
    expect(read({ structuredContent: { a: 1 } })).toEqual({ content: [text('{"a":1}')] });
  });

  test('is found under an escaped key', () => {
    expect(JSON.parse(readableResult('{"content":[],"structured\\u0043ontent":{"a":1}}'))).toEqual({
      content: [text('{"a":1}')],
    });
  });
});

test('a resource link, which Open WebUI drops, becomes a line in its place', () => {
  const link = { type: 'resource_link', uri: 'file:///r.pdf', name: 'r.pdf' };
  const full = { ...link, title: 'Report', mimeType: 'application/pdf', description: 'Of May' };
  expect(read({ content: [text('Here:'), link, full, { type: 'resource_link' }, text('.')] })).toEqual({
    content: [
      text('Here:'),
      text('[Resource: r.pdf] file:///r.pdf'),
      text('[Resource: Report] file:///r.pdf (application/pdf) - Of May'),
      text('[Resource]'),
      text('.'),
    ],
  });
});
