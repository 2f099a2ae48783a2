import { expect, test } from 'vitest';
import { type Cutting, cutResult } from './cut-result.ts';
import { cutsOf } from './cut-structured.ts';
import { cutRawAt } from './long-strings.ts';

interface Shown {
  readonly content: { type: string; text?: string }[];
  readonly structuredContent: Record<string, unknown>;
}

const uri = `toolgate://results/${'x'.repeat(120)}?page=2`;
const note = `… [cut: read on at ${uri}]`;

function cut(result: object | string, more: Partial<Cutting> = {}) {
  const raw = typeof result === 'string' ? result : JSON.stringify(result);
  let rest: string | undefined;
  const text = cutResult(raw, {
    limit: 2_000,
    showsData: true,
    outputSchema: () => true,
    links: true,
    uriChars: uri.length,
    keep: (left) => {
      rest = left;
      return { pages: 3, uri: () => uri };
    },
    ...more,
  });
  const shown = text === undefined ? undefined : (JSON.parse(text) as Shown);
  return { text, shown, rest, data: dataIn(text) };
}

/** `structuredContent` as it stands in the result; all results here end with it. */
function dataIn(text: string | undefined): string {
  return text?.slice(text.indexOf('"structuredContent":') + '"structuredContent":'.length, -1) ?? '';
}

function words(count: number, of = 'word'): string {
  return Array.from({ length: count }, (_, index) => `${of}${index}`).join(' ');
}

const long = words(1_000);
const textItem = (text: string) => ({ type: 'text', text });

function withoutNote(value: unknown): string {
  expect(String(value).endsWith(note)).toBe(true);
  return String(value).slice(0, -note.length);
}

test('a string that repeats the text ends where the text ends, and the pages of the text go on from both', () => {
  const { shown, rest, data } = cut({ content: [textItem(long)], structuredContent: { content: long } });
  expect(data).toHaveLength(2_000);
  const visible = withoutNote(shown?.structuredContent['content']);
  expect(shown?.content[0]?.text).toBe(visible);
  expect(`${visible}${rest}`).toBe(long);
});

test('a text that just fits ends with the data that does not', () => {
  const text = 'x'.repeat(1_990);
  const { shown, rest } = cut({ content: [textItem(text), textItem('end')], structuredContent: { text } });
  expect(shown?.content[0]?.text).toBe(withoutNote(shown?.structuredContent['text']));
  expect(shown?.content[1]?.text).toBe('end');
  expect(`${shown?.content[0]?.text}${rest}`).toBe(text);
});

test('data that the text says as JSON is read on in the text', () => {
  const structuredContent = { title: 'Ünïcode "quoted"', n: 1, body: `"${long}`, more: words(500, '\n') };
  for (const text of [
    JSON.stringify(structuredContent),
    JSON.stringify(structuredContent, null, 2),
    JSON.stringify(structuredContent).replaceAll('\\"word', '\\u0022word'),
  ]) {
    const { shown, rest, data } = cut({ content: [textItem(text)], structuredContent });
    expect(data.length).toBeLessThanOrEqual(2_000);
    expect(`${shown?.content[0]?.text}${rest}`).toBe(text);
    const first = withoutNote(shown?.structuredContent['body']);
    // The pages begin no later than the first gap.
    expect(JSON.stringify(first).length - 20).toBeGreaterThan(500);
    expect(shown?.content[0]?.text?.endsWith(first.slice(-40))).toBe(true);
    withoutNote(shown?.structuredContent['more']);
  }
});

test('what no text says is kept beside the rest of the text', () => {
  const other = words(1_000, 'other');
  const { shown, rest } = cut({ content: [textItem(long)], structuredContent: { other, again: other } });
  const visible = withoutNote(shown?.structuredContent['other']);
  expect(shown?.structuredContent['again']).toBe(shown?.structuredContent['other']);
  expect(rest).toBe(`${long.slice(2_000)}\n\n${other.slice(visible.length)}`);
  expect(shown?.content[1]?.text).toContain(` of ${(long.length + other.length).toLocaleString('en-US')} `);
});

test('data without any content is held to the limit as well', () => {
  const { shown, rest } = cut({ structuredContent: { content: long } });
  expect(`${withoutNote(shown?.structuredContent['content'])}${rest}`).toBe(long);
  expect(shown?.content.map(({ type }) => type)).toEqual(['text', 'resource_link']);
});

test('the longest strings are cut to one length, deep inside too, and every other byte stays', () => {
  const at = `{"2":1.0, "big":12345678901234567890,"1":[{"a":"${'a'.repeat(3_000)}","\\u006bey":"${'k'.repeat(700)}"}, {"a":"${'b'.repeat(2_500)}"}],"short":"caf\\u00e9"}`;
  const { shown, data } = cut(`{"content":[],"structuredContent":${at}}`, { limit: 3_001 });
  // An odd character is left over.
  expect(data).toHaveLength(3_000);
  const room = /a{9,}/.exec(data)?.[0].length ?? 0;
  const piece = (letter: string) => `"${letter.repeat(room)}${note}"`;
  expect(data).toBe(
    `{"2":1.0, "big":12345678901234567890,"1":[{"a":${piece('a')},"\\u006bey":"${'k'.repeat(700)}"}, {"a":${piece('b')}}],"short":"caf\\u00e9"}`,
  );
  expect(Object.keys(shown?.structuredContent ?? {})).toEqual(['1', '2', 'big', 'short']);
});

test('who cannot read on is told so inside, and the text is as long as it may be', () => {
  const { shown } = cut(
    { content: [textItem(long)], structuredContent: { content: long } },
    { keep: () => undefined, uriChars: 0 },
  );
  expect(shown?.content[0]?.text).toBe(long.slice(0, 2_000));
  expect(shown?.structuredContent['content']).toMatch(
    /[a-z0-9 ]… \[cut: ask for less, for example with a filter or a limit\]$/,
  );
});

test('data whose strings are short stays, whatever it holds', () => {
  const rows = Array.from({ length: 400 }, (_, row) => ({ row, text: 'x'.repeat(40) }));
  expect(cut({ content: [], structuredContent: { rows } }).text).toBeUndefined();
});

test('what is over the limit with every string cut stays over it, and valid', () => {
  const rows = Array.from({ length: 30 }, (_, row) => ({ row, text: words(200) }));
  const { shown } = cut({ content: [], structuredContent: { rows } });
  const shownRows = shown?.structuredContent['rows'] as { row: number; text: string }[];
  expect(shownRows.map(({ row }) => row)).toEqual(rows.map(({ row }) => row));
  for (const { text } of shownRows) expect(JSON.stringify(text).length).toBe(500);
});

test.each([
  ['base64 in data', { data: 'QUJD'.repeat(2_000) }],
  ['base64 in a blob, in lines', { contents: [{ blob: `${'QUJD'.repeat(19)}\r\n`.repeat(50) }] }],
  ['a data: URI', { icon: `data:image/png;base64,${'QUJD'.repeat(2_000)}` }],
  ['a long key', { ['k'.repeat(3_000)]: 1 }],
  ['what lies too deep', nested('x '.repeat(2_000), 41)],
])('%s stays whole', (_what, structuredContent) => {
  expect(cut({ content: [], structuredContent }).text).toBeUndefined();
});

function nested(value: unknown, levels: number): unknown {
  return levels === 0 ? value : { in: nested(value, levels - 1) };
}

test.each([
  ['as they are', '😀', (text: string) => text],
  ['as escapes', '\\ud83d\\ude00', (text: string) => text.replaceAll('😀', '\\ud83d\\ude00')],
])('no character and no escape is cut in two: %s', (_how, inJson, write) => {
  // Whatever the cut meets: each start moves it by one.
  for (let pad = 0; pad < 13; pad++) {
    const value = `${'.'.repeat(pad)}${'😀'.repeat(1_000)}`;
    const { shown, rest, data } = cut(`{"content":[],"structuredContent":{"v":"${write(value)}"}}`);
    const visible = withoutNote(shown?.structuredContent['v']);
    expect(visible.isWellFormed()).toBe(true);
    expect(`${visible}${rest}`).toBe(value);
    expect(data.length).toBeGreaterThan(2_000 - inJson.length);
    expect(data.length).toBeLessThanOrEqual(2_000);
  }
});

test('backslashes before the cut are told from escapes', () => {
  const text = String.raw`"\\\\\n\"\u00e9x"`;
  const cuts = Array.from(text.slice(1), (_, index) => text.slice(1, cutRawAt(text, 0, index + 1)));
  for (const one of cuts) expect(() => JSON.parse(`"${one}"`) as unknown).not.toThrow();
  expect(new Set(cuts).size).toBe(7);
});

test('a string that its schema minds stays whole, and the others make up for it', () => {
  const raw = JSON.stringify({ strict: 'a '.repeat(1_000), free: 'b '.repeat(1_000) });
  const cuts = cutsOf(raw, { limit: 3_000, noteChars: 60, isFree: ([key]) => key === 'free' });
  expect(cuts.map(({ value }) => value)).toEqual(['b '.repeat(1_000)]);
});
