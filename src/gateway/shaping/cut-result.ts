import { isObject } from '../rpc/message.ts';
import { editObject, elementsOf, findMember, membersOf, type Span } from '../rpc/raw.ts';
import { cutAt } from './cut-at.ts';
import type { Kept } from './result-pages.ts';

export interface Cutting {
  /** Most characters of text that the result may hold. */
  readonly limit: number;
  /** Clients check `structuredContent` against it, so a result that promised one keeps it whole. */
  readonly hasOutputSchema: () => boolean;
  /** Keeps what is left out; undefined when it cannot be read on. */
  readonly keep: (rest: string) => Kept | undefined;
  /** May the result hold a `resource_link`? Revisions before 2025-06-18 do not know it. */
  readonly links: boolean;
}

interface Parts {
  /** Content items that stay, as JSON text. */
  readonly items: string[];
  /** What does not fit, item by item. */
  readonly rest: string[];
  /** Characters of all text. */
  readonly total: number;
}

/**
 * A tool's result with no more text than the limit, a note that says what is missing, and a link to it. Binary
 * content stays whole. Undefined: it fits, and passes byte for byte.
 */
export function cutResult(rawResult: string, cutting: Cutting): string | undefined {
  const members = membersOf(rawResult);
  const span = findMember(members, 'content');
  const content: unknown = span ? JSON.parse(rawResult.slice(span.start, span.end)) : undefined;
  if (!Array.isArray(content) || !span) return undefined;
  const parts = partsOf(rawResult, content, elementsOf(rawResult, span.start), cutting.limit);
  const structured = findMember(members, 'structuredContent');
  const rawStructured = structured && rawResult.slice(structured.start, structured.end);
  const drops =
    rawStructured !== undefined && rawStructured.length > cutting.limit && !cutting.hasOutputSchema();
  if (parts.rest.length === 0 && !drops) return undefined;
  const alone = drops && !saysTheSame(content, rawStructured) ? rawStructured : undefined;
  const rest = [...parts.rest, ...(alone === undefined ? [] : [alone])];
  const total = parts.total + (alone?.length ?? 0);
  const added = rest.length === 0 ? [] : noteAndLink(rest, total, cutting);
  if (drops) added.unshift(textItem('… structuredContent was too large and is left out.'));
  return editObject(rawResult, {
    content: `[${[...parts.items, ...added].join(',')}]`,
    ...(drops && { structuredContent: null }),
  });
}

/** The same for what `tasks/get` answers, which holds the tool's result when the task is done (SEP-2663). */
export function cutTask(rawTask: string, cutting: Cutting): string | undefined {
  const span = findMember(membersOf(rawTask), 'result');
  const result = span && cutResult(rawTask.slice(span.start, span.end), cutting);
  return result === undefined ? undefined : editObject(rawTask, { result });
}

function partsOf(
  rawResult: string,
  content: readonly unknown[],
  spans: readonly Span[],
  limit: number,
): Parts {
  const items: string[] = [];
  const rest: string[] = [];
  let left = limit;
  let total = 0;
  for (const [index, { start, end }] of spans.entries()) {
    const raw = rawResult.slice(start, end);
    const text = textOf(content[index]);
    total += text?.length ?? 0;
    if (text === undefined || text.length <= left) {
      items.push(raw);
      left -= text?.length ?? 0;
      continue;
    }
    const at = cutAt(text, left);
    if (at > 0) items.push(withText(raw, text.slice(0, at)));
    rest.push(text.slice(at));
    left = 0;
  }
  return { items, rest, total };
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
function saysTheSame(content: readonly unknown[], rawStructured: string): boolean {
  const [first] = content.flatMap((item) => textOf(item) ?? []);
  if (first === undefined) return false;
  try {
    return JSON.stringify(JSON.parse(first)) === JSON.stringify(JSON.parse(rawStructured));
  } catch {
    // Prose: it says something else, or at least nobody can tell.
    return false;
  }
}

function noteAndLink(rest: readonly string[], total: number, { keep, links }: Cutting): string[] {
  const left = rest.reduce((sum, text) => sum + text.length, 0);
  const missing = `… ${count(left)} of ${count(total)} characters left out`;
  const kept = keep(rest.join('\n\n'));
  if (!kept) return [textItem(`${missing}; ask for less, for example with a filter or a limit.`)];
  const uri = kept.uri(2);
  const note = textItem(
    `${missing}; read on: resource ${uri} (page 2 of ${kept.pages}, kept for 15 minutes).`,
  );
  if (!links) return [note];
  const description = `The rest of this result, page 2 of ${kept.pages}`;
  const link = { type: 'resource_link', uri, name: 'rest-of-result', description, mimeType: 'text/plain' };
  return [note, JSON.stringify(link)];
}

function textItem(text: string): string {
  return JSON.stringify({ type: 'text', text });
}

function count(characters: number): string {
  return characters.toLocaleString('en-US');
}
