import { isObject } from '../rpc/message.ts';
import { editObject, elementsOf, findMember, type Member, membersOf } from '../rpc/raw.ts';
import { cutAt } from './cut-at.ts';
import { cutsOf, sameIn, type StringCut, withCuts } from './cut-structured.ts';
import { freeStrings } from './free-strings.ts';
import type { Kept } from './result-pages.ts';

export interface Cutting {
  /** Most characters of text that the result may hold; and of its data, as JSON text. */
  readonly limit: number;
  /** Does anybody see `structuredContent`? Then it is held to the limit as well. */
  readonly showsData: boolean;
  /** Clients check `structuredContent` against it. Undefined: there is none; `true`: nobody knows. */
  readonly outputSchema: () => unknown;
  /** Keeps what is left out; undefined when it cannot be read on. */
  readonly keep: (rest: string) => Kept | undefined;
  /** Characters of the URI that `keep` gives page 2; 0 when it keeps nothing. */
  readonly uriChars: number;
  /** May the result hold a `resource_link`? Revisions before 2025-06-18 do not know it. */
  readonly links: boolean;
}

interface Item {
  readonly raw: string;
  /** Of a text item or an embedded resource. */
  readonly text: string | undefined;
}

/** What becomes of `structuredContent`. */
interface Data {
  /** As it came; empty where nothing becomes of it. */
  readonly raw: string;
  /** It is too large, and no schema promises it. */
  readonly drops: boolean;
  readonly cuts: readonly StringCut[];
}

interface Parts {
  /** Content items that stay, as JSON text. */
  readonly items: string[];
  /** What does not fit, item by item. */
  readonly rest: string[];
  /** Characters of all text. */
  total: number;
}

const less = 'ask for less, for example with a filter or a limit';

/**
 * A tool's result with no more text than the limit, a note that says what is missing, and a link to it. Data that is
 * too large goes, or has its longest strings cut where a schema promises it. Binary content stays whole. Undefined:
 * it fits, and passes byte for byte.
 */
export function cutResult(rawResult: string, cutting: Cutting): string | undefined {
  const members = membersOf(rawResult);
  const data = dataOf(rawResult, members, cutting);
  const content = itemsOf(rawResult, members);
  if (content === undefined) return undefined;
  const parts = partsOf(content, data, cutting);
  if (parts.rest.length === 0 && !data.drops) return undefined;
  const kept = parts.rest.length === 0 ? undefined : cutting.keep(parts.rest.join('\n\n'));
  const added = parts.rest.length === 0 ? [] : noteAndLink(parts, kept, cutting.links);
  if (data.drops) added.unshift(textItem('… structuredContent was too large and is left out.'));
  return editObject(rawResult, {
    content: `[${[...parts.items, ...added].join(',')}]`,
    ...(data.drops && { structuredContent: null }),
    ...(data.cuts.length > 0 && {
      structuredContent: withCuts(data.raw, data.cuts, noteInside(kept?.uri(2))),
    }),
  });
}

/** The same for what `tasks/get` answers, which holds the tool's result when the task is done (SEP-2663). */
export function cutTask(rawTask: string, cutting: Cutting): string | undefined {
  const span = findMember(membersOf(rawTask), 'result');
  const result = span && cutResult(rawTask.slice(span.start, span.end), cutting);
  return result === undefined ? undefined : editObject(rawTask, { result });
}

function dataOf(rawResult: string, members: readonly Member[], cutting: Cutting): Data {
  const span = cutting.showsData ? findMember(members, 'structuredContent') : undefined;
  const raw = span ? rawResult.slice(span.start, span.end) : '';
  if (raw.length <= cutting.limit) return { raw: '', drops: false, cuts: [] };
  const schema = cutting.outputSchema();
  if (schema === undefined) return { raw, drops: true, cuts: [] };
  const noteChars = Math.max(noteInside('').length + cutting.uriChars, noteInside(undefined).length);
  const cuts = cutsOf(raw, { limit: cutting.limit, noteChars, isFree: freeStrings(schema) });
  return { raw, drops: false, cuts };
}

/** Undefined where there is nothing that could be cut: a question to the user, say, or a task. */
function itemsOf(rawResult: string, members: readonly Member[]): Item[] | undefined {
  const span = findMember(members, 'content');
  if (!span) return findMember(members, 'structuredContent') ? [] : undefined;
  const content: unknown = JSON.parse(rawResult.slice(span.start, span.end));
  if (!Array.isArray(content)) return undefined;
  return elementsOf(rawResult, span.start).map(({ start, end }, index) => ({
    raw: rawResult.slice(start, end),
    text: textOf(content[index]),
  }));
}

/**
 * A text that says what was cut out of the data ends where the data does, so that its pages go on from both. What no
 * text says is kept beside them.
 */
function partsOf(content: readonly Item[], { raw, drops, cuts }: Data, { limit, uriChars }: Cutting): Parts {
  const atOf = new Map(cuts.map(({ value, at }) => [value, at]));
  const said = new Set<string>();
  const parts: Parts = { items: [], rest: [], total: 0 };
  let left = limit;
  for (const { raw: rawItem, text } of content) {
    const same = text === undefined ? undefined : sameIn(text, atOf);
    for (const value of same?.values ?? []) said.add(value);
    // Who cannot read on sees as much of the text as fits.
    const most = Math.min(left, uriChars > 0 ? (same?.at ?? left) : left);
    parts.total += text?.length ?? 0;
    if (text === undefined || text.length <= most) {
      parts.items.push(rawItem);
      left -= text?.length ?? 0;
      continue;
    }
    const at = cutAt(text, most);
    if (at > 0) parts.items.push(withText(rawItem, text.slice(0, at)));
    parts.rest.push(text.slice(at));
    left = text.length > left ? 0 : left - at;
  }
  const unsaid = [...atOf].filter(([value]) => !said.has(value)).map(([value, at]) => ({ value, at }));
  if (drops && !saysTheSame(content, raw)) unsaid.push({ value: raw, at: 0 });
  for (const { value, at } of unsaid) {
    parts.rest.push(value.slice(at));
    parts.total += value.length;
  }
  return parts;
}

/** The text of a text item or of an embedded resource; undefined for everything else. */
function textOf(item: unknown): string | undefined {
  if (!isObject(item)) return undefined;
  const holder = item['type'] === 'resource' ? item['resource'] : item;
  const isText = item['type'] === 'text' || item['type'] === 'resource';
  const text = isText && isObject(holder) ? holder['text'] : undefined;
  return typeof text === 'string' ? text : undefined;
}

function withText(rawItem: string, text: string): string {
  const changed = { text: JSON.stringify(text) };
  const resource = findMember(membersOf(rawItem), 'resource');
  if (!resource) return editObject(rawItem, changed);
  return editObject(rawItem, { resource: editObject(rawItem.slice(resource.start, resource.end), changed) });
}

/** Servers that answer with data say it again as text, for clients that do not look at data. */
function saysTheSame(content: readonly Item[], rawStructured: string): boolean {
  const [first] = content.flatMap(({ text }) => text ?? []);
  if (first === undefined) return false;
  try {
    return JSON.stringify(JSON.parse(first)) === JSON.stringify(JSON.parse(rawStructured));
  } catch {
    // Prose: it says something else, or at least nobody can tell.
    return false;
  }
}

function noteAndLink({ rest, total }: Parts, kept: Kept | undefined, links: boolean): string[] {
  const left = rest.reduce((sum, text) => sum + text.length, 0);
  const missing = `… ${count(left)} of ${count(total)} characters left out`;
  if (!kept) return [textItem(`${missing}; ${less}.`)];
  const uri = kept.uri(2);
  const note = textItem(
    `${missing}; read on: resource ${uri} (page 2 of ${kept.pages}, kept for 15 minutes).`,
  );
  if (!links) return [note];
  const description = `The rest of this result, page 2 of ${kept.pages}`;
  const link = { type: 'resource_link', uri, name: 'rest-of-result', description, mimeType: 'text/plain' };
  return [note, JSON.stringify(link)];
}

/** At the end of a string inside of data; none of its characters is another one in JSON. */
function noteInside(uri: string | undefined): string {
  return uri === undefined ? `… [cut: ${less}]` : `… [cut: read on at ${uri}]`;
}

function textItem(text: string): string {
  return JSON.stringify({ type: 'text', text });
}

function count(characters: number): string {
  return characters.toLocaleString('en-US');
}
