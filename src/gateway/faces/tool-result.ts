// The result of a tool as Open WebUI reads it: text, images, audio and embedded resources; links and structured
// content reach no model there, or reach it twice.
import { isDeepStrictEqual } from 'node:util';
import { isObject } from '../rpc/message.ts';
import { editObject, elementsOf, findMember, membersOf } from '../rpc/raw.ts';

/**
 * JSON text of a `tools/call` result that loses nothing in Open WebUI: a resource link, which it drops, becomes a line
 * of text; structured content is left out where a text says the same, and becomes one where there is no text.
 * Everything else stays byte for byte.
 */
export function readableResult(rawResult: string): string {
  // A key may be spelled with escapes; then the parser has to tell.
  if (!/structuredContent|resource_link|\\u/.test(rawResult)) return rawResult;
  const result: unknown = JSON.parse(rawResult);
  if (!isObject(result)) return rawResult;
  const items = itemsOf(rawResult, result['content']);
  const readable = items.map(({ value, raw }) => (isLink(value) ? textItem(lineOf(value)) : raw));
  const structured = result['structuredContent'];
  const texts = items.flatMap(({ value }) => (isText(value) ? [value.text] : []));
  const changes: Record<string, string | null> = {};
  if (structured !== undefined && structured !== null) {
    if (texts.length === 0) readable.push(textItem(rawMember(rawResult, 'structuredContent')));
    if (texts.length === 0 || saysTheSame(texts, structured)) changes['structuredContent'] = null;
  }
  if (readable.length !== items.length || readable.some((raw, index) => raw !== items[index]?.raw))
    changes['content'] = `[${readable.join(',')}]`;
  return Object.keys(changes).length === 0 ? rawResult : editObject(rawResult, changes);
}

interface Item {
  readonly value: unknown;
  readonly raw: string;
}

function itemsOf(rawResult: string, content: unknown): Item[] {
  const span = findMember(membersOf(rawResult), 'content');
  if (!Array.isArray(content) || !span) return [];
  return elementsOf(rawResult, span.start).map(({ start, end }, index) => ({
    value: content[index],
    raw: rawResult.slice(start, end),
  }));
}

function isText(value: unknown): value is { readonly text: string } {
  return isObject(value) && value['type'] === 'text' && typeof value['text'] === 'string';
}

function isLink(value: unknown): value is Readonly<Record<string, unknown>> {
  return isObject(value) && value['type'] === 'resource_link';
}

function lineOf(link: Readonly<Record<string, unknown>>): string {
  const { uri, name, title, description, mimeType } = link;
  const [label] = [title, name].filter((one) => typeof one === 'string' && one !== '');
  const about = [
    typeof label === 'string' ? `[Resource: ${label}]` : '[Resource]',
    typeof uri === 'string' ? uri : '',
    typeof mimeType === 'string' ? `(${mimeType})` : '',
    typeof description === 'string' && description !== '' ? `- ${description}` : '',
  ];
  return about.filter((part) => part !== '').join(' ');
}

/** The whole as JSON text, or FastMCP's `{"result": …}` around a value whose text stands in the content already. */
function saysTheSame(texts: readonly string[], structured: unknown): boolean {
  if (texts.some((text) => isDeepStrictEqual(parsed(text), structured))) return true;
  if (!isObject(structured) || Object.keys(structured).join() !== 'result') return false;
  const value = structured['result'];
  const is = (text: string | undefined, one: unknown) =>
    text !== undefined && (text === one || isDeepStrictEqual(parsed(text), one));
  if (texts.length === 1 && is(texts[0], value)) return true;
  return (
    Array.isArray(value) &&
    value.length === texts.length &&
    value.every((one, index) => is(texts[index], one))
  );
}

/** Undefined for a text that is no JSON: JSON has no such value. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

function rawMember(text: string, key: string): string {
  const span = findMember(membersOf(text), key);
  return span ? text.slice(span.start, span.end) : 'null';
}

function textItem(text: string): string {
  return `{"type":"text","text":${JSON.stringify(text)}}`;
}
