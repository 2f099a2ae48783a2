import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AccessQuestion, Principal } from '../../access/contract.ts';
import { can, rightsOf, type Snapshot } from '../../access/index.ts';
import { invalidParams } from '../refusals.ts';
import type { Audience } from '../audience.ts';
import type { Pins } from '../pins.ts';
import type { ListItem } from './fetch-list.ts';
import { flattened } from './flatten.ts';
import { type ListKind, lists } from './kinds.ts';
import type { Known } from './list-store.ts';
import { mergedName } from './names.ts';
import { editObject } from '../rpc/raw.ts';

interface ViewItem {
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

/** Who looks: by one picture, at one moment. */
export interface Viewer {
  readonly snapshot: Snapshot;
  readonly principal: Principal;
  /** Milliseconds since the epoch. */
  readonly now: number;
  /** Whose ways the list allows for. */
  readonly audience: Audience;
  /** The one server of the URL; null on the merged endpoint, where names carry their server. */
  readonly server: string | null;
}

/**
 * Lists as one permission set sees them. Two callers with the same rights share the serialized pages; a view is
 * made anew when a list or the rights behind it change.
 */
export class ListViews {
  readonly #views = new LRUCache<string, View>({ max: 5_000 });
  readonly #pageSize: number;
  readonly #pins: Pins;

  constructor(pageSize: number, pins: Pins) {
    this.#pageSize = pageSize;
    this.#pins = pins;
  }

  /** JSON text `"tools":[…]` plus `"nextCursor"` where there is a next page; without braces. */
  page(viewer: Viewer, kind: ListKind, known: readonly Known[], cursor: unknown): string {
    const view = this.#view(viewer, kind, known);
    // Open WebUI before 0.11.4 reads one page and no more.
    const pageSize = viewer.audience === 'open-webui' ? Number.MAX_SAFE_INTEGER : this.#pageSize;
    const start = startOf(view, cursor, pageSize);
    const kept = view.pages.get(start);
    if (kept !== undefined) return kept;
    const end = start + pageSize;
    const items = view.items.slice(start, end).map((item) => item.raw);
    const next = end < view.items.length ? `,"nextCursor":${JSON.stringify(cursorFor(view, end))}` : '';
    const text = `"${lists[kind].member}":[${items.join(',')}]${next}`;
    view.pages.set(start, text);
    return text;
  }

  #view(viewer: Viewer, kind: ListKind, known: readonly Known[]): View {
    // Of the very moment that can() is asked for: a membership may have ended since the call came in, and a view
    // made with fewer rights must not be found under the signature of more.
    const { signature } = rightsOf(viewer.snapshot, viewer.principal, viewer.now);
    const held = kind === 'tools' ? this.#pins.version : 0;
    const key = `${kind}|${viewer.audience}|${viewer.server ?? '*'}|${held}|${signature}|${known.map((one) => one.key).join(' ')}`;
    const found = this.#views.get(key);
    if (found && isCurrent(found, known)) return found;
    const made = makeView(viewer, kind, known, this.#pins);
    this.#views.set(key, made);
    return made;
  }
}

function isCurrent(view: View, known: readonly Known[]): boolean {
  return view.sources.every(
    (source, index) => source.known === known[index] && source.version === source.known.version,
  );
}

function makeView(viewer: Viewer, kind: ListKind, known: readonly Known[], pins: Pins): View {
  const merged = viewer.server === null;
  const items = known.flatMap((one) => visibleItems(viewer, kind, one, pins));
  const unique = merged && (kind === 'resources' || kind === 'templates') ? firstOfEach(items) : items;
  const digest = createHash('sha256')
    .update(unique.map((item) => item.name).join('\n'))
    .digest('base64url')
    .slice(0, 12);
  return {
    sources: known.map((one) => ({ known: one, version: one.version })),
    items: unique,
    pages: new Map(),
    digest,
  };
}

/** What can() lets this caller see of one server. Merged lists are sorted, so that their order never depends on timing. */
function visibleItems(viewer: Viewer, kind: ListKind, known: Known, pins: Pins): ViewItem[] {
  const { snapshot, principal, now, audience } = viewer;
  const server = known.target.server.id;
  const question = (item: ListItem): AccessQuestion =>
    kind === 'tools' ? { server, tool: item.key } : { server, whole: true };
  const items = (known.lists.get(kind) ?? [])
    .filter((item) => can(snapshot, principal, question(item), now).allow)
    .filter((item) => kind !== 'tools' || !pins.isHeld(known.target, item.key, item.raw))
    .map((item) =>
      kind === 'tools' && audience === 'open-webui' ? { ...item, raw: flattened(item.raw) } : item,
    );
  if (viewer.server !== null) return items.map((item) => ({ name: item.key, raw: item.raw }));
  const renamed = kind === 'tools' || kind === 'prompts';
  return items.map((item) => shown(server, item, renamed)).sort(byName);
}

function byName(a: ViewItem, b: ViewItem): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

function shown(server: string, item: ListItem, renamed: boolean): ViewItem {
  if (!renamed) return { name: item.key, raw: item.raw };
  const name = mergedName(server, item.key);
  return { name, raw: editObject(item.raw, { name: JSON.stringify(name) }) };
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
function startOf(view: View, cursor: unknown, pageSize: number): number {
  if (cursor === undefined) return 0;
  const [digest, start] =
    typeof cursor === 'string' ? Buffer.from(cursor, 'base64url').toString('utf8').split('.') : [];
  const index = Number(start);
  // Where pages begin and nowhere else: each place is a page that is kept.
  const isStart = index > 0 && index < view.items.length && index % pageSize === 0;
  if (digest === view.digest && isStart) return index;
  throw invalidParams(
    'The cursor is not one of this list, or the list has changed since: begin again without a cursor.',
  );
}
