import type { Log } from '../../platform/log.ts';
import type { Entry } from './make-room.ts';

/** Every connection that is there or being made, by its key. */
export class Entries {
  readonly #log: Log;
  readonly #all = new Map<string, Entry>();
  readonly #closing = new Set<Promise<void>>();

  constructor(log: Log) {
    this.#log = log;
  }

  get size(): number {
    return this.#all.size;
  }

  get(key: string): Entry | undefined {
    return this.#all.get(key);
  }

  all(): Entry[] {
    return [...this.#all.values()];
  }

  add(entry: Entry): void {
    this.#all.set(entry.key, entry);
  }

  /** Ends the connection, and forgets it at once. */
  remove(entry: Entry): void {
    if (this.#all.get(entry.key) === entry) this.#all.delete(entry.key);
    const closing = entry.upstream.close().catch((error: unknown) => {
      const server = entry.target.server.id;
      this.#log.warn({ err: error, server }, 'connection did not close cleanly');
    });
    this.#closing.add(closing);
    closing.finally(() => this.#closing.delete(closing)).catch(() => undefined);
  }

  removeWhere(isOver: (entry: Entry) => boolean): void {
    for (const entry of this.all()) if (isOver(entry)) this.remove(entry);
  }

  /** Resolves when nothing is left of any. */
  async close(): Promise<void> {
    this.removeWhere(() => true);
    await Promise.all(this.#closing);
  }
}
