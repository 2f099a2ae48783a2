import { LRUCache } from 'lru-cache';
import type { View } from '../lists/view.ts';
import { type ServerWords, ToolIndex } from './tool-index.ts';

interface Kept {
  readonly view: View;
  /** Words of the servers that it was made with, as JSON text. */
  readonly words: string;
  readonly index: Promise<ToolIndex>;
}

/** Permission sets whose index is kept; and all their tools together, at some 4 KB each: 120 MB (docs/tool-flood.md). */
const mostIndexes = 1_000;
const mostTools = 30_000;

/**
 * One index for each permission set that searches, made at its first search and kept beside the view that it is of.
 * When there are too many, the one that was not used for longest goes, and is made anew when it is wanted.
 */
export class ToolIndexes {
  readonly #kept = new LRUCache<string, Kept>({
    max: mostIndexes,
    maxSize: mostTools,
    sizeCalculation: ({ view }) => Math.min(mostTools, view.items.length + 1),
  });

  of(view: View, servers: readonly ServerWords[]): Promise<ToolIndex> {
    const words = JSON.stringify(servers);
    const found = this.#kept.get(view.id);
    if (found?.view === view && found.words === words) return found.index;
    const index = ToolIndex.of(view.items, servers);
    this.#kept.set(view.id, { view, words, index });
    return index;
  }
}
