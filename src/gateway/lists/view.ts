import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import type { AccessQuestion, Principal } from '../../access/contract.ts';
import { can, type Rights, rightsOf, type Snapshot, type SnapshotServer } from '../../access/index.ts';
import { toolForLegacy } from '../bridge/output-schema.ts';
import { connectTool } from '../connect/connect-item.ts';
import { invalidParams } from '../refusals.ts';
import type { Audience } from '../audience.ts';
import { pinModeOf, type Pins, placeOf } from '../pins.ts';
import type { ListItem } from './fetch-list.ts';
import { flattened } from './flatten.ts';
import { type ListKind, lists } from './kinds.ts';
import type { Known } from './known.ts';
import { digestOf } from './list-digest.ts';
import { mergedName } from './names.ts';
import { schemaTypeChange } from './schema-type.ts';
import { type NameClash, type ShownTool, shownTools } from './shown-tools.ts';
import type { Era } from '../rpc/protocol.ts';
import { editObject } from '../rpc/raw.ts';

export interface ViewItem {
  /** What the caller knows it by. */
  readonly name: string;
  /** Name, URI or URI template at its server. */
  readonly key: string;
  readonly server: string;
  readonly raw: string;
}

/** A list as one permission set sees it; another one after each change. */
export interface View {
  /** Says all that it is made of: what has the same id has the same items. */
  readonly id: string;
  readonly items: readonly ViewItem[];
  /** Pages that were asked for, already serialized: index of the first item -> JSON text of the members, in UTF-8. */
  readonly pages: Map<number, Buffer>;
  readonly digest: string;
  /** By the name that the caller knows; made at the first look-up. */
  byName: ReadonlyMap<string, ViewItem> | undefined;
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
  /** Era of the caller; absent: tools look as their servers wrote them. */
  readonly era?: Era;
  /** Servers that show one tool, by which the caller connects an account there. */
  readonly connectable?: readonly SnapshotServer[];
}

/** Views that are kept, and the characters of all of them, each in its items and in its pages. */
const mostViews = 5_000;
const mostCharacters = 256 * 1024 * 1024;
/** Nobody has wanted it for so long: most likely a list behind it has changed. In milliseconds. */
const unusedTtl = 600_000;

/**
 * Lists as one permission set sees them. Two callers with the same rights share the serialized pages wherever their
 * servers show them the same, whoever's connections that was seen on; where a list is another one, so is the view. When
 * there are too many, the one that was not used for longest goes.
 */
export class ListViews {
  readonly #views: LRUCache<string, View>;
  readonly #pageSize: number;
  readonly #pins: Pins;
  readonly #onClash: (server: string, clash: NameClash) => void;

  /** `onClash` hears of new names that could not be used, each time that a view is made. */
  constructor(
    pageSize: number,
    pins: Pins,
    onClash: (server: string, clash: NameClash) => void = () => undefined,
    maxSize = mostCharacters,
  ) {
    // The largest is kept all the same, or it would be made for every call.
    const sizeCalculation = (view: View) => Math.min(maxSize, sizeOf(view));
    const ageing = { ttl: unusedTtl, ttlResolution: 1_000, updateAgeOnGet: true };
    this.#views = new LRUCache({ max: mostViews, maxSize, sizeCalculation, ...ageing });
    this.#pageSize = pageSize;
    this.#pins = pins;
    this.#onClash = onClash;
  }

  /**
   * JSON text `"tools":[…]` plus `"nextCursor"` where there is a next page; without braces. In bytes that are the same
   * for everybody and never changed: a text as long as this would be copied several times on its way to each socket.
   */
  page(viewer: Viewer, kind: ListKind, known: readonly Known[], cursor: unknown): Buffer {
    const view = this.view(viewer, kind, known);
    // Open WebUI before 0.11.4 reads one page and no more.
    const pageSize = viewer.audience === 'open-webui' ? Number.MAX_SAFE_INTEGER : this.#pageSize;
    const start = startOf(view, cursor, pageSize);
    const kept = view.pages.get(start);
    if (kept !== undefined) return kept;
    const end = start + pageSize;
    const items = view.items.slice(start, end).map((item) => item.raw);
    const next = end < view.items.length ? `,"nextCursor":${JSON.stringify(cursorFor(view, end))}` : '';
    const page = Buffer.from(`"${lists[kind].member}":[${items.join(',')}]${next}`);
    view.pages.set(start, page);
    return page;
  }

  /** All of it, for those who look for one item. */
  view(viewer: Viewer, kind: ListKind, known: readonly Known[]): View {
    // Of the very moment that can() is asked for: a membership may have ended since the call came in, and a view
    // made with fewer rights must not be found under the signature of more.
    const rights = rightsOf(viewer.snapshot, viewer.principal, viewer.now);
    const held = kind === 'tools' ? this.#pins.version : 0;
    const seen = known.map((one) => markOf(viewer, kind, one)).join(' ');
    const id = `${kind}|${viewer.audience}|${viewer.server ?? '*'}|${held}|${rights.signature}|${seen}${connectMark(viewer)}`;
    const found = this.#views.get(id);
    if (found) return found;
    const parts = known.map((one) => ({
      server: one.target.server.id,
      items: this.#visible(viewer, rights, kind, one),
    }));
    const items = [...parts, ...connectTools(viewer, kind)].sort(byServer).flatMap((part) => part.items);
    const made = makeView(id, isMergedByUri(viewer, kind) ? firstOfEach(items) : items);
    this.#views.purgeStale();
    this.#views.set(id, made);
    return made;
  }

  /** What can() lets this caller see of one server. Merged lists are sorted, so that their order never depends on timing. */
  #visible(viewer: Viewer, rights: Rights, kind: ListKind, known: Known): ViewItem[] {
    const { snapshot, principal, now, audience } = viewer;
    const server = known.target.server.id;
    const question = (item: ListItem): AccessQuestion =>
      kind === 'tools' ? { server, tool: item.key } : { server, whole: true };
    const items = (known.lists.get(kind) ?? []).filter(
      (item) => can(snapshot, principal, question(item), now).allow,
    );
    if (kind !== 'tools') return shown(viewer, server, kind, items.map(asItIs));
    const free = items
      .filter((item) => !this.#pins.isHeld(known.target, item.key, item.raw))
      .map((item) => (isForOtherEra(viewer, known) ? { ...item, raw: toolForLegacy(item.raw) } : item))
      .map((item) => (audience === 'open-webui' ? { ...item, raw: flattened(item.raw) } : item));
    const { tools, clashes } = shownTools(free, rights.texts.get(server));
    for (const clash of clashes) this.#onClash(server, clash);
    return shown(viewer, server, kind, tools);
  }
}

/** All of a server that its part of the list is made of, and nothing of whose connection it was seen on. */
function markOf(viewer: Viewer, kind: ListKind, known: Known): string {
  const { server } = known.target;
  const items = known.lists.get(kind);
  // The same definition may be accepted of one address and not of another.
  const place = kind === 'tools' && pinModeOf(server) === 'enforce' ? placeOf(known.target).key : '';
  const crosses = isForOtherEra(viewer, known) ? 'crosses' : '';
  return `${server.id},${place},${crosses},${items === undefined ? '' : digestOf(items)}`;
}

/** What the tools of these servers are made of. */
function connectMark({ connectable = [] }: Viewer): string {
  if (connectable.length === 0) return '';
  return `|${JSON.stringify(connectable.map(({ id, definition }) => [id, definition.displayName]))}`;
}

function connectTools(viewer: Viewer, kind: ListKind): Part[] {
  if (kind !== 'tools') return [];
  return (viewer.connectable ?? []).map((server) => {
    const { key, raw } = connectTool(server);
    return { server: server.id, items: shown(viewer, server.id, kind, [{ key, name: key, raw }]) };
  });
}

interface Part {
  readonly server: string;
  readonly items: readonly ViewItem[];
}

function byServer(a: Part, b: Part): number {
  if (a.server === b.server) return 0;
  return a.server < b.server ? -1 : 1;
}

/** A modern server's tools in the eyes of a legacy caller. */
function isForOtherEra({ era }: Viewer, { hello }: Known): boolean {
  return era === 'legacy' && hello?.era === 'modern';
}

/** The item of that name; undefined when the caller sees none. */
export function itemNamed(view: View, name: string): ViewItem | undefined {
  view.byName ??= new Map(view.items.map((item) => [item.name, item]));
  return view.byName.get(name);
}

/** Two servers may have the same URI on the merged endpoint. */
function isMergedByUri({ server }: Viewer, kind: ListKind): boolean {
  return server === null && (kind === 'resources' || kind === 'templates');
}

function asItIs({ key, raw }: ListItem): ShownTool {
  return { key, name: key, raw };
}

function makeView(id: string, items: readonly ViewItem[]): View {
  const digest = createHash('sha256')
    .update(items.map((item) => item.name).join('\n'))
    .digest('base64url')
    .slice(0, 12);
  return {
    id,
    items,
    pages: new Map(),
    digest,
    byName: undefined,
  };
}

function sizeOf({ id, items }: View): number {
  return items.reduce((sum, { name, raw }) => sum + name.length + 2 * raw.length, id.length + 1);
}

function byName(a: ViewItem, b: ViewItem): number {
  if (a.name === b.name) return 0;
  return a.name < b.name ? -1 : 1;
}

function shown(viewer: Viewer, server: string, kind: ListKind, items: readonly ShownTool[]): ViewItem[] {
  if (viewer.server !== null) return items.map((item) => ({ ...item, server }));
  const isPrefixed = kind === 'tools' || kind === 'prompts';
  return items
    .map(({ key, name, raw }) => {
      if (!isPrefixed) return { key, name, server, raw };
      const merged = mergedName(server, name);
      const changes = { name: JSON.stringify(merged), ...(kind === 'tools' && schemaTypeChange(raw)) };
      return { key, name: merged, server, raw: editObject(raw, changes) };
    })
    .sort(byName);
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
