import { createHash } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { defaultPinMode, type pinMode } from '../access/contract.ts';
import { maskArgs, maskUrl, type SnapshotServer } from '../access/index.ts';
import type { PinState } from '../catalog/contract.ts';
import { flagsOf, hasControlCharacters, type Place, type SeenTool, type ToolPins } from '../catalog/index.ts';
import { definitionHash } from './definition-hash.ts';
import type { Hub } from './hub.ts';
import type { ListItem } from './lists/fetch-list.ts';
import type { Known } from './lists/known.ts';
import type { ListStore } from './lists/list-store.ts';
import type { Target } from './upstreams/target.ts';
import type { z } from 'zod';

/** Tools whose definition is not the accepted one are held back: neither listed, nor found, nor callable. */
export interface Pins {
  /** Grows with each change of what is held back; lists that were kept are made anew then. */
  readonly version: number;
  /** `rawTool` is the tool as its server wrote it. */
  isHeld(target: Target, tool: string, rawTool: string): boolean;
  /** For administrators. */
  about(target: Target, tool: string, rawTool: string): PinnedTool;
}

export interface PinnedTool {
  readonly mode: z.infer<typeof pinMode>;
  readonly state: PinState;
  readonly held: boolean;
  /** What is suspicious about it, one sentence each. */
  readonly flags: readonly string[];
}

/** What becomes of this server's tools when nobody accepted them. */
export function pinModeOf(server: SnapshotServer): z.infer<typeof pinMode> {
  return server.definition.pin ?? defaultPinMode;
}

/** The tool of that name as the list was last seen. */
export function listedTool(known: Known, tool: string): ListItem | undefined {
  const items = known.lists.get('tools');
  if (!items) return undefined;
  const index = indexes.get(items) ?? new Map(items.map((item) => [item.key, item]));
  indexes.set(items, index);
  return index.get(tool);
}

const indexes = new WeakMap<readonly ListItem[], ReadonlyMap<string, ListItem>>();
const hashesKept = 64 * 1024 * 1024;

/**
 * Looks at every list that changes, has what is new written down, and knows what is accepted. Nothing here waits
 * for the database.
 */
export class LivePins implements Pins {
  readonly #toolPins: ToolPins;
  readonly #lists: ListStore;
  readonly #hashes = new LRUCache<string, string>({
    maxSize: hashesKept,
    sizeCalculation: (_, raw) => raw.length + 1,
  });
  /** What each list held when it was last looked at. */
  readonly #seen = new WeakMap<Known, readonly SeenTool[]>();
  readonly #stop: readonly (() => void)[];

  constructor(toolPins: ToolPins, lists: ListStore, hub: Pick<Hub, 'listsChanged'>) {
    this.#toolPins = toolPins;
    this.#lists = lists;
    this.#stop = [
      lists.onChange((_target, kinds, known) => {
        if (kinds.includes('tools')) this.#look(known);
      }),
      toolPins.onChange(() => {
        for (const { target } of lists.all())
          if (pinModeOf(target.server) === 'enforce') hub.listsChanged(target, ['tools']);
      }),
    ];
  }

  get version(): number {
    return this.#toolPins.version;
  }

  isHeld(target: Target, tool: string, rawTool: string): boolean {
    if (hasControlCharacters(tool)) return true;
    if (pinModeOf(target.server) !== 'enforce') return false;
    return this.#toolPins.stateOf(placeOf(target), this.#hash(rawTool)) !== 'accepted';
  }

  about(target: Target, tool: string, rawTool: string): PinnedTool {
    const parsed: unknown = JSON.parse(rawTool);
    return {
      mode: pinModeOf(target.server),
      state: this.#toolPins.stateOf(placeOf(target), this.#hash(rawTool)),
      held: this.isHeld(target, tool, rawTool),
      flags: [...flagsOf({ tool: parsed }), ...this.#toolPins.nameFlags(tool)],
    };
  }

  close(): void {
    for (const stop of this.#stop) stop();
  }

  #look(known: Known): void {
    if (pinModeOf(known.target.server) === 'off') return;
    const items = known.lists.get('tools') ?? [];
    const tools = items.map(({ key, raw }) => ({ name: key, hash: this.#hash(raw), raw }));
    const before = this.#seen.get(known) ?? [];
    this.#seen.set(known, tools);
    const place = placeOf(known.target);
    this.#toolPins.observe(place, tools, this.#gone(place, before, tools));
  }

  /** Of the tools that a list held before, those that no list of the same place holds now. */
  #gone(place: Place, before: readonly SeenTool[], now: readonly SeenTool[]): SeenTool[] {
    const left = new Map(before.map((tool) => [tool.hash, tool]));
    for (const { hash } of now) left.delete(hash);
    if (left.size === 0) return [];
    // Those that were not used for longest first: they still hold it, and where each user has a list there are thousands.
    for (const known of this.#lists.all().reverse()) {
      if (!isSame(placeOf(known.target), place)) continue;
      for (const { raw } of known.lists.get('tools') ?? []) left.delete(this.#hash(raw));
      if (left.size === 0) return [];
    }
    return [...left.values()];
  }

  #hash(raw: string): string {
    const kept = this.#hashes.get(raw);
    if (kept !== undefined) return kept;
    const hash = definitionHash(raw);
    this.#hashes.set(raw, hash);
    return hash;
  }
}

function isSame(a: Place, b: Place): boolean {
  return a.server === b.server && a.key === b.key;
}

const places = new WeakMap<SnapshotServer, Map<string, Place>>();

/**
 * Which server answers: the same id may lead elsewhere for one tenant. Headers, keys and environment are left out,
 * because a new key must not make everything a first sight again.
 */
export function placeOf({ server, filled }: Pick<Target, 'server' | 'filled'>): Place {
  const { url, mark } = filled;
  const way = url ?? mark;
  const known = places.get(server) ?? new Map<string, Place>();
  places.set(server, known);
  const found = known.get(way);
  if (found) return found;
  const { definition } = server;
  const isProcess = definition.type === 'stdio';
  const where = isProcess ? [definition.command, filled.args, definition.cwd ?? ''] : [url ?? definition.url];
  const key = createHash('sha256')
    .update(JSON.stringify([definition.type, ...where]))
    .digest('base64url')
    .slice(0, 22);
  const reachedAt = isProcess
    ? [definition.command, ...maskArgs(filled.args)].join(' ')
    : maskUrl(url ?? definition.url);
  const place = { server: server.id, key, reachedAt: reachedAt.slice(0, 500) };
  known.set(way, place);
  return place;
}
