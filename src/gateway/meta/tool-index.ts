import { setImmediate } from 'node:timers/promises';
import MiniSearch from 'minisearch';
import type { ViewItem } from '../lists/view.ts';
import { isObject } from '../rpc/message.ts';
import { weighted } from './synonyms.ts';
import { termOf, wordsOf } from './words.ts';

/** What people call a server, beside its id. */
export interface ServerWords {
  readonly id: string;
  readonly displayName: string;
  readonly description: string;
}

interface Entry {
  readonly id: number;
  readonly name: string;
  readonly title: string;
  /** The first sentence of its description, which says what it is for. */
  readonly summary: string;
  readonly rest: string;
  readonly params: string;
  readonly product: string;
  readonly about: string;
}

const boost = { name: 2, title: 1, summary: 1, rest: 0.5, params: 0.8, product: 2, about: 1 };

/** Longer texts say nothing more about what a tool is for, and take memory; in characters. */
const mostText = 1_500;
const mostName = 300;
const mostParams = 600;
const deepest = 3;
const atOnce = 25;

/** The tools of one caller by what they are good for. */
export class ToolIndex {
  readonly #items: readonly ViewItem[];
  readonly #search: MiniSearch<Entry>;

  private constructor(items: readonly ViewItem[]) {
    this.#items = items;
    this.#search = new MiniSearch<Entry>({
      fields: Object.keys(boost),
      storeFields: [],
      tokenize: wordsOf,
      processTerm: termOf,
    });
  }

  /** Reads the tools a few at a time, so that calls of others go on in between. */
  static async of(items: readonly ViewItem[], servers: readonly ServerWords[]): Promise<ToolIndex> {
    const index = new ToolIndex(items);
    const byId = new Map(servers.map((one) => [one.id, one]));
    for (let start = 0; start < items.length; start += atOnce) {
      if (start > 0) await setImmediate();
      const some = items.slice(start, start + atOnce);
      index.#search.addAll(some.map((item, at) => entryOf(item, start + at, byId.get(item.server))));
    }
    return index;
  }

  get size(): number {
    return this.#items.length;
  }

  /** The tools that fit best, best first. */
  find(query: string, limit: number, server: string | null = null): ViewItem[] {
    const weights = new Map(weighted(query).map(({ term, weight }) => [term, weight]));
    const found = this.#search.search([...weights.keys()].join(' '), {
      boost,
      // The terms are terms already.
      tokenize: (text) => text.split(' '),
      processTerm: (term) => term,
      boostTerm: (term) => weights.get(term) ?? 1,
      prefix: (term) => term.length >= 4,
      fuzzy: (term) => (term.length >= 5 ? 0.2 : false),
      weights: { fuzzy: 0.2, prefix: 0.2 },
      // Long descriptions are no fault of a tool, so that length counts less than in texts.
      bm25: { k: 1.2, b: 0.3, d: 0.5 },
      ...(server !== null && { filter: ({ id }) => this.#items[Number(id)]?.server === server }),
    });
    return found.slice(0, limit).flatMap(({ id }) => this.#items[Number(id)] ?? []);
  }
}

function entryOf(item: ViewItem, id: number, server: ServerWords | undefined): Entry {
  const tool: unknown = JSON.parse(item.raw);
  const { title, description, inputSchema } = isObject(tool) ? tool : {};
  const params: string[] = [];
  collectParams(inputSchema, deepest, params);
  const summary = firstSentence(textOf(description));
  // The words of the server's own name stand in the merged one too, but for the shortened end of a long one.
  return {
    id,
    name: item.key.slice(0, mostName),
    title: textOf(title).slice(0, mostName),
    summary,
    rest: textOf(description).slice(summary.length, mostText),
    params: params.join(' ').slice(0, mostParams),
    product: `${item.server} ${server?.displayName ?? ''}`,
    about: server?.description ?? '',
  };
}

function firstSentence(text: string): string {
  return (/^[\s\S]*?(?:[.!?](?=\s)|\n\s*\n|$)/.exec(text.trimStart().slice(0, 400))?.[0] ?? '').slice(0, 300);
}

/** Names and descriptions of what may be passed. */
function collectParams(schema: unknown, depth: number, into: string[]): void {
  if (!isObject(schema) || depth === 0) return;
  const properties = schema['properties'];
  if (!isObject(properties)) return;
  for (const [name, property] of Object.entries(properties)) {
    into.push(name);
    if (!isObject(property)) continue;
    into.push(textOf(property['description']).slice(0, 200));
    collectParams(property, depth - 1, into);
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : '';
}
