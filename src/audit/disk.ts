import { type Clock, isAhead } from '../platform/clock.ts';
import { messageOf } from '../platform/errors.ts';
import type { Log } from '../platform/log.ts';

const restMs = 10_000;

/** How much room the files of records may have, and whether the disk takes them. */
export class Disk {
  readonly #o: { readonly clock: Clock; readonly log: Log; readonly maxBytes: number };
  #bytes = 0;
  #refusedSince: number | null = null;
  #restsUntil = 0;

  constructor(options: { readonly clock: Clock; readonly log: Log; readonly maxBytes: number }) {
    this.#o = options;
  }

  /** Since when it takes no records; null while it does. */
  get refusedSince(): Date | null {
    return this.#refusedSince === null ? null : new Date(this.#refusedSince);
  }

  /** Whether it refused just before, and is left alone: not every call shall wait for it. */
  get rests(): boolean {
    return isAhead(this.#restsUntil, this.#o.clock(), restMs);
  }

  /** Throws when there is no room for so many bytes. */
  take(bytes: number): void {
    if (this.#bytes + bytes > this.#o.maxBytes) throw new Error('The spill files are full.');
    this.#bytes += bytes;
  }

  give(bytes: number): void {
    this.#bytes -= bytes;
  }

  took(): void {
    if (this.#refusedSince === null) return;
    this.#refusedSince = null;
    this.#restsUntil = 0;
    this.#o.log.info('the disk takes call records again');
  }

  refused(why: unknown): void {
    const now = this.#o.clock();
    this.#restsUntil = now + restMs;
    if (this.#refusedSince !== null) return;
    this.#refusedSince = now;
    this.#o.log.error({ error: messageOf(why) }, 'the disk takes no call records; they are in memory alone');
  }
}
