import { expect, test } from 'vitest';
import { cutAt } from './cut-at.ts';
import { type Cutting, cutResult, cutTask } from './cut-result.ts';

interface Item {
  type: string;
  text?: string;
  uri?: string;
  resource?: { uri: string; text: string };
}

function cut(result: object | string, limit: number, more: Partial<Cutting> = {}) {
  const raw = typeof result === 'string' ? result : JSON.stringify(result);
  let rest: string | undefined;
  const text = cutResult(raw, {
    limit,
    showsData: true,
    outputSchema: () => undefined,
    uriChars: 30,
    links: true,
    keep: (left) => {
      rest = left;
      return { pages: 3, uri: (page) => `toolgate://results/x?page=${page}` };
    },
    ...more,
  });
  const parsed =
    text === undefined ? undefined : (JSON.parse(text) as { content: Item[] } & Record<string, unknown>);
  return { text, parsed, rest };
}

const image = { type: 'image', data: 'A'.repeat(5_000), mimeType: 'image/png' };

test('what fits is not touched, however large the binary content beside it is', () => {
  expect(cut({ content: [{ type: 'text', text: 'x'.repeat(100) }, image] }, 100).text).toBeUndefined();
});

test('a long text is cut, and a note and a link say how to read on', () => {
  const { parsed, rest } = cut({ content: [{ type: 'text', text: 'a'.repeat(1_234_567) }] }, 100);
  expect(rest).toBe('a'.repeat(1_234_467));
  const [first, note, link] = parsed?.content ?? [];
  expect(first?.text).toBe('a'.repeat(100));
  expect(note?.text).toBe(
    '… 1,234,467 of 1,234,567 characters left out; read on: resource toolgate://results/x?page=2 (page 2 of 3, kept for 15 minutes).',
  );
  expect(link).toEqual({
    type: 'resource_link',
    uri: 'toolgate://results/x?page=2',
    name: 'rest-of-result',
    description: 'The rest of this result, page 2 of 3',
    mimeType: 'text/plain',
  });
});

test('a client of a revision without links gets the note alone', () => {
  const { parsed } = cut({ content: [{ type: 'text', text: 'a'.repeat(200) }] }, 100, { links: false });
  expect(parsed?.content.map(({ type }) => type)).toEqual(['text', 'text']);
});

test('who cannot read on is told to ask for less', () => {
  const { parsed } = cut({ content: [{ type: 'text', text: 'a'.repeat(200) }] }, 100, {
    keep: () => undefined,
  });
  expect(parsed?.content[1]?.text).toBe(
    '… 100 of 200 characters left out; ask for less, for example with a filter or a limit.',
  );
  expect(parsed?.content).toHaveLength(2);
});

test('several texts share the limit; binary content between them stays whole and in its place', () => {
  const { parsed, rest } = cut(
    {
      content: [
        { type: 'text', text: 'a'.repeat(60) },
        image,
        { type: 'text', text: 'b'.repeat(60) },
        { type: 'resource', resource: { uri: 'file:///c', blob: 'B'.repeat(500) } },
        { type: 'text', text: 'c'.repeat(60) },
      ],
    },
    100,
  );
  expect(parsed?.content.map(({ type }) => type)).toEqual([
    'text',
    'image',
    'text',
    'resource',
    'text',
    'resource_link',
  ]);
  expect(parsed?.content[1]).toEqual(image);
  expect(parsed?.content[2]?.text).toBe('b'.repeat(40));
  expect(rest).toBe(`${'b'.repeat(20)}\n\n${'c'.repeat(60)}`);
  expect(parsed?.content[4]?.text).toMatch(/^… 80 of 180 characters/);
});

test('the text of an embedded resource counts and is cut, the rest of it stays', () => {
  const { parsed, rest } = cut(
    {
      content: [
        { type: 'resource', resource: { uri: 'file:///a', mimeType: 'text/x', text: 'd'.repeat(150) } },
      ],
    },
    100,
  );
  expect(parsed?.content[0]?.resource).toEqual({
    uri: 'file:///a',
    mimeType: 'text/x',
    text: 'd'.repeat(100),
  });
  expect(rest).toBe('d'.repeat(50));
});

test('no character is cut in two', () => {
  const { parsed, rest } = cut({ content: [{ type: 'text', text: `aaa${'😀'.repeat(100)}` }] }, 100);
  expect(parsed?.content[0]?.text).toBe(`aaa${'😀'.repeat(48)}`);
  expect(rest?.isWellFormed()).toBe(true);
  expect(cutAt('😀', 1)).toBe(0);
});

test('everything else stays byte for byte', () => {
  const { text } = cut(
    `{"x":1.0,"content":[{"type":"text","annotations":{"priority":0.50},"text":"${'a'.repeat(200)}"}],"isError":true,"big":12345678901234567890}`,
    100,
  );
  expect(text).toContain('{"x":1.0,"content":[{"type":"text","annotations":{"priority":0.50},"text":"aaa');
  expect(text?.endsWith('],"isError":true,"big":12345678901234567890}')).toBe(true);
});

const data = { rows: Array.from({ length: 50 }, (_, row) => ({ row })) };

test('large data without an output schema is left out, and its text is read page by page', () => {
  const { parsed, rest } = cut(
    { content: [{ type: 'text', text: JSON.stringify(data) }], structuredContent: data },
    100,
  );
  expect(parsed?.['structuredContent']).toBeUndefined();
  expect(
    parsed?.content.some(({ text }) => text === '… structuredContent was too large and is left out.'),
  ).toBe(true);
  expect(`${parsed?.content[0]?.text}${rest}`).toBe(JSON.stringify(data));
});

test('large data that no text repeats can be read on as well', () => {
  const { rest, parsed } = cut(
    { content: [{ type: 'text', text: 'see data' }], structuredContent: data },
    100,
  );
  expect(rest).toBe(JSON.stringify(data));
  expect(parsed?.content[0]?.text).toBe('see data');
});

test('data of short strings that an output schema promises stays whole, and its text is cut', () => {
  const { parsed } = cut(
    { content: [{ type: 'text', text: JSON.stringify(data) }], structuredContent: data },
    100,
    { outputSchema: () => true },
  );
  expect(parsed?.['structuredContent']).toEqual(data);
  expect(parsed?.content[0]?.text).toHaveLength(100);
});

test('a result without content is not looked into', () => {
  expect(
    cut({ resultType: 'input_required', inputRequests: { a: 'x'.repeat(500) } }, 100).text,
  ).toBeUndefined();
});

test('the result inside a finished task is cut, and the task stays', () => {
  const cutting: Cutting = {
    ...{ limit: 100, showsData: true, outputSchema: () => true },
    ...{ links: true, uriChars: 0, keep: () => undefined },
  };
  const task = (text: string) =>
    `{"taskId":"t","status":"completed","n":1.0,"result":{"content":[{"type":"text","text":"${text}"}]},"ttlMs":5}`;
  const shown = cutTask(task('a'.repeat(200)), cutting);
  expect(shown).toMatch(
    /^\{"taskId":"t","status":"completed","n":1\.0,"result":\{"content":\[\{"type":"text","text":"a{100}"\}/,
  );
  expect(shown).toMatch(/100 of 200 characters left out.*"ttlMs":5\}$/);
  expect(cutTask(task('short'), cutting)).toBeUndefined();
  expect(cutTask('{"taskId":"t","status":"working","result":null}', cutting)).toBeUndefined();
});
