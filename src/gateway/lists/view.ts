import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { can } from '../../access/index.ts';
import { type Call, type Gate, principalOf, rightsOfCall } from '../call.ts';
import { invalidParams } from '../refusals.ts';
import type { ListItem } from './fetch-list.ts';
import { type ListKind, lists } from './kinds.ts';
import type { Known } from './list-store.ts';
import { mergedName } from './names.ts';
import { editObject } from '../rpc/raw.ts';

interface ViewItem {
  readonly server: string;
  /** What the caller knows it by. */
  readonly name: string;
  readonly raw: string;
}

interface View {
  readonly sources: readonly { readonly known: Known; readonly version: number }[];
  readonly items: readonly ViewItem[];
  /** Pages that were asked for, already serialized: index of the first item -> JSON text of the members. */
  readonly pages: Map<number, string>;
  readonly digest: string;
}

/**
 * Lists as one permission set sees them. Two callers with the same rights share the serialized pages; a view is
 * made anew when a list or the rights behind it change.
 */
export class ListViews {
  readonly #views = new LRUCache<string, View>({ max: 5_000 });

  /** JSON text `"tools":[…]` plus `"nextCursor"` where there is a next page; without braces. */
  page(call: Call, gate: Gate, kind: ListKind, known: readonly Known[], cursor: unknown): string {
    const view = this.#view(call, gate, kind, known);
    const start = startOf(view, cursor);
    const kept = view.pages.get(start);
    if (kept !== undefined) return kept;
    const end = start + gate.settings.pageSize;
    const items = view.items.slice(start, end).map((item) => item.raw);
    const next = end < view.items.length ? `,"nextCursor":${JSON.stringify(cursorFor(view, end))}` : '';
    const text = `"${lists[kind].member}":[${items.join(',')}]${next}`;
    view.pages.set(start, text);
    return text;
  }

  /** The server that a listed URI belongs to, for the merged endpoint. */
  items(call: Call, gate: Gate, kind: ListKind, known: readonly Known[]): readonly { server: string; name: string }[] {
    return this.#view(call, gate, kind, known).items;
  }

  #view(call: Call, gate: Gate, kind: ListKind, known: readonly Known[]): View {
    const key = `${kind}|${call.path.server ?? '*'}|${rightsOfCall(call).signature}|${known.map((one) => one.target.key).join(' ')}`;
    const found = this.#views.get(key);
    if (found && isCurrent(found, known)) return found;
    const made = makeView(call, gate, kind, known);
    this.#views.set(key, made);
    return made;
  }
}

function isCurrent(view: View, known: readonly Known[]): boolean {
  return view.sources.every((source, index) => source.known === known[index] && source.version === source.known.version);
}

function makeView(call: Call, gate: Gate, kind: ListKind, known: readonly Known[]): View {
  const merged = call.path.server === null;
  const items = known.flatMap((one) => visibleItems(call, gate, kind, one, merged));
  const unique = merged && (kind === 'resources' || kind === 'templates') ? firstOfEach(items) : items;
  const digest = createHash('sha256').update(unique.map((item) => item.name).join('\n')).digest('base64url').slice(0, 12);
  return { sources: known.map((one) => ({ known: one, version: one.version })), items: unique, pages: new Map(), digest };
}

/** What can() lets this caller see of one server. Merged lists are sorted, so that their order never depends on timing. */
function visibleItems(call: Call, gate: Gate, kind: ListKind, known: Known, merged: boolean): ViewItem[] {
  const server = known.target.server.id;
  const now = gate.clock();
  const allowed = (item: ListItem) =>
    can(call.snapshot, principalOf(call), kind === 'tools' ? { server, tool: item.key } : { server, whole: true }, now).allow;
  const items = (known.lists.get(kind) ?? []).filter(allowed);
  if (!merged) return items.map((item) => ({ server, name: item.key, raw: item.raw }));
  const renamed = kind === 'tools' || kind === 'prompts';
  return items.map((item) => shown(server, item, renamed)).sort((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

function shown(server: string, item: ListItem, renamed: boolean): ViewItem {
  if (!renamed) return { server, name: item.key, raw: item.raw };
  const name = mergedName(server, item.key);
  return { server, name, raw: editObject(item.raw, { name: JSON.stringify(name) }) };
}

/** Two servers may have the same URI; the first by server id is the one that can be read, so only it is listed. */
function firstOfEach(items: readonly ViewItem[]): ViewItem[] {
  const seen = new Map<string, ViewItem>();
  for (const item of items) if (!seen.has(item.name)) seen.set(item.name, item);
  return [...seen.values()];
}

function cursorFor(view: View, start: number): string {
  return Buffer.from(`${view.digest}.${start}`).toString('base64url');
}

/** A cursor is good for the list that it was made of: after a change the client begins again. */
function startOf(view: View, cursor: unknown): number {
  if (cursor === undefined) return 0;
  const [digest, start] = typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString('utf8').split('.') : [];
  const index = Number(start);
  if (digest === view.digest && Number.isInteger(index) && index > 0 && index < view.items.length) return index;
  throw invalidParams('The cursor is not one of this list, or the list has changed since: begin again without a cursor.');
}
